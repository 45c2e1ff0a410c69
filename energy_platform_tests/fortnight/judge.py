"""What the fortnight must have come to, and what it came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from energy_platform.alerts.messages import title_of
from energy_platform.days import DAY, day_before, day_bounds, day_of, day_range
from energy_platform.defs.schedules import DAILY_MINUTE
from energy_platform.destinations.wattics import WatticsSettings
from energy_platform.disputed import disputed
from energy_platform.ingest.due import missing_days
from energy_platform.ingest.due import read_source_days as read
from energy_platform.ingest.run import ingest_settings, is_configured
from energy_platform.restated import restated
from energy_platform.simulators.wattics import WatticsSimulator
from energy_platform.sources.registry import day_tables
from energy_platform_tests.fortnight.scenario import BEGIN
from energy_platform_tests.fortnight.site import NAME, STREAMS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from energy_platform.alerts import Kind
    from energy_platform.disputed import Disputed
    from energy_platform.schemas import Vendor
    from energy_platform_tests.fortnight.scenario import Scenario
    from energy_platform_tests.fortnight.troubles import Trouble

MOST_LOGINS: Final = 9
"""Refused logins a day."""

AT_ITS_TICK: Final = timedelta(minutes=5)
"""A day landed at its own tick when it was whole this long after it."""

MOST_RUNS_A_DAY: Final = 150
"""More would mean that something is asked for again and again."""

_PREFIX: Final = f"[energy_platform {NAME}] "

AlertCounts = Counter[tuple[str, str, str]]
"""Alerts by phase (``begin``, ``over``), kind's title and subject."""


@dataclass(frozen=True)
class Row:
    """One trouble in the table: messages that began and ended it, by channel."""

    name: str
    alert: str
    mail: str
    webhook: str


@dataclass(frozen=True)
class Verdict:
    """The verdict.

    Attributes:
        rows: One per trouble.
        breaches: What is not as it must be, one sentence each.
        facts: What is worth printing.
    """

    rows: tuple[Row, ...]
    breaches: tuple[str, ...]
    facts: tuple[str, ...]


def judge(scenario: Scenario) -> Verdict:
    """Compare what happened with what must have."""
    mail = _count_alerts(subject for subject, _ in scenario.site.mailbox.received)
    webhook = _count_alerts(str(one["title"]) for one in scenario.site.webhook.received)
    breaches = [
        *_days(scenario),
        *_late(scenario),
        *_alerts("mail", mail, scenario),
        *_alerts("webhook", webhook, scenario),
        *_unfounded(scenario),
        *_logins(scenario),
        *_checks(scenario),
        *_runs(scenario),
        *_wattics(scenario),
    ]
    rows = tuple(
        _row(one, subjects=_subjects(one, scenario.troubles), mail=mail, webhook=webhook)
        for one in scenario.troubles
    )
    most = max(scenario.refused_logins.values(), default=0)
    late = max((_lateness(scenario, *key) for key in scenario.whole_at), default=timedelta(0))
    facts = (
        (
            f"{scenario.lasts / DAY:.1f} days, {scenario.ticks} ticks, {len(scenario.runs)} runs, "
            f"{sum(not one.report.success for one in scenario.runs)} of them failed"
        ),
        f"{len(scenario.whole_at)} days whole; the longest that one waited for its source: {late}",
        f"{most} refused logins on the worst day",
        (
            f"{len(scenario.site.mailbox.received)} mails, {len(scenario.site.webhook.received)} "
            "webhooks, digests included"
        ),
    )
    return Verdict(rows=rows, breaches=tuple(breaches), facts=facts)


def _count_alerts(titles: Iterable[str]) -> AlertCounts:
    found: AlertCounts = Counter()
    for title in titles:
        text = " ".join(title.split()).removeprefix(_PREFIX)
        phase = "over" if text.startswith("over: ") else "begin"
        kind, colon, subjects = text.removeprefix("over: ").partition(": ")
        if colon:
            found.update((phase, kind, one) for one in subjects.split(", "))
    return found


def _subjects(trouble: Trouble, troubles: Collection[Trouble]) -> list[str]:
    """Return who a trouble is about: streams whose source is silent meanwhile send nothing."""
    if trouble.who != "wattics":
        return [trouble.who]
    silent = {one.who for one in troubles if one.start <= trouble.start and trouble.end <= one.end}
    return sorted(stream for stream, source in STREAMS.items() if source not in silent)


def _wanted(troubles: Collection[Trouble]) -> tuple[Counter[tuple[str, str]], AlertCounts]:
    """Return the alerts that must be sent, and those that may be."""
    must: Counter[tuple[str, str]] = Counter()
    may: AlertCounts = Counter()
    for one in troubles:
        for subject in _subjects(one, troubles):
            if one.alert is not None:
                must[title_of(one.alert), subject] += 1
            if one.allowed_alert is not None:
                may["", title_of(one.allowed_alert), subject] += 1
    return must, may


def _alerts(channel: str, alerts: AlertCounts, scenario: Scenario) -> list[str]:
    must, may = _wanted(scenario.troubles)
    # A dispute stands until somebody decides about it, which nobody does here.
    standing = {(title_of("figure_disputed"), point) for point in _disputes(scenario)}
    must.update(standing)
    # Late data and corrections change final figures; that is told as it happens, without an end.
    told = {(title_of("figures_restated"), site) for site in _restated(scenario)}
    found = [
        f"{channel}: nobody was told that final figures of {site} changed"
        for kind, site in sorted(told)
        if not alerts["begin", kind, site]
    ]
    keys = {(kind, subject) for _, kind, subject in alerts} | set(must)
    for kind, subject in sorted(keys - told):
        begun, over = alerts["begin", kind, subject], alerts["over", kind, subject]
        least, most = must[kind, subject], must[kind, subject] + may["", kind, subject]
        ended = 0 if (kind, subject) in standing else begun
        if over != ended or not least <= begun <= most:
            found.append(
                f"{channel}: '{kind}: {subject}' began {begun} times and was over {over} times, "
                f"expected {least}" + (f" to {most}" if most > least else "")
            )
    return found


