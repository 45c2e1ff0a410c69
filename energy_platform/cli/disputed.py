"""Refused energy and limits that do not fit, as ``status`` and the report of a run print them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from energy_platform.disputed import RECENT_DAYS, disputed, too_small

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio


def refused_of(lake: Lake, portfolio: Portfolio) -> tuple[dict[str, Any], ...]:
    """Return the refused energy of the newest days, one entry per point, for JSON."""
    return tuple(
        {
            "point_id": one.point_id,
            "refused_wh": one.refused_wh,
            "days": list(one.days),
            "limit_that_would_pass_w": one.needed_w,
            "description": one.description,
        }
        for one in disputed(lake, portfolio)
    )


def refused_lines(found: Sequence[dict[str, Any]]) -> tuple[str, list[str]]:
    """Return the title and the lines of a section of ``status``."""
    title = f"disputed points (energy refused, last {RECENT_DAYS} days): {len(found)}"
    return title, [str(one["description"]) for one in found]


def report_lines(lake: Lake, portfolio: Portfolio, *, days: Sequence[str]) -> list[str]:
    """Return what a run over some days has to say of refused energy and of limits."""
    return [
        *(f"not booked: {one.description}" for one in disputed(lake, portfolio, days=days)),
        *(f"over its limit: {one.description}" for one in too_small(lake, portfolio, days=days)),
    ]
