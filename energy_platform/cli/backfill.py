"""``energy-platform backfill``: a range of days as one run, and what follows as others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.cli.disputed import report_lines
from energy_platform.cli.following import (
    held_days,
    push_what_is_behind,
    refresh_what_is_stale,
    say_failure,
)
from energy_platform.days import day_range
from energy_platform.defs.runner import NO_LIMIT, open_runner
from energy_platform.ingest.run import is_configured
from energy_platform.installation.origin import claim
from energy_platform.lake.catalogue import Catalogue, CatalogueError
from energy_platform.lake.lake import LakeError
from energy_platform.portfolio import PortfolioError
from energy_platform.settings import Settings, SettingsError
from energy_platform.sources.registry import day_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rich.console import Console

    from energy_platform.defs.runner import Runner, RunReport
    from energy_platform.lake.lake import Lake
    from energy_platform.schemas import Vendor

    Say = Callable[[str], None]

INTERRUPTED: Final = 130
"""Exit code after Ctrl+C, as shells have it."""

_SHOWN: Final = 20
"""Days named one by one; the UI and the catalogue know all."""


class _Read(NamedTuple):
    """What reading one source came to: days by what became of them."""

    landed: tuple[str, ...]
    rows: int
    written: int
    partial: dict[str, str]
    missing: dict[str, str]


def run_backfill(console: Console, *, vendor: str, first: str, last: str) -> int:
    """Read the days of one vendor or of all, then refresh and push, telling what is done.

    Days or vendors that fail stop nothing else: what landed is refreshed, published and pushed.

    Returns:
        Exit code: 0 when all that was asked for is done, 1 when something is not, 130 after
        Ctrl+C.

    Raises:
        SettingsError: The vendor or the days make no sense, or it has no credentials.
    """
    vendors, without = _vendors(vendor)
    try:
        days = day_range(first, last)
    except ValueError as error:
        raise SettingsError(f"expected two days as YYYY-MM-DD: {error}") from error
    if not days:
        raise SettingsError(f"the last day {last} lies before the first {first}")
    platform = Settings.load().platform
    data_dir = platform.data_dir
    claim(data_dir, origin="live")
    # The partitions of this process begin with its days, whatever landed so far.
    begin = min(days[0], str(platform.partitions_from or days[0]))
    os.environ["ENERGY_PLATFORM_PARTITIONS_FROM"] = begin

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    for one in without:
        say(f"{one}: skipped, it has no credentials")
    try:
        done = _backfill(vendors, days, data_dir=data_dir, say=say)
    except KeyboardInterrupt:
        say(
            "stopped; days that landed are kept. To go on: "
            f"energy-platform backfill {vendor} {first} {last}"
        )
        return INTERRUPTED
    return 0 if done else 1


def _vendors(asked: str) -> tuple[list[Vendor], list[Vendor]]:
    """Return the vendors to read, and those of ``all`` that are left out."""
    known = [name for name in day_tables() if asked in {name, "all"}]
    if not known:
        raise SettingsError(f"unknown vendor {asked!r}; one of {', '.join(day_tables())}, all")
    configured = [name for name in known if is_configured(name)]
    if not configured:
        raise SettingsError(
            f"no credentials for {' or '.join(known)}: see .env.example, then "
            "`energy-platform doctor`"
        )
    return configured, [name for name in known if name not in configured]


def _backfill(vendors: Sequence[Vendor], days: Sequence[str], *, data_dir: Path, say: Say) -> bool:
    with open_runner(data_dir / "dagster", by="backfill", say=say) as runner:
        done = [_read(runner, vendor, days, say=say) for vendor in vendors]
        done.append(refresh_what_is_stale(runner, say=say) != "failed")
        done.append(push_what_is_behind(runner, say=say) != "failed")
        # What was delivered is part of what is published.
        done.append(refresh_what_is_stale(runner, say=say, again=True) != "failed")
        held = held_days(runner.platform)
        _say_not_booked(runner, days, say=say)
    for day, why in held.items():
        say(f"{day} waits for an operator: {why}")
        done.append(day not in days)
    return all(done)


def _say_not_booked(runner: Runner, days: Sequence[str], *, say: Say) -> None:
    """Say what the days' registers showed and nobody booked, and which limits do not fit."""
    try:
        lines = report_lines(runner.platform.lake, runner.platform.portfolio(), days=days)
    except (PortfolioError, LakeError):
        # The refresh has failed for the same reason, and has said so.
        return
    for line in lines[:_SHOWN]:
        say(line)
    if len(lines) > _SHOWN:
        say(f"and {len(lines) - _SHOWN} more; `energy-platform status` and `doctor` list them")


def _read(runner: Runner, vendor: Vendor, days: Sequence[str], *, say: Say) -> bool:
    from energy_platform.defs.partitions import RUN_KIND, range_tags  # noqa: PLC0415

    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    say(f"{vendor}: reading {len(days)} days, {span}")
    report = runner.run(
        f"ingest_{vendor}",
        tags={**range_tags(list(days)), RUN_KIND: "backfill", **NO_LIMIT},
        on_log=lambda line: say(f"  {line}"),
    )
    read = _what_was_read(report, vendor, days, lake=runner.platform.lake)
    message = f"{vendor}: {len(read.landed)} of {len(days)} days landed, {read.rows} rows"
    if read.landed:
        message += f", {read.written} days new or changed"
    say(message)
    for day, why in list(read.partial.items())[:_SHOWN]:
        say(f"  {day} is partial and will be asked for again: {why}")
    for day, why in list(read.missing.items())[:_SHOWN]:
        say(f"  {day} was not read: {why}")
    if not report.success:
        say_failure(report, say=say)
    return report.success and not read.missing


def _what_was_read(report: RunReport, vendor: Vendor, days: Sequence[str], *, lake: Lake) -> _Read:
    table = day_tables()[vendor].name
    figures = {
        one.partition: one.figures
        for one in report.materialized
        if one.asset == table and one.partition is not None
    }
    landed = [day for day in days if "complete_until" in figures.get(day, {})]
    try:
        with Catalogue.of(lake) as catalogue:
            known = catalogue.days(vendor, first=days[0], last=days[-1])
    except CatalogueError:
        # The run has said so; the days themselves have landed.
        known = {}
    partial = {
        day: known[day].why for day in landed if day in known and known[day].state == "partial"
    }
    failed = {day: record.why for day, record in known.items() if record.state == "failed"}
    missing = {
        day: failed.get(day) or str(figures.get(day, {}).get("note") or "see the errors below")
        for day in days
        if day not in landed
    }
    return _Read(
        landed=tuple(landed),
        rows=sum(int(figures[day].get("dagster/partition_row_count", 0)) for day in landed),
        written=sum(1 for day in landed if figures[day].get("new") or figures[day].get("changed")),
        partial=partial,
        missing=missing,
    )
