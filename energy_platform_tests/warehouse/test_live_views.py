"""Views over files that an older version of the platform wrote, without columns added since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest

from energy_platform.lake.lake import Lake, LakeError
from energy_platform.sources.skycentrics.tables import (
    RAW_SKYCENTRICS_SAMPLES,
    RAW_SKYCENTRICS_SENSORS,
)
from energy_platform.warehouse.live_views import write_live_views

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.schemas import Table

DAYS = ("2026-03-01", "2026-03-02")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def one_row(table: Table) -> pl.DataFrame:
    """Return a row with something in every text."""
    return pl.DataFrame({"there": [1]}).select(
        pl.lit("x" if dtype == pl.String else None, dtype=dtype).alias(name)
        for name, dtype in table.schema.items()
    )


def put(lake: Lake, table: Table, *, day: str | None = None, without: tuple[str, ...] = ()) -> None:
    """Put a file in place as a version without some columns wrote it."""
    path = lake.path(table, day=day)
    path.parent.mkdir(parents=True)
    one_row(table).drop(without).write_parquet(path)


def seen(lake: Lake, table: Table) -> pl.DataFrame:
    """Return what the live view of a table shows."""
    target = lake.root.parent / "live.duckdb"
    write_live_views(lake, target, marts=lake.root.parent / "marts")
    with duckdb.connect(str(target), read_only=True) as db:
        return db.execute(f"select * from {table.name} order by all").pl()


def test_a_column_that_no_file_has_is_null_and_of_its_type(lake: Lake) -> None:
    put(lake, RAW_SKYCENTRICS_SENSORS, without=("value", "value_text"))
    found = seen(lake, RAW_SKYCENTRICS_SENSORS)
    assert {*found.columns} == {*RAW_SKYCENTRICS_SENSORS.schema}
    for name in ("value", "value_text"):
        assert found.schema[name] == RAW_SKYCENTRICS_SENSORS.schema[name]
    assert found.select("name", "value", "value_text").rows() == [("x", None, None)]


def test_a_column_that_only_newer_days_have_is_null_in_the_older_ones(lake: Lake) -> None:
    table = RAW_SKYCENTRICS_SAMPLES
    put(lake, table, day=DAYS[0], without=("value_text",))
    put(lake, table, day=DAYS[1])
    found = seen(lake, table).sort("day")
    assert found["value_text"].to_list() == [None, "x"]
    assert {*found.columns} == {*table.schema, "day"}


def test_a_damaged_file_is_named(lake: Lake) -> None:
    put(lake, RAW_SKYCENTRICS_SENSORS)
    path = lake.path(RAW_SKYCENTRICS_SENSORS)
    path.write_bytes(b"no Parquet")
    with pytest.raises(LakeError, match="damaged"):
        seen(lake, RAW_SKYCENTRICS_SENSORS)
