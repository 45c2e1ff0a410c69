"""What follows when days were read: refresh, publish, push, asked of the rules themselves.

The daemon's sensors rest after failures; a command does not: it does what is left to do now, or
says why it cannot.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from energy_platform.days import contiguous, day_of
from energy_platform.delivery import LedgerError, stream_backlog
from energy_platform.destinations.base import (
    addressed,
    destination,
    titles,
    why_nothing_is_sent,
)
from energy_platform.lake.lake import LakeError
from energy_platform.portfolio import PortfolioError
from energy_platform.refresh import blocked, stale

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from energy_platform.defs.resources import Platform
    from energy_platform.defs.runner import Runner, RunReport
    from energy_platform.settings import DestinationSettings

    Say = Callable[[str], None]

REFRESH: Final = "refresh"
PUSH: Final = "push"

Followed = Literal["did", "nothing", "failed"]
"""What came of a step: something was done, there was nothing to do, or not all could be done."""

_ATTEMPTS: Final = 2
"""Refreshes in a row: days may land while the first one works."""


def refresh_what_is_stale(runner: Runner, *, say: Say, again: bool = False) -> Followed:
    """Make stale days fresh, rebuild the marts and publish; say what was done, or why not.

    Args:
        runner: Runs the job.
        say: Where lines go.
        again: Nothing is said when there is nothing left to do.

    Returns:
        What came of it; unless it failed, nothing is stale now.
    """
    from energy_platform.defs.partitions import (  # noqa: PLC0415
        RANGE_END,
        RANGE_START,
        RUN_KIND,
    )

    platform = runner.platform
    followed: Followed = "nothing"
    try:
        for _ in range(_ATTEMPTS):
            # Another one's refresh may leave nothing to do.
            runner.wait_for_pools(REFRESH)
            days, marts = _stale(platform)
            if not days and not marts:
                if not again:
                    say("refresh: every derived day and every mart is fresh")
                return followed
            newest = max(days, default=day_of(platform.now()))
            say(f"refresh: {_days(days) or 'marts only'} ({'; '.join(marts) or 'days are stale'})")
            tags = {RANGE_START: newest, RANGE_END: newest, RUN_KIND: "refresh"}
            report = runner.run(REFRESH, tags=tags)
            if not report.success:
                say_failure(report, say=say)
                return "failed"
            _say_published(report, days, say=say)
            followed = "did"
            if not any(_stale(platform)):
                return followed
    except (PortfolioError, LakeError, LedgerError) as error:
        say(f"refresh: not done: {error}")
        return "failed"
    say("refresh: days changed while it worked; run the command again")
    return "failed"


def push_what_is_behind(runner: Runner, *, say: Say) -> Followed:
    """Send what the destinations do not hold yet, pauses after failures aside; say what was sent.

    Returns:
        What came of it; ``nothing`` as well where nothing is to be sent.
    """
    from energy_platform.defs.partitions import RUN_KIND  # noqa: PLC0415

    targets = addressed()
    if not targets:
        say(f"push: skipped, {why_nothing_is_sent()}")
        return "nothing"
    try:
        runner.wait_for_pools(PUSH)
        behind = _behind(runner.platform, targets)
        if not behind:
            say(f"push: {titles()} holds all that is ready")
            return "nothing"
        say(f"push: {len(behind)} streams are behind")
        report = runner.run(PUSH, tags={RUN_KIND: "push"})
    except (PortfolioError, LakeError, LedgerError) as error:
        say(f"push: not done: {error}")
        return "failed"
    if not report.success:
        say_failure(report, say=say)
        return "failed"
    figures = [_figures_of(report, destination(one.destination).packets) for one in targets]
    acknowledged, refused = (
        sum(one.get(name, 0) for one in figures)
        for name in ("packets_acknowledged", "packets_refused")
    )
    say(f"push: {acknowledged} packets acknowledged, {refused} refused")
    return "failed" if refused else "did"


def held_days(platform: Platform) -> dict[str, str]:
    """Return the days whose raw files need an operator, with the reason."""
    try:
        return {one.day: one.why for one in blocked(platform.lake, platform.portfolio())}
    except (PortfolioError, LakeError):
        return {}


def say_failure(report: RunReport, *, say: Say) -> None:
    """Say which run failed and how."""
    say(f"{report.job}: FAILED (run {report.run_id[:8]})")
    for message in report.errors:
        for line in message.splitlines():
            say(f"  {line}")


def _stale(platform: Platform) -> tuple[list[str], tuple[str, ...]]:
    portfolio = platform.portfolio()
    days = [one.day for one in stale(platform.lake, portfolio)]
    plan = platform.warehouse.plan(portfolio, delivery=platform.delivered(portfolio))
    return days, plan.why


def _behind(platform: Platform, targets: Sequence[DestinationSettings]) -> list[str]:
    portfolio = platform.portfolio()
    with platform.ledger() as ledger:
        return [
            one.stream_id
            for target in targets
            for one in stream_backlog(
                platform.lake,
                ledger,
                portfolio,
                now=platform.now(),
                max_hold=timedelta(hours=target.max_hold_h),
                destination=target.destination,
            )
        ]


def _say_published(report: RunReport, days: Sequence[str], *, say: Say) -> None:
    figures = _figures_of(report, "energy_duckdb")
    verb = "published" if figures.get("written") else "published file unchanged"
    if figures.get("next_copy"):
        verb = "live.duckdb published, energy.duckdb to be copied later"
    message = f"refresh: {f'{len(days)} days made fresh' if days else 'marts rebuilt'}; {verb}"
    if figures:
        message += f", {figures['path']} up to {figures['newest_day']}"
    say(message)


def _figures_of(report: RunReport, asset: str) -> dict[str, Any]:
    return next(
        (dict(one.figures) for one in report.materialized if one.asset == asset and one.figures),
        {},
    )


def _days(days: Sequence[str]) -> str:
    spans = [
        first if first == last else f"{first} to {last}" for first, last in contiguous(list(days))
    ]
    return f"{len(days)} days, {', '.join(spans)}" if spans else ""
