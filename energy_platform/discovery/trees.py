"""What stands behind what, and what is measured twice, as names and the lake's data suggest.

Nothing is decided here. A link stands in the portfolio as a comment until an operator removes its
mark: two meters may show the same for a week and measure different things.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from energy_platform.discovery.keywords import keywords
from energy_platform.discovery.vocabulary import MAIN, Words
from energy_platform.portfolio.tree import carrier_of, direction_of, is_metered
from energy_platform.schemas import ONCE_PER_SITE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from energy_platform.portfolio import Point, Portfolio

    Series = Mapping[str, np.ndarray]

DAYS_SEEN: Final = 14
"""Newest UTC days of the lake that are looked at: two weekends, and most patterns of use."""

LEAST_HOURS: Final = 48
"""Hours that meters are compared in, at least: two days tell a load from its neighbour."""

CLOSE: Final = 0.02
"""Share by which what is the same may differ in an hour: two instruments of class 1."""

STEP_WH: Final = 20.0
"""What coarse registers and the spreading of steps over hours may add to that, Wh."""

MOST_HOURS: Final = 0.95
"""Share of the hours in which it must hold: in the others a register may have been reset."""

WHOLE: Final = 0.2
"""How far a coefficient of a sum may be from one, and still mean the whole meter."""

MAIN_NAMES: Final = MAIN | Words({"general", "generale", "principal", "principale"})
"""Words of the meter that a whole site comes through, where none has the role."""

_LOADS: Final = frozenset(
    {"active_energy_import", "active_energy_net", "active_power", "heating_energy"}
    | {"cooling_energy"}
)
"""What is drawn by loads; a battery's counters have a place of their own in the balance."""


@dataclass(frozen=True, kw_only=True)
class ProposedLink:
    """A link that an operator may confirm.

    Attributes:
        name: ``parent`` or ``same_as``.
        point_id: The point that it would be said of.
        target: The point that it would name.
        why: What it rests on.
    """

    name: str
    point_id: str
    target: str
    why: str


def propose_links(portfolio: Portfolio, hourly: pl.DataFrame) -> tuple[ProposedLink, ...]:
    """Return the links that names and data speak for, of points that say nothing yet.

    In this order: instruments that show the same, hour by hour; meters of which others are the sum;
    and behind the one main meter of a site all that is left and never more than it.

    Args:
        portfolio: The portfolio as it is.
        hourly: ``point_id, hour, energy_wh`` of the newest days, whole hours only.
    """
    groups: dict[tuple[str, str, str], list[Point]] = defaultdict(list)
    for point in portfolio.points.values():
        if is_metered(point) and point.phase == "total" and point.until is None and point.is_read:
            groups[point.site_id, carrier_of(point), direction_of(point)].append(point)
    hours = hourly["hour"].unique().sort() if hourly.height else pl.Series("hour", [])
    found: list[ProposedLink] = []
    for members in groups.values():
        one_each = _one_of_each_device_and_quantity(members)
        series = _series(hourly, [one.point_id for one in one_each], hours)
        found += _of_group(one_each, series)
    return tuple(found)


def _one_of_each_device_and_quantity(points: Iterable[Point]) -> list[Point]:
    """Return the points without the increments, and powers, next to a register of the same."""
    registers = {(one.device_id, one.quantity) for one in points if one.kind == "register"}
    return [
        one
        for one in points
        if one.kind == "register" or (one.device_id, one.quantity) not in registers
    ]


def _series(hourly: pl.DataFrame, ids: Sequence[str], hours: pl.Series) -> Series:
    """Return the energies of each point by hour; not a number where it is not known."""
    wide: dict[str, np.ndarray] = {}
    frame = pl.DataFrame({"hour": hours})
    for (point_id,), rows in (
        hourly.filter(pl.col("point_id").is_in(ids)).partition_by("point_id", as_dict=True).items()
    ):
        known = frame.join(rows, on="hour", how="left", maintain_order="left")["energy_wh"]
        wide[str(point_id)] = known.fill_null(float("nan")).to_numpy()
    return {key: one for key, one in wide.items() if np.nansum(np.abs(one)) > STEP_WH}


def _of_group(points: Sequence[Point], series: Series) -> list[ProposedLink]:
    # The one that counts in the use of the site is the first instrument of its load.
    ranked = sorted(points, key=lambda one: (one.role in {"none", "sub"}, one.point_id))
    twins = _twins(ranked, series)
    second = {one.point_id for one in twins} | {one.point_id for one in points if one.same_as}
    loads = [one for one in ranked if one.point_id not in second]
    sums = _sums(loads, series)
    placed = {one.point_id for one in sums} | {one.point_id for one in points if one.parent}
    rest = [one for one in loads if one.point_id not in placed]
    return [*twins, *sums, *_behind_main(rest, loads, series)]


