"""The published tables, column by column, against the recomputation."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import duckdb

from energy_platform_tests.figures.recompute import Recomputed, Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform_tests.figures.scenario import Scenario

RELATIVE: Final = 1e-9
ABSOLUTE: Final = 1e-5
"""Contributions to a bucket are whole multiples of 2^-20 of the unit: a few of them may add up."""

KEYS: Final = {
    "15min": ("point_id", "interval_start"),
    "hourly": ("point_id", "hour_start_at"),
    "daily": ("point_id", "local_day"),
    "weekly": ("point_id", "local_week"),
    "monthly": ("point_id", "local_month"),
}


class Compared(NamedTuple):
    """A published table and the recomputed one.

    Attributes:
        figures: Values compared.
        differences: What differs, in words.
    """

    table: str
    rows: int
    figures: int
    differences: tuple[str, ...]


def compare(scenario: Scenario, folder: Path, published: Path) -> list[Compared]:
    """Compare every table that is made from readings or the portfolio."""
    again = Recomputed(scenario, folder)
    with duckdb.connect(str(published), read_only=True) as db:
        return [_compared(db, table, key, list(rows)) for table, key, rows in _tables(again)]


def _tables(again: Recomputed) -> Iterator[tuple[str, tuple[str, ...], Iterator[Row]]]:
    for grain, key in KEYS.items():
        yield f"fct_energy_{grain}", key, again.counted(grain, energy=True)
        yield f"fct_consumption_{grain}", key, again.counted(grain, energy=False)
    yield "fct_measurement_hourly", KEYS["hourly"], again.measured(daily=False)
    yield "fct_measurement_daily", KEYS["daily"], again.measured(daily=True)
    yield "fct_state_daily", ("point_id", "local_day", "state_value"), again.states()
    yield "fct_quality_daily", ("point_id", "timezone", "local_day"), again.quality()
    yield "mart_site_energy", ("site_id", "local_day"), again.site_days()
    yield "mart_peak_demand", ("scope", "scope_id", "local_month"), again.peaks()
    yield "dim_site", ("site_id",), again.dim_sites()
    yield "dim_device", ("device_id",), again.dim_devices()
    yield "dim_point", ("point_id",), again.dim_points()


def _compared(
    db: duckdb.DuckDBPyConnection, table: str, key: tuple[str, ...], wanted: list[Row]
) -> Compared:
    columns = dict(
        db.execute(
            "select column_name, data_type from duckdb_columns() where table_name = ? "
            "and schema_name = 'main'",
            [table],
        ).fetchall()
    )
    said = ", ".join(
        f"epoch_us({name}) / 1e6 as {name}" if kind.startswith("TIMESTAMP WITH") else name
        for name, kind in columns.items()
    )
    rows = db.execute(f"select {said} from {table}").fetchall()
    held = {
        tuple(row[name] for name in key): row
        for row in (dict(zip(columns, r, strict=True)) for r in rows)
    }
    made = {tuple(row[name] for name in key): row for row in wanted}
    differences = [f"{one} is published, not recomputed" for one in held.keys() - made.keys()]
    differences += [f"{one} is recomputed, not published" for one in made.keys() - held.keys()]
    if len(made) != len(wanted) or len(held) != len(rows):
        differences.append("rows share a key")
    figures = 0
    for one in sorted(held.keys() & made.keys(), key=str):
        if missing := columns.keys() ^ made[one].keys():
            differences.append(f"columns {sorted(missing)} are only in one of the two")
            break
        for name in columns:
            figures += 1
            if not _is_same(held[one][name], made[one][name]):
                differences.append(f"{one} {name}: {held[one][name]!r}, not {made[one][name]!r}")
    return Compared(table, len(rows), figures, tuple(sorted(differences)))


def _is_same(found: Any, wanted: Any) -> bool:
    if found is None or wanted is None or isinstance(found, str | datetime):
        return bool(found == wanted)
    if isinstance(found, int | float):
        return bool(abs(found - wanted) <= ABSOLUTE + RELATIVE * abs(wanted))
    return bool(found == wanted)
