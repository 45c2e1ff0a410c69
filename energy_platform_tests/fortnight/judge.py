"""What the fortnight must have come to, and what it came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from energy_platform.alerts.messages import TITLES
from energy_platform.days import DAY, day_before, day_bounds, day_of, day_range
from energy_platform.defs.schedules import DAILY_MINUTE
from energy_platform.ingest.due import holes
from energy_platform.ingest.due import read_source_days as read
from energy_platform.ingest.run import ingest_settings
from energy_platform.settings import WatticsSettings
from energy_platform.sources.registry import day_tables
from energy_platform_tests.fortnight.site import NAME, STREAMS
from energy_platform_tests.fortnight.story import BEGIN

if TYPE_CHECKING:
    from collections.abc import Iterable

    import dagster as dg

    from energy_platform.alerts import Kind
    from energy_platform.schemas import Vendor
    from energy_platform_tests.fortnight.story import Story
    from energy_platform_tests.fortnight.troubles import Trouble

MOST_LOGINS: Final = 9
"""Refused logins a day."""

AT_ITS_TICK: Final = timedelta(minutes=5)
"""A day landed at its own tick when it was whole this long after it."""

MOST_RUNS_A_DAY: Final = 150
"""More would mean that something is asked for again and again."""

_PREFIX: Final = f"[energy_platform {NAME}] "

Told = Counter[tuple[str, str, str]]
"""Messages by phase (``begin``, ``over``), kind's title and subject."""


@dataclass(frozen=True)
class Row:
    """One trouble in the table: messages that began and ended it, by channel."""

    name: str
    told: str
    mail: str
    webhook: str


@dataclass(frozen=True)
class Judgement:
    """The verdict.

    Attributes:
        rows: One per trouble.
        breaches: What is not as it must be, one sentence each.
        facts: What is worth printing.
    """

    rows: tuple[Row, ...]
    breaches: tuple[str, ...]
    facts: tuple[str, ...]


def judge(story: Story) -> Judgement:
    """Compare what happened with what must have."""
    mail = _told(subject for subject, _ in story.site.mailbox.received)
    webhook = _told(str(one["title"]) for one in story.site.webhook.received)
    breaches = [
        *_days(story),
        *_late(story),
        *_alerts("mail", mail, story.troubles),
        *_alerts("webhook", webhook, story.troubles),
        *_logins(story),
        *_checks(story),
        *_runs(story),
        *_wattics(story),
    ]
    rows = tuple(_row(one, mail=mail, webhook=webhook) for one in story.troubles)
    most = max(story.refused_logins.values(), default=0)
    late = max((_lateness(story, *key) for key in story.whole_at), default=timedelta(0))
    facts = (
        (
            f"{story.lasts / DAY:.1f} days, {story.ticks} ticks, {len(story.runs)} runs, "
            f"{sum(not one.report.success for one in story.runs)} of them failed"
        ),
        f"{len(story.whole_at)} days whole; the longest that one waited for its source: {late}",
        f"{most} refused logins on the worst day",
        (
            f"{len(story.site.mailbox.received)} mails, {len(story.site.webhook.received)} "
            "webhooks, digests included"
        ),
    )
    return Judgement(rows=rows, breaches=tuple(breaches), facts=facts)


def _told(titles: Iterable[str]) -> Told:
    found: Told = Counter()
    for title in titles:
        text = " ".join(title.split()).removeprefix(_PREFIX)
        phase = "over" if text.startswith("over: ") else "begin"
        kind, colon, subjects = text.removeprefix("over: ").partition(": ")
        if colon:
            found.update((phase, kind, one) for one in subjects.split(", "))
    return found


def _subjects(trouble: Trouble) -> list[str]:
    return sorted(STREAMS) if trouble.who == "wattics" else [trouble.who]


def _wanted(troubles: Iterable[Trouble]) -> tuple[Counter[tuple[str, str]], Told]:
    """Return what must be told, and what may be."""
    must: Counter[tuple[str, str]] = Counter()
    may: Told = Counter()
    for one in troubles:
        for subject in _subjects(one):
            if one.told is not None:
                must[TITLES[one.told], subject] += 1
            if one.may_follow is not None:
                may["", TITLES[one.may_follow], subject] += 1
    return must, may


def _alerts(channel: str, told: Told, troubles: Iterable[Trouble]) -> list[str]:
    must, may = _wanted(troubles)
    found = []
    keys = {(kind, subject) for _, kind, subject in told} | set(must)
    for kind, subject in sorted(keys):
        begun, over = told["begin", kind, subject], told["over", kind, subject]
        least, most = must[kind, subject], must[kind, subject] + may["", kind, subject]
        if begun != over or not least <= begun <= most:
            found.append(
                f"{channel}: '{kind}: {subject}' began {begun} times and was over {over} times, "
                f"expected {least}" + (f" to {most}" if most > least else "")
            )
    return found