def _twins(points: Sequence[Point], series: Series) -> list[ProposedLink]:
    found: dict[str, ProposedLink] = {}
    for n, first in enumerate(points):
        if first.point_id in found or first.same_as is not None:
            continue
        for other in points[n + 1 :]:
            if other.point_id in found or other.same_as is not None:
                continue
            both = _both(series, first.point_id, other.point_id)
            if both is None or not _is_same(*both):
                continue
            found[other.point_id] = ProposedLink(
                name="same_as",
                point_id=other.point_id,
                target=first.point_id,
                why=f"the same within {CLOSE:.0%} in {both[0].size} hours",
            )
    return list(found.values())


def _sums(loads: Sequence[Point], series: Series) -> list[ProposedLink]:
    """Return the meters that two or more others are the sum of, the small ones first.

    What is behind a meter is left out when a larger one is looked at: it is in that meter's energy.
    """
    known = [one for one in loads if one.point_id in series]
    known.sort(key=lambda one: float(np.nansum(series[one.point_id])))
    found: dict[str, ProposedLink] = {}
    for n, parent in enumerate(known):
        free = [one for one in known[:n] if one.point_id not in found and one.parent is None]
        children = _summands(parent, free, series)
        for child in children:
            found[child.point_id] = ProposedLink(
                name="parent",
                point_id=child.point_id,
                target=parent.point_id,
                why=f"hour by hour the sum of {len(children)} meters, this one among them",
            )
    return list(found.values())


def _summands(parent: Point, free: Sequence[Point], series: Series) -> list[Point]:
    small = [one for one in free if _is_within(series, one.point_id, parent.point_id)]
    if len(small) < 2:  # noqa: PLR2004 - one alone would be a second instrument
        return []
    columns = np.column_stack([series[one.point_id] for one in small])
    total = series[parent.point_id]
    whole = ~np.isnan(total) & ~np.isnan(columns).any(axis=1)
    if whole.sum() < max(LEAST_HOURS, 2 * len(small)):
        return []
    weights, *_ = np.linalg.lstsq(columns[whole], total[whole], rcond=None)
    chosen = [n for n, weight in enumerate(weights) if abs(weight - 1) <= WHOLE]
    if len(chosen) < 2 or not _is_same(  # noqa: PLR2004
        total[whole], columns[whole][:, chosen].sum(axis=1)
    ):
        return []
    return [small[n] for n in chosen]


def _behind_main(
    rest: Sequence[Point], loads: Sequence[Point], series: Series
) -> list[ProposedLink]:
    main = _main_of(loads)
    if main is None:
        return []
    how = "the only main meter" if main.role == "main" else "the main meter by its name"
    found = []
    for point in rest:
        if point is main or point.role in ONCE_PER_SITE or point.quantity not in _LOADS:
            continue
        both = _both(series, point.point_id, main.point_id)
        if both is not None and not _is_within(series, point.point_id, main.point_id):
            continue
        seen = f", and never below this in {both[0].size} hours" if both else ""
        found.append(
            ProposedLink(
                name="parent",
                point_id=point.point_id,
                target=main.point_id,
                why=f"{how} of the site{seen}; another meter may stand between them",
            )
        )
    return found


def _main_of(loads: Sequence[Point]) -> Point | None:
    """Return the one meter that all comes through, by role or else by name; None where in doubt."""
    mains = [one for one in loads if one.role == "main"] or [
        one for one in loads if keywords(one.device_name, one.name) & MAIN_NAMES
    ]
    return mains[0] if len(mains) == 1 else None


def _both(series: Series, one: str, other: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return two series in the hours that both know; None where these are too few."""
    if one not in series or other not in series:
        return None
    known = ~np.isnan(series[one]) & ~np.isnan(series[other])
    if known.sum() < LEAST_HOURS:
        return None
    return series[one][known], series[other][known]


def _is_same(one: np.ndarray, other: np.ndarray) -> bool:
    allowed = CLOSE * np.maximum(np.abs(one), np.abs(other)) + STEP_WH
    return float((np.abs(one - other) <= allowed).mean()) >= MOST_HOURS


def _is_within(series: Series, one: str, whole: str) -> bool:
    both = _both(series, one, whole)
    if both is None:
        return False
    return float((both[0] <= both[1] * (1 + CLOSE) + STEP_WH).mean()) >= MOST_HOURS
