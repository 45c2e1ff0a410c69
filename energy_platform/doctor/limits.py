"""Check that registers are read by limits that fit: what is refused, accepted or outruns its limit.

Only the sentences for ``doctor`` belong here; the rules are in ``disputed`` and ``limits_seen``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.disputed import (
    ADVICE,
    RECENT_DAYS,
    disputed,
    idle_acceptances,
    too_small,
)
from energy_platform.doctor.check_result import fail, ok, warn
from energy_platform.lake.lake import Lake, LakeError
from energy_platform.limits_seen import SeenPower, frequently_reset_points, seen_power

if TYPE_CHECKING:
    from collections.abc import Iterator

    from energy_platform.doctor.check_result import CheckResult
    from energy_platform.portfolio import Portfolio

CHECK: Final = "limits"

FAR_TOO_LARGE: Final = 1000.0
"""A limit this many times the highest power seen keeps hardly any bad reading out."""


def check_limits(portfolio: Portfolio, *, lake: Lake) -> Iterator[CheckResult]:
    """Compare the limits of registers with the data of the newest days.

    Args:
        portfolio: States the limits.
        lake: The day files.
    """
    try:
        found = list(_findings(lake, portfolio))
    except LakeError as error:
        yield fail(CHECK, "", str(error))
        return
    if found:
        yield from found
    else:
        yield ok(CHECK, "", f"nothing is refused, no limit is off, in the last {RECENT_DAYS} days")


def _findings(lake: Lake, portfolio: Portfolio) -> Iterator[CheckResult]:
    for refused in disputed(lake, portfolio):
        yield warn(CHECK, "", refused.description, ADVICE)
    outrun = too_small(lake, portfolio)
    for small in outrun:
        if small.max_power_w is not None:
            yield warn(
                CHECK, "", small.description, "Correct max_power_w in the portfolio; it is in W"
            )
    named = {one.point_id for one in outrun}
    for seen in seen_power(lake, portfolio):
        if seen.point_id not in named and (message := _too_large(seen)):
            yield warn(
                CHECK, "", message, "Correct max_power_w; `discover --limits` proposes numbers"
            )
    for idle in idle_acceptances(lake, portfolio):
        yield warn(
            CHECK,
            "",
            f"{idle.point_id}: accept from {idle.start:%Y-%m-%d %H:%MZ} to "
            f"{idle.end:%Y-%m-%d %H:%MZ} books nothing: no step with refused energy ends in it",
            "Remove the entry, or correct its span: `energy-platform explain POINT DAY` shows when "
            "the refused step ends",
        )
    for point_id, falls, days in frequently_reset_points(lake, portfolio):
        yield warn(
            CHECK,
            "",
            f"{point_id}: fell {falls} times in {days} days: a counter that is reset often",
            "Write `glitch: keep` next to it, so that every reading settles at once",
        )


def _too_large(seen: SeenPower) -> str:
    stated = seen.max_power_w
    if stated is None or not seen.is_enough or stated < FAR_TOO_LARGE * seen.power_w:
        return ""
    return (
        f"{seen.point_id}: max_power_w {stated:,.0f} W is {stated / seen.power_w:,.0f} times the "
        f"highest power seen ({seen.description}): it keeps no bad reading out"
    )
