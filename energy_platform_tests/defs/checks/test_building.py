"""The checks of a building read the newest days of the published marts, and warn."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from energy_platform.defs.checks.building import (
    INSTRUMENTS_AGREE,
    NO_NEGATIVE_REMAINDERS,
    building_results,
    building_specs,
)

if TYPE_CHECKING:
    from pathlib import Path

NEWEST = date(2026, 3, 2)


def write(folder: Path, table: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        place = folder / table / f"month={row['local_day']:%Y-%m}"
        place.mkdir(parents=True, exist_ok=True)
        path = place / "part.parquet"
        frame = pl.DataFrame([row])
        pl.concat([pl.read_parquet(path), frame] if path.exists() else [frame]).write_parquet(path)


def remainder(day: date, energy_wh: float, *, grain: str = "day") -> dict[str, Any]:
    return {
        "parent_point_id": "main",
        "member": "remainder",
        "grain": grain,
        "local_day": day,
        "energy_wh": energy_wh,
        "allowed_wh": 10.0,
        "missing_point_ids": "",
        "status": "final",
    }


def pair(day: date, verdict: str) -> dict[str, Any]:
    return {
        "point_id": "a",
        "other_point_id": "b",
        "local_day": day,
        "verdict": verdict,
        "difference_wh": 50.0,
        "difference_percent": 5.0,
        "allowed_percent": 2.0,
        "status": "final",
    }


def results(folder: Path) -> dict[str, dg.AssetCheckResult]:
    found = list(building_results("live_duckdb", marts=folder))
    assert {one.severity for one in found} == {dg.AssetCheckSeverity.WARN}
    return {str(one.check_name): one for one in found}


def test_every_check_has_a_result_where_nothing_is_published(tmp_path: Path) -> None:
    found = results(tmp_path)
    assert found.keys() == {spec.name for spec in building_specs("live_duckdb")}
    assert all(one.passed for one in found.values())


def test_days_of_the_last_four_weeks_are_named(tmp_path: Path) -> None:
    long_ago = NEWEST - timedelta(days=40)
    write(
        tmp_path,
        "mart_submetering",
        [
            remainder(NEWEST, 100.0),
            remainder(NEWEST, -900.0, grain="hour"),
            remainder(NEWEST - timedelta(days=5), -900.0),
            remainder(long_ago, -900.0),
        ],
    )
    write(
        tmp_path,
        "mart_instruments",
        [
            pair(NEWEST, "differ"),
            pair(NEWEST - timedelta(days=1), "agree"),
            pair(long_ago, "differ"),
        ],
    )
    found = results(tmp_path)
    assert not found[NO_NEGATIVE_REMAINDERS].passed
    assert not found[INSTRUMENTS_AGREE].passed
    for name, day in ((NO_NEGATIVE_REMAINDERS, "2026-02-25"), (INSTRUMENTS_AGREE, "2026-03-02")):
        days = found[name].metadata["days"]
        assert isinstance(days, dg.TableMetadataValue)
        assert [record.data["day"] for record in days.records] == [day]
