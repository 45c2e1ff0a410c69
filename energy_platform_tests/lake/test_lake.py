"""The lake's files: whole or not at all, equal for equal rows, honest about damage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from energy_platform.lake import lake as lake_module
from energy_platform.lake import parquet as parquet_module
from energy_platform.lake.lake import FINGERPRINT, Lake, LakeError, fingerprint_of, fingerprint_text
from energy_platform.lake.parquet import content_id
from energy_platform.schemas import CORE_REGISTER_REJECTS
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DAY = "2026-03-01"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def samples(values: Sequence[float | None], *, serial: str | None = "S1") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "device_id": ["d"] * len(values),
            "datapoint_id": ["evcloud.1"] * len(values),
            "at": [NOON + timedelta(seconds=n) for n in range(len(values))],
            "value": list(values),
            "value_text": [None] * len(values),
            "serial_number": [serial] * len(values),
            "dataprofile": ["p/1"] * len(values),
        },
        schema=RAW_BELIMO_SAMPLES.schema,
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_rows_come_back_as_written(lake: Lake) -> None:
    frame = samples([1.5, None, 3.0])
    lake.write(RAW_BELIMO_SAMPLES, frame, day=DAY, meta={"closed": "true"})
    assert lake.read(RAW_BELIMO_SAMPLES, day=DAY).equals(frame)
    footer = lake.footer(RAW_BELIMO_SAMPLES, day=DAY)
    assert footer is not None
    assert (footer.rows, footer.meta) == (3, {"closed": "true"})


def test_a_day_without_rows_is_a_file_with_the_full_schema(lake: Lake) -> None:
    lake.write(RAW_BELIMO_SAMPLES, RAW_BELIMO_SAMPLES.empty(), day=DAY)
    path = lake.path(RAW_BELIMO_SAMPLES, day=DAY)
    assert pl.read_parquet(path, hive_partitioning=False).schema == RAW_BELIMO_SAMPLES.schema
    assert lake.days(RAW_BELIMO_SAMPLES) == [DAY]


def test_equal_rows_leave_the_file_untouched(lake: Lake) -> None:
    lake.write(RAW_BELIMO_SAMPLES, samples([1.0, 2.0]), day=DAY)
    path = lake.path(RAW_BELIMO_SAMPLES, day=DAY)
    before = (path.stat().st_ino, path.read_bytes())
    written = lake.write(RAW_BELIMO_SAMPLES, samples([1.0, 2.0]), day=DAY)
    assert (written.written, written.changed) == (False, False)
    assert (path.stat().st_ino, path.read_bytes()) == before


def test_new_metadata_alone_is_written_and_is_no_change_of_content(lake: Lake) -> None:
    lake.write(RAW_BELIMO_SAMPLES, samples([1.0]), day=DAY, meta={"closed": "false"})
    written = lake.write(RAW_BELIMO_SAMPLES, samples([1.0]), day=DAY, meta={"closed": "true"})
    assert (written.written, written.changed) == (True, False)


def test_equal_rows_have_one_content_id_whatever_a_null_hides(lake: Lake) -> None:
    """A computed null keeps the number it hides in memory; the digest must not see it."""
    said = samples([1.0, None, 3.0])
    hidden = samples([7.0, 1.0, 2.0, 3.0]).with_columns(
        value=pl.when(pl.col("value") != 2).then("value")
    )
    hidden = hidden.slice(1).with_columns(said["at"])
    assert hidden.equals(said)
    assert content_id(hidden) == content_id(said)
    first = lake.write(RAW_BELIMO_SAMPLES, said, day=DAY)
    assert not lake.write(RAW_BELIMO_SAMPLES, hidden, day=DAY).written
    assert first.after.content_id == content_id(said)


def test_a_null_and_a_zero_have_different_content_ids() -> None:
    ids = {content_id(samples(values)) for values in ([0.0, None], [None, 0.0], [0.0, 0.0])}
    assert len(ids) == 3
    assert content_id(samples([1.0], serial="")) != content_id(samples([1.0], serial=None))


def test_a_null_instant_has_a_content_id_of_its_own() -> None:
    row = {"point_id": ["p"], "at": [NOON], "value_wh": [1.0], "reason": ["zero"]}
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    frames = [
        pl.DataFrame(row | {"settled_by": [instant]}, schema=CORE_REGISTER_REJECTS.schema)
        for instant in (None, epoch)
    ]
    assert content_id(frames[0]) != content_id(frames[1])


def test_the_file_does_not_depend_on_how_the_rows_were_cut(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lake_module, parquet_module):
        monkeypatch.setattr(module, "ROW_GROUP", 4)
    frame = samples([float(n) if n % 3 else None for n in range(11)])
    whole = lake.write(RAW_BELIMO_SAMPLES, frame, day=DAY)
    path = lake.path(RAW_BELIMO_SAMPLES, day=DAY)
    content = path.read_bytes()
    path.unlink()
    parts = (frame.slice(start, length) for start, length in ((0, 1), (1, 6), (7, 0), (7, 4)))
    cut = lake.write(RAW_BELIMO_SAMPLES, parts, day=DAY)
    assert cut.after == whole.after
    assert path.read_bytes() == content
    assert content_id(frame) == whole.after.content_id


def test_rows_written_before_a_column_was_added_are_read_without_it(lake: Lake) -> None:
    path = lake.path(RAW_BELIMO_SAMPLES, day=DAY)
    path.parent.mkdir(parents=True)
    samples([1.0, 2.0]).drop("dataprofile").write_parquet(path)

    expected = samples([1.0, 2.0]).with_columns(dataprofile=pl.lit(None, pl.String))

    assert_frame_equal(lake.read(RAW_BELIMO_SAMPLES, day=DAY), expected)
    assert_frame_equal(lake.scan(RAW_BELIMO_SAMPLES).collect(), expected)
    assert_frame_equal(pl.concat(lake.blocks(RAW_BELIMO_SAMPLES, day=DAY)), expected)


@pytest.mark.parametrize("column", ["serial_number", "at"])
def test_rows_without_a_column_that_must_be_there_are_refused(lake: Lake, column: str) -> None:
    path = lake.path(RAW_BELIMO_SAMPLES, day=DAY)
    path.parent.mkdir(parents=True)
    samples([1.0]).drop(column).write_parquet(path)

    with pytest.raises(LakeError, match="columns are not those of raw_belimo__samples"):
        lake.read(RAW_BELIMO_SAMPLES, day=DAY)
    with pytest.raises(LakeError, match="columns are not those of raw_belimo__samples"):
        list(lake.blocks(RAW_BELIMO_SAMPLES, day=DAY))
    with pytest.raises(LakeError, match="columns are not those of raw_belimo__samples"):
        lake.scan(RAW_BELIMO_SAMPLES)


def test_a_frame_of_other_columns_is_refused_and_nothing_changes(lake: Lake) -> None:
    lake.write(RAW_BELIMO_SAMPLES, samples([1.0]), day=DAY)
    with pytest.raises(LakeError, match="expected columns"):
        lake.write(RAW_BELIMO_SAMPLES, samples([2.0]).drop("dataprofile"), day=DAY)
    assert lake.read(RAW_BELIMO_SAMPLES, day=DAY).equals(samples([1.0]))
    assert lake.leftovers() == []


def test_a_write_that_fails_half_way_leaves_the_old_file(lake: Lake) -> None:
    lake.write(RAW_BELIMO_SAMPLES, samples([1.0]), day=DAY)

    def frames() -> object:
        yield samples([2.0])
        raise ConnectionError("the vendor hung up")

    with pytest.raises(ConnectionError):
        lake.write(RAW_BELIMO_SAMPLES, frames(), day=DAY)  # type: ignore[arg-type]
    assert lake.read(RAW_BELIMO_SAMPLES, day=DAY).equals(samples([1.0]))
    assert lake.leftovers() == []


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign"])
def test_a_damaged_file_is_named_with_the_remedy(lake: Lake, damage: str) -> None:
    lake.write(RAW_BELIMO_SAMPLES, samples([1.0]), day=DAY)
    path = lake.path(RAW_BELIMO_SAMPLES, day=DAY)
    if damage == "foreign":
        pl.DataFrame({"a": [1]}).write_parquet(path)
    else:
        path.write_bytes(path.read_bytes()[: 40 if damage == "cut" else 0])
    with pytest.raises(LakeError, match=rf"{DAY}.*run its day again"):
        lake.footer(RAW_BELIMO_SAMPLES, day=DAY)
    with pytest.raises(LakeError, match=rf"{DAY}.*run its day again"):
        lake.read(RAW_BELIMO_SAMPLES, day=DAY)


def test_pages_damaged_below_a_sound_footer_are_an_error_that_names_the_file(lake: Lake) -> None:
    lake.write(RAW_BELIMO_SAMPLES, samples([float(n) for n in range(1000)]), day=DAY)
    path = lake.path(RAW_BELIMO_SAMPLES, day=DAY)
    content = bytearray(path.read_bytes())
    content[4:600] = bytes(596)
    path.write_bytes(content)
    with pytest.raises(LakeError, match="damaged"):
        lake.read(RAW_BELIMO_SAMPLES, day=DAY)


def test_scanning_leaves_out_days_without_a_file(lake: Lake) -> None:
    lake.write(RAW_BELIMO_SAMPLES, samples([1.0, 2.0]), day=DAY)
    days = ["2026-02-28", DAY]
    assert lake.scan(RAW_BELIMO_SAMPLES, days=days).collect().height == 2
    assert lake.scan(RAW_BELIMO_SAMPLES, days=["2026-02-28"]).collect().height == 0


def test_fingerprints_survive_the_footer(lake: Lake) -> None:
    fingerprint = {"core_readings": "abc", "rules": "energy-1 ü"}
    lake.write(
        RAW_BELIMO_SAMPLES,
        samples([1.0]),
        day=DAY,
        meta={FINGERPRINT: fingerprint_text(fingerprint)},
    )
    assert fingerprint_of(lake.footer(RAW_BELIMO_SAMPLES, day=DAY)) == fingerprint
    assert fingerprint_of(None) == {}
