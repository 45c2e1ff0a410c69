"""The layout of columns in Parquet: what was put in comes out, in every reader."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import duckdb
import polars as pl
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from energy_platform.lake.parquet import arrow_table, open_parquet
from energy_platform.schemas import INSTANT

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Final = pl.Schema(
    {
        "point_id": pl.String(),
        "at": INSTANT,
        "value_wh": pl.Float64(),
        "status": pl.String(),
        "estimated": pl.Boolean(),
        "dropped": pl.Int64(),
    }
)
NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)

rows = st.lists(
    st.tuples(
        st.sampled_from(["socomec/1/a", "socomec/2/b", "", "é"]),
        st.none() | st.integers(-(10**9), 10**9).map(lambda s: NOON + timedelta(seconds=s)),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.sampled_from(["ok", "reset"]),
        st.none() | st.booleans(),
        st.none() | st.integers(-(2**62), 2**62),
    ),
    max_size=30,
)


def _written(path: Path, *frames: pl.DataFrame) -> Path:
    with open_parquet(path, schema=SCHEMA) as writer:
        for frame in frames:
            writer.write_table(arrow_table(frame))
    return path


@given(first=rows, second=rows)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_reader_sees_the_rows_that_were_written(
    first: list[tuple[object, ...]], second: list[tuple[object, ...]], tmp_path: Path
) -> None:
    frames = [pl.DataFrame(part, schema=SCHEMA, orient="row") for part in (first, second)]
    path = _written(tmp_path / "day.parquet", *frames)
    expected = pl.concat(frames)

    assert_frame_equal(pl.read_parquet(path), expected)
    assert_frame_equal(pl.DataFrame(pq.read_table(path)), expected)
    with duckdb.connect() as connection:
        read = connection.execute(f"SELECT * FROM '{path}'").pl()
    assert_frame_equal(read.cast({"at": INSTANT}), expected)


def test_texts_are_plain_texts_for_whoever_opens_the_file(tmp_path: Path) -> None:
    frame = pl.DataFrame([("p", NOON, 1.0, "ok", True, 0)], schema=SCHEMA, orient="row")

    schema = pq.read_schema(_written(tmp_path / "day.parquet", frame))

    assert str(schema.field("point_id").type) == "string"
    assert str(schema.field("at").type) == "timestamp[us, tz=UTC]"


def test_a_slice_of_a_larger_frame_is_written_alone(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        [(f"p{n // 2}", NOON, float(n), "ok", True, n) for n in range(10)],
        schema=SCHEMA,
        orient="row",
    )

    path = _written(tmp_path / "day.parquet", frame.slice(3, 4))

    assert_frame_equal(pl.read_parquet(path), frame.slice(3, 4))