def _row(trouble: Trouble, *, mail: Told, webhook: Told) -> Row:
    def counts(told: Told, kind: Kind) -> str:
        begun = sum(told["begin", TITLES[kind], one] for one in _subjects(trouble))
        over = sum(told["over", TITLES[kind], one] for one in _subjects(trouble))
        return f"{begun}+{over}"

    if trouble.told is None:
        return Row(trouble.name, "nothing", "-", "-")
    what = f"{TITLES[trouble.told]}: {', '.join(_subjects(trouble))}"
    return Row(trouble.name, what, counts(mail, trouble.told), counts(webhook, trouble.told))


def _days(story: Story) -> list[str]:
    platform = story.runner.platform
    last = day_before(day_of(BEGIN + story.lasts - DAY / 24))
    found = []
    for vendor in day_tables():
        known = read(platform.lake, data_dir=platform.data, source=vendor)
        settings = ingest_settings(vendor)
        found += [
            f"{vendor} {one.day} is {one.kind}: {one.reason}"
            for one in holes(
                known,
                start=day_of(BEGIN),
                late_days=settings.late_days,
                now=story.ended_at,
                after=timedelta(minutes=30),
            )
        ]
        for day in day_range(day_of(BEGIN), last):
            file, record = known.files.get(day), known.records.get(day)
            if file is None or not file.closed:
                found.append(f"{vendor} {day}: the footer does not say that it is closed")
            if record is None or record.state != "whole":
                found.append(f"{vendor} {day}: the catalogue says {record and record.state}")
    return found


def _lateness(story: Story, vendor: Vendor, day: str) -> timedelta:
    due = day_bounds(day)[1] + timedelta(minutes=DAILY_MINUTE[vendor])
    return story.whole_at[vendor, day] - due


def _late(story: Story) -> list[str]:
    found = []
    for (vendor, day), at in sorted(story.whole_at.items()):
        due = day_bounds(day)[1] + timedelta(minutes=DAILY_MINUTE[vendor])
        excused = any(
            one.who in {vendor, "machine"} and BEGIN + one.start <= due < BEGIN + one.end + DAY
            for one in story.troubles
            if one.lasts >= timedelta(hours=2)
        )
        if not excused and at - due > AT_ITS_TICK:
            found.append(f"{vendor} {day} was whole only {at - due} after its tick")
    return found


def _logins(story: Story) -> list[str]:
    return [
        f"{source}: {number} refused logins on {day}"
        for (source, day), number in sorted(story.refused_logins.items())
        if number > MOST_LOGINS
    ]


def _checks(story: Story) -> list[str]:
    instance = story.runner.instance
    keys = list(story.runner.definitions.get_repository_def().asset_graph.asset_check_keys)
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    return [
        f"the check {key.name} of {key.asset_key.to_user_string()} does not pass: "
        f"{record.status.value}"
        for key, record in latest.items()
        if record.status.value != "SUCCEEDED" or _failed(record.event)
    ]


def _failed(event: dg.EventLogEntry | None) -> bool:
    if event is None or event.dagster_event is None:
        return False
    return not event.dagster_event.asset_check_evaluation_data.passed


def _runs(story: Story) -> list[str]:
    found = []
    for one in story.runs:
        if one.report.success:
            continue
        who = next((v for v in day_tables() if one.report.job == f"ingest_{v}"), None)
        excused = any(
            BEGIN + trouble.start - DAY / 24 <= one.due <= BEGIN + trouble.end + DAY / 4
            for trouble in story.troubles
            if trouble.who == who
            or (who is None and one.report.job == "inventories" and trouble.who in day_tables())
            or (
                who is None and one.report.job in {"push", "reconcile"} and trouble.who == "wattics"
            )
        )
        if not excused:
            found.append(
                f"{one.report.job} ({one.kind}) failed at {one.due:%d %H:%M}: "
                f"{'; '.join(one.report.errors)[:300]}"
            )
    by_day = Counter(day_of(one.due) for one in story.runs)
    found += [f"{n} runs on {day}" for day, n in by_day.items() if n > MOST_RUNS_A_DAY]
    return found


def _wattics(story: Story) -> list[str]:
    if WatticsSettings().base_url is None:
        return []
    judgement = story.site.fleet.wattics.judgement()
    return [f"Wattics: {one}" for one in judgement.complaints] + [
        f"Wattics: {name} misses {one.missing_intervals} intervals"
        for name, one in judgement.streams.items()
        if one.missing_intervals
    ]
