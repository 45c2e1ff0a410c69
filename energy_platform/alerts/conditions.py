"""What is worth a message, judged from plain facts.

Each function looks at one kind of fact and returns the conditions that hold now. A condition that
is reported by another is left out: while a source is silent, nobody needs a second message that its
days are missing.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from energy_platform.disputed import ADVICE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime, timedelta

    from energy_platform.disputed import Disputed
    from energy_platform.restated import Restated

Kind = Literal[
    "run_failed",
    "run_died",
    "source_silent",
    "source_refused",
    "days_missing",
    "stream_stuck",
    "stream_refused",
    "check_failed",
    "figure_disputed",
    "figures_restated",
    "disk_nearly_full",
    "publication_old",
    "service_unhealthy",
]
"""What can be wrong; each has a setting that says how soon it is reported."""

EVENTS: Final[frozenset[Kind]] = frozenset({"figures_restated"})
"""Kinds that happen and do not end: the message says all, and no all-clear follows."""

NAMED: Final = 5
"""Days, streams or checks that a text names; the others are counted."""

_GIB: Final = 1024**3


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Something that is wrong now.

    Attributes:
        kind: What it is.
        subject: What it is about, such as a source; one condition of a kind per subject.
        what: What is wrong, one sentence.
        since: Since when.
        todo: What the reader can do, one sentence.
    """

    kind: Kind
    subject: str
    what: str
    since: datetime
    todo: str


class RunEnd(NamedTuple):
    """How a job's runs have been ending.

    Attributes:
        job: Name of the job.
        run_id: The newest run that ended.
        failing_since: End of the first failed run since the last good one; None when the newest
            run ended well.
        failures: Failed runs since the last good one.
        died: Whether the newest run's process was gone before the run had ended.
        message: What the newest failed run said.
    """

    job: str
    run_id: str
    failing_since: datetime | None
    failures: int
    died: bool
    message: str


def failed_runs(ends: Sequence[RunEnd], *, reported_elsewhere: Collection[str]) -> list[Condition]:
    """Return the jobs whose newest run failed or died.

    Args:
        ends: One per job.
        reported_elsewhere: Jobs whose failures other conditions report, such as the pulls of a
            source that is silent. A run that died is reported in any case: no other condition does.
    """
    conditions = []
    for end in ends:
        if end.failing_since is None or (end.job in reported_elsewhere and not end.died):
            continue
        times = "" if end.failures == 1 else f", {end.failures} times in a row"
        if end.died:
            what = f"the process of a run of {end.job} was gone before the run had ended{times}"
            todo = "It is asked for again by itself. If this repeats, look at memory and disk"
        else:
            what = f"{end.job} failed{times}: {end.message}"
            todo = "It is asked for again with a growing pause; the run in Dagster's UI says more"
        conditions.append(
            Condition(
                kind="run_died" if end.died else "run_failed",
                subject=end.job,
                what=what,
                since=end.failing_since,
                todo=f"{todo} (run {end.run_id})",
            )
        )
    return conditions


class SourceFacts(NamedTuple):
    """What is known of one source that has credentials.

    Attributes:
        source: The source.
        heard_at: Up to where it was last asked and answered; None when it never was.
        configured_at: Since when somebody has been asking; stands in for ``heard_at``.
        refused_since: Since when its login is refused; None when it is not.
        refusal: What it said to the login.
        retry_at: When the login is tried again.
        failure: What the newest failed attempt met; empty after success.
        missing_days: Days that are not whole and could be, oldest first.
        missing_since: End of the oldest of them.
    """

    source: str
    heard_at: datetime | None
    configured_at: datetime
    refused_since: datetime | None
    refusal: str
    retry_at: datetime | None
    failure: str
    missing_days: tuple[str, ...]
    missing_since: datetime | None


def source_conditions(
    facts: Sequence[SourceFacts], *, now: datetime, expected_every: timedelta
) -> list[Condition]:
    """Return the sources that refuse, are silent, or owe days; at most one condition each.

    Args:
        facts: One per source with credentials.
        now: The present.
        expected_every: How often a source is asked; silence shorter than twice this is none.
    """
    conditions = []
    for one in facts:
        if one.refused_since is not None:
            again = f"; it is tried again at {one.retry_at:%d %b %H:%M} UTC" if one.retry_at else ""
            conditions.append(
                Condition(
                    kind="source_refused",
                    subject=one.source,
                    what=f"{one.source} refuses the login: {one.refusal}{again}",
                    since=one.refused_since,
                    todo=f"Check the {one.source.upper()}_* credentials in .env, then "
                    "`energy-platform doctor`",
                )
            )
            continue
        heard = one.heard_at or one.configured_at
        if now - heard > 2 * expected_every:
            why = f": {one.failure}" if one.failure else ""
            conditions.append(
                Condition(
                    kind="source_silent",
                    subject=one.source,
                    what=f"{one.source} gave no data{why}",
                    since=heard,
                    todo=f"`energy-platform doctor` says what {one.source} answers; days are asked "
                    "for again by themselves when it is back",
                )
            )
            continue
        if one.missing_days and one.missing_since is not None:
            conditions.append(
                Condition(
                    kind="days_missing",
                    subject=one.source,
                    what=f"{one.source}: {_some(one.missing_days, 'day')} missing or partial",
                    since=one.missing_since,
                    todo="`energy-platform status` says what each day lacks and when it is asked "
                    "for again",
                )
            )
    return conditions


