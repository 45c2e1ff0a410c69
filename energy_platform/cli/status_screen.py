"""``status`` for people: the verdict, what needs them, what waits, and how far the data reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from energy_platform.cli.accept_answer import sentence
from energy_platform.cli.console import add_row, table
from energy_platform.cli.disputed import refused_lines
from energy_platform.cli.screen import Section, counted, fitted, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from energy_platform.cli.status import Status, VendorStatus
    from energy_platform.cli.status_troubles import AlertStatus


class _Found(NamedTuple):
    """A section of the status, and how many things it speaks of."""

    number: int
    section: Section


def print_status(console: Console, status: Status, *, verbose: bool) -> None:
    """Print the status: the verdict first.

    Args:
        console: Where to.
        status: What was read.
        verbose: Every line, also of what is fine; else what fits on one screen.
    """
    needs = list(_needs_a_person(status))
    waits = list(_waits(status))
    wrong = [one.section for one in needs if one.number]
    waiting = [one.section for one in waits if one.number]
    style = "bold red" if wrong else "yellow" if waiting else "green"
    verdict = _verdict(status, needs, waits)
    console.print(verdict, style=style, markup=False, highlight=False, soft_wrap=True)
    reach = list(_reach(status))
    shown = [*wrong, *waiting]
    if verbose:
        quiet = [one.section for one in (*needs, *waits) if not one.number]
        shown += [*quiet, *_for_the_record(status)]
    else:
        shown = fitted(shown, taken=sum(map(rows_of, (verdict, *reach))))
    for one in shown:
        _print(console, one)
    if verbose:
        console.print(_vendors(status))
    else:
        for line in reach:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _print(console: Console, one: Section) -> None:
    console.print(one.title, style=one.style, markup=False, highlight=False, soft_wrap=True)
    for line in one.lines:
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def _verdict(status: Status, needs: list[_Found], waits: list[_Found]) -> str:
    wrong, waiting = (sum(one.number for one in found) for found in (needs, waits))
    who = "for the running daemon" if status.is_running else "for `energy-platform ui` to run"
    behind = f"{counted(waiting, 'thing')} to do {who}"
    if wrong:
        return f"Needs you: {counted(wrong, 'thing')}" + (f"; {behind}" if waiting else "")
    if waiting:
        return f"Nothing is wrong; {behind}"
    used = [one for one in status.vendors if one.days]
    idle = "" if status.is_running else "; `energy-platform ui` is not running"
    if not used:
        return f"Nothing is wrong, and nothing was read so far{idle}"
    sources, streams = counted(len(used), "source"), counted(status.streams, "stream")
    return f"All is well: {sources} read, {streams} up to date{idle}"


def _needs_a_person(status: Status) -> Iterator[_Found]:
    """Yield what does not end by itself, the worst first."""
    found = status.troubles
    for name, why in found.unreadable.items():
        yield _Found(1, Section(title=f"{name}: not known: {why}", style="red"))
    if found.restart:
        yield _Found(1, Section(title=found.restart, style="red"))
    yield _listed("held days", [f"{day}: {why}" for day, why in status.held_days.items()])
    if "alerts" not in found.unreadable:
        yield _listed("alerts that stand", [_alert(one) for one in found.alerts])
    if "runs" not in found.unreadable:
        yield _listed(
            "runs that died, hang or wait for nobody",
            [
                f"{one.job} {one.run_id[:8]} {one.state} since {_minute(one.since)}: {one.why}"
                for one in found.runs
            ],
        )
    for vendor in status.vendors:
        if vendor.warnings:
            title = f"{vendor.vendor}: {counted(len(vendor.warnings), 'warning')}"
            section = Section(title=title, lines=vendor.warnings, style="red")
            yield _Found(len(vendor.warnings), section)
    title, lines = refused_lines(status.refused)
    yield _Found(len(lines), Section(title=title, lines=lines, style="red" if lines else ""))


def _waits(status: Status) -> Iterator[_Found]:
    """Yield what the platform does by itself while it runs."""
    for one in status.vendors:
        if one.not_whole_days:
            yield _Found(len(one.not_whole_days), _not_whole(one))
    yield _listed(
        "stale days",
        [f"{day}: {'; '.join(why)}" for day, why in status.stale_days.items()],
        style="yellow",
    )
    yield _listed(
        "pending suspects",
        [
            f"{one['point_id']} at {one['at']}: {one['value_wh']} Wh after {one['good_wh']} Wh"
            for one in status.pending_suspects
        ],
        style="yellow",
    )
    backlog = status.stream_backlog
    behind = [f"{stream}: {why}" for stream, why in backlog.items()]
    title = f"streams behind: {len(behind)} of {status.streams}"
    style = "yellow" if behind else ""
    yield _Found(len(behind), Section(title=title, lines=behind, style=style))


def _listed(what: str, lines: list[str], *, style: str = "red") -> _Found:
    title = f"{what}: {len(lines)}"
    return _Found(len(lines), Section(title=title, lines=lines, style=style if lines else ""))


def _alert(one: AlertStatus) -> str:
    told = f"notified {_minute(one.notified_at)}" if one.notified_at else "not notified yet"
    since, seen = _minute(one.since), _minute(one.seen_at)
    return f"{' '.join(one.what.split())} (since {since}, last seen {seen}, {told}); {one.todo}"


def _not_whole(one: VendorStatus) -> Section:
    again = _minute(one.next_attempt) if one.next_attempt else "at the next look"
    return Section(
        title=f"{one.vendor}: {len(one.not_whole_days)} days are not whole; next attempt {again}",
        lines=[
            f"{day['day']}: {day['kind']} since {_minute(str(day['since']))}: {day['reason']}"
            for day in one.not_whole_days
        ],
        style="yellow",
    )


def _reach(status: Status) -> Iterator[str]:
    """Yield how far the data reach, in few lines."""
    for one in status.vendors:
        if one.days:
            until = _minute(one.complete_until) if one.complete_until else "-"
            yield f"{one.vendor}: {one.days} days, the newest {one.newest_day}, read to {until} UTC"
    behind = status.publication.sentence
    if behind:
        yield behind
    if status.replaced_answers:
        count = len(status.replaced_answers)
        yield (
            f"answers replaced by accept-answer: {count}; the newest: "
            f"{sentence(status.replaced_answers[0])}"
        )
    published = f"published up to: {status.published_newest_day or 'nothing yet'}"
    # Where there are any, they are listed above; none is what a script looks for after a run.
    yield published if status.stale_days else f"{published}; stale days: 0"


def _for_the_record(status: Status) -> Iterator[Section]:
    """Yield what nobody has to do anything about."""
    if status.replaced_answers:
        yield _listed(
            "answers replaced by accept-answer",
            [sentence(one) for one in status.replaced_answers],
            style="",
        ).section
    behind = status.publication.sentence
    yield Section(
        title=f"published up to: {status.published_newest_day or 'nothing yet'}",
        lines=[behind] if behind else [],
    )
    yield Section(title=f"portfolio: {status.portfolio}")


def _vendors(status: Status) -> object:
    shown = table("vendor", "raw days", "newest", "closed until", "asked until (UTC)", "not whole")
    for one in status.vendors:
        add_row(
            shown,
            one.vendor,
            one.days,
            one.newest_day or "-",
            one.newest_closed_day or "-",
            _minute(one.complete_until) if one.complete_until else "-",
            len(one.not_whole_days),
        )
    return shown


def _minute(iso: str) -> str:
    """Return an instant to the minute; what is printed is UTC."""
    return iso[:16].replace("T", " ")
