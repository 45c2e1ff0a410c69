"""What the trees of meters and the pairs of instruments say that somebody should look into.

Pure judgements of rows of ``mart_submetering`` and ``mart_instruments``, day by day; the figures
themselves are made in dbt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl

LEAST_WH: Final = 1.0
"""A remainder is judged from here on, Wh: less is cut off when contributions are spread."""

_UNDER_WAY: Final = ("open", "closed")
"""Statuses of days whose late data may still come: what is missing in them is not missing yet."""


def remainder_problems(remainders: pl.DataFrame) -> dict[str, str]:
    """Return, by local day, which remainders are below zero and which children are missing.

    A remainder is below zero in earnest where it is so by more than the instruments may be wrong by
    their classes together. Children are missing on days that are over for good.

    Args:
        remainders: Remainders of days: ``parent_point_id, local_day, energy_wh, allowed_wh,
            missing_point_ids, status``.

    >>> from datetime import date
    >>> import polars as pl
    >>> row = {"parent_point_id": "main", "local_day": date(2026, 3, 1), "energy_wh": -5000.0,
    ...        "allowed_wh": 300.0, "missing_point_ids": None, "status": "final"}
    >>> remainder_problems(pl.DataFrame([row]))["2026-03-01"]
    'main: 5.0 kWh more through its children than through itself (0.3 kWh allowed)'
    """
    return _by_day(
        (str(row["local_day"]), f"{row['parent_point_id']}: {why}")
        for row in remainders.sort("local_day", "parent_point_id").iter_rows(named=True)
        for why in _of_remainder(row)
    )


def instrument_problems(pairs: pl.DataFrame) -> dict[str, str]:
    """Return, by local day, which instruments on one load differ by more than they may.

    Args:
        pairs: ``point_id, other_point_id, local_day, verdict, difference_wh, difference_percent,
            allowed_percent, status``.

    >>> from datetime import date
    >>> import polars as pl
    >>> row = {"point_id": "main", "other_point_id": "check", "local_day": date(2026, 3, 1),
    ...        "verdict": "differ", "difference_wh": 4000.0, "difference_percent": 4.0,
    ...        "allowed_percent": 1.0, "status": "final"}
    >>> instrument_problems(pl.DataFrame([row]))["2026-03-01"]
    'check shows +4.0 kWh (+4.00 %) against main, 1.00 % allowed'
    """
    return _by_day(
        (
            str(row["local_day"]),
            (
                f"{row['other_point_id']} shows {_kwh(row['difference_wh'], signed=True)} kWh "
                f"({_percent(row['difference_percent'])}) against {row['point_id']}, "
                f"{_percent(row['allowed_percent'], signed=False)} allowed"
            ),
        )
        for row in pairs.sort("local_day", "other_point_id").iter_rows(named=True)
        if row["verdict"] == "differ" and row["status"] != "open"
    )


def _of_remainder(row: dict[str, Any]) -> Iterator[str]:
    energy, allowed = row["energy_wh"], row["allowed_wh"] or 0.0
    if energy is not None and energy < -max(allowed, LEAST_WH) and row["status"] != "open":
        yield (
            f"{_kwh(-energy)} kWh more through its children than through itself "
            f"({_kwh(allowed)} kWh allowed)"
        )
    if row["missing_point_ids"] and row["status"] not in _UNDER_WAY:
        yield f"nothing of {row['missing_point_ids']}"


def _by_day(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    days: dict[str, list[str]] = {}
    for day, why in found:
        days.setdefault(day, []).append(why)
    return {day: "; ".join(each) for day, each in days.items()}


def _kwh(energy_wh: float, *, signed: bool = False) -> str:
    return f"{energy_wh / 1000:{'+' if signed else ''},.1f}"


def _percent(percent: float | None, *, signed: bool = True) -> str:
    return "-" if percent is None else f"{percent:{'+' if signed else ''},.2f} %"