class StreamFacts(NamedTuple):
    """Where one stream stands.

    Attributes:
        stream_id: The stream.
        title: Where it goes, for display.
        stopped: Why an operator has to look; None while it runs.
        failing_since: Since when nothing gets through; None when it does.
        failure: What the newest attempt met.
        refused_since: Oldest refused packet that awaits a decision; None without one.
        refused: Refused packets that await a decision.
    """

    stream_id: str
    title: str
    stopped: str | None
    failing_since: datetime | None
    failure: str
    refused_since: datetime | None
    refused: int


def stream_conditions(facts: Sequence[StreamFacts], *, now: datetime) -> list[Condition]:
    """Return the streams that are stuck or have refused packets; at most one condition each."""
    conditions = []
    for one in facts:
        where = f"stream {one.stream_id}"
        if one.stopped is not None or one.refused_since is not None:
            count = f"{one.refused} packets refused by {one.title}" if one.refused else "stopped"
            reason = f": {one.stopped}" if one.stopped else ""
            conditions.append(
                Condition(
                    kind="stream_refused",
                    subject=one.stream_id,
                    what=f"{where}: {count}{reason}",
                    since=one.refused_since or one.failing_since or now,
                    todo="`energy-platform delivery dead-letters` shows them; resend or skip each",
                )
            )
        elif one.failing_since is not None:
            conditions.append(
                Condition(
                    kind="stream_stuck",
                    subject=one.stream_id,
                    what=f"{where}: nothing gets through to {one.title}: {one.failure}",
                    since=one.failing_since,
                    todo="It is sent again by itself; `energy-platform doctor` says whether "
                    f"{one.title} can be reached",
                )
            )
    return conditions


class FailedCheck(NamedTuple):
    """A blocking check whose newest result is a failure."""

    name: str
    since: datetime


def check_conditions(failed: Sequence[FailedCheck]) -> list[Condition]:
    """Return the blocking checks that fail; what they block is not published."""
    return [
        Condition(
            kind="check_failed",
            subject=one.name,
            what=f"the check {one.name} failed, and what follows it was not published",
            since=one.since,
            todo="The check in Dagster's UI names the rows; please report it with them",
        )
        for one in failed
    ]


def dispute_conditions(figures: Sequence[Disputed]) -> list[Condition]:
    """Return the points whose registers showed energy that is not booked."""
    return [
        Condition(
            kind="figure_disputed",
            subject=one.point_id,
            what=one.description,
            since=one.since,
            todo=ADVICE.replace("POINT DAY", shlex.join([one.point_id, one.explain_day])),
        )
        for one in figures
    ]


def restatement_conditions(sites: Sequence[Restated]) -> list[Condition]:
    """Return the sites of which a publication has just changed figures that were final."""
    return [
        Condition(
            kind="figures_restated",
            subject=one.site_id,
            what=one.description,
            since=one.since,
            todo='`energy-platform sql "from mart_restatements where '
            f"site_id = '{one.site_id}'\"` lists them with what was said before; bills and reports "
            "made of them say the old figures",
        )
        for one in sites
    ]


def disk_condition(
    *,
    free: int,
    total: int,
    days_left: float | None,
    now: datetime,
    least_free: int,
    warn_days: int,
) -> list[Condition]:
    """Return whether the disk of the data folder is nearly full.

    Args:
        free: Bytes left.
        total: Bytes of the disk.
        days_left: Days until it is full at its recent growth; None when it does not grow.
        now: The present.
        least_free: Bytes that must be left.
        warn_days: Days that must be left.
    """
    soon = days_left is not None and days_left < warn_days
    if free >= least_free and not soon:
        return []
    pace = f", full in {days_left:.0f} days at its recent growth" if days_left is not None else ""
    return [
        Condition(
            kind="disk_nearly_full",
            subject="disk",
            what=f"{free / _GIB:.1f} of {total / _GIB:.0f} GiB are left for the data folder{pace}",
            since=now,
            todo="Make room, or move the data folder; a day that does not fit fails, none is "
            "damaged",
        )
    ]


def publication_condition(
    *, published_at: datetime | None, newer_since: datetime | None
) -> list[Condition]:
    """Return whether the published file lags behind the lake.

    Args:
        published_at: When it was published; None when it never was.
        newer_since: Since when the lake holds something it lacks; None when it lacks nothing.
    """
    if newer_since is None:
        return []
    age = "was never published" if published_at is None else f"is of {published_at:%d %b %H:%M} UTC"
    return [
        Condition(
            kind="publication_old",
            subject="energy.duckdb",
            what=f"energy.duckdb {age}, and newer data wait",
            since=newer_since,
            todo="`energy-platform status` says what is stale, the newest run of refresh why",
        )
    ]


def is_due(condition: Condition, *, after: Mapping[Kind, timedelta | None], now: datetime) -> bool:
    """Return whether a condition has lasted long enough to be reported.

    Args:
        condition: What holds now, and since when.
        after: How long each kind must have lasted; None: never reported.
        now: The present.
    """
    wait = after.get(condition.kind)
    return wait is not None and now - condition.since >= wait


def _some(names: Sequence[str], noun: str) -> str:
    shown = ", ".join(names[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'} ({shown}{more})"