def _disputes(scenario: Scenario) -> dict[str, Disputed]:
    """Return what the platform disputes in the end, by point."""
    platform = scenario.runner.platform
    found = disputed(platform.lake, platform.portfolio())
    return {one.point_id: one for one in found}


def _restated(scenario: Scenario) -> list[str]:
    """Return the sites of which final figures changed in all that time."""
    found = restated(scenario.runner.platform.warehouse.marts_folder, since=BEGIN)
    return [one.site_id for one in found]


def _unfounded(scenario: Scenario) -> list[str]:
    """Return the disputes about registers with which nothing is wrong in the world.

    Gaps and late samples change no register: only an event that changes values gives a reason.
    """
    wrong = {one.signal for one in scenario.site.suite.world.events if one.changes_values}
    return [
        f"disputed although nothing is wrong with the register: {one.description}"
        for point, one in _disputes(scenario).items()
        if point not in wrong
    ]


def _row(
    trouble: Trouble, *, subjects: Collection[str], mail: AlertCounts, webhook: AlertCounts
) -> Row:
    def counts(alerts: AlertCounts, kind: Kind) -> str:
        begun = sum(alerts["begin", title_of(kind), one] for one in subjects)
        over = sum(alerts["over", title_of(kind), one] for one in subjects)
        return f"{begun}+{over}"

    if trouble.alert is None:
        return Row(trouble.name, "nothing", "-", "-")
    what = f"{title_of(trouble.alert)}: {', '.join(subjects)}"
    return Row(trouble.name, what, counts(mail, trouble.alert), counts(webhook, trouble.alert))


def _days(scenario: Scenario) -> list[str]:
    platform = scenario.runner.platform
    last = day_before(day_of(BEGIN + scenario.lasts - DAY / 24))
    found = []
    for vendor in filter(is_configured, day_tables()):
        known = read(platform.lake, data_dir=platform.data, source=vendor)
        settings = ingest_settings(vendor)
        found += [
            f"{vendor} {one.day} is {one.kind}: {one.reason}"
            for one in missing_days(
                known,
                start=day_of(BEGIN),
                late_days=settings.late_days,
                now=scenario.ended_at,
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


def _lateness(scenario: Scenario, vendor: Vendor, day: str) -> timedelta:
    due = day_bounds(day)[1] + timedelta(minutes=DAILY_MINUTE[vendor])
    return scenario.whole_at[vendor, day] - due


def _late(scenario: Scenario) -> list[str]:
    found = []
    for (vendor, day), at in sorted(scenario.whole_at.items()):
        due = day_bounds(day)[1] + timedelta(minutes=DAILY_MINUTE[vendor])
        excused = any(
            one.who in {vendor, "machine"} and BEGIN + one.start <= due < BEGIN + one.end + DAY
            for one in scenario.troubles
            if one.lasts >= timedelta(hours=2)
        )
        if not excused and at - due > AT_ITS_TICK:
            found.append(f"{vendor} {day} was whole only {at - due} after its tick")
    return found


def _logins(scenario: Scenario) -> list[str]:
    return [
        f"{source}: {number} refused logins on {day}"
        for (source, day), number in sorted(scenario.refused_logins.items())
        if number > MOST_LOGINS
    ]


def _checks(scenario: Scenario) -> list[str]:
    instance = scenario.runner.instance
    keys = list(scenario.runner.definitions.get_repository_def().asset_graph.asset_check_keys)
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    return [
        f"the check {key.name} of {key.asset_key.to_user_string()} does not pass: "
        f"{record.status.value} {_said(record.event)}"
        for key, record in latest.items()
        if record.status.value != "SUCCEEDED" or _failed(record.event)
    ]


def _evaluation(event: dg.EventLogEntry | None) -> dg.AssetCheckEvaluation | None:
    """Return what a check found; None of one that was planned and not run."""
    if event is None or event.dagster_event_type != dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return None
    return event.get_dagster_event().asset_check_evaluation_data


def _failed(event: dg.EventLogEntry | None) -> bool:
    evaluation = _evaluation(event)
    return evaluation is not None and not evaluation.passed


def _said(event: dg.EventLogEntry | None) -> str:
    """Return what a check said."""
    evaluation = _evaluation(event)
    if evaluation is None:
        return ""
    shown = {name: str(one.value)[:200] for name, one in evaluation.metadata.items()}
    return f"{evaluation.description or ''} {shown}"


def _runs(scenario: Scenario) -> list[str]:
    found = []
    for one in scenario.runs:
        if one.report.success:
            continue
        who = next((v for v in day_tables() if one.report.job == f"ingest_{v}"), None)
        excused = any(
            BEGIN + trouble.start - DAY / 24 <= one.due <= BEGIN + trouble.end + DAY / 4
            for trouble in scenario.troubles
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
    by_day = Counter(day_of(one.due) for one in scenario.runs)
    found += [f"{n} runs on {day}" for day, n in by_day.items() if n > MOST_RUNS_A_DAY]
    return found


def _wattics(scenario: Scenario) -> list[str]:
    if WatticsSettings().base_url is None:
        return []
    report = scenario.site.suite.simulator(WatticsSimulator).delivery_report()
    return [f"Wattics: {one}" for one in report.complaints] + [
        f"Wattics: {name} misses {one.missing_intervals} intervals: "
        + ", ".join(str(gap) for gap in one.gaps)
        for name, one in report.streams.items()
        if one.missing_intervals
    ]
