"""Values and instants of vendors become columns without losing any."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.sources.columns import deduplicate, instants, split_values

if TYPE_CHECKING:
    import random

VALUES = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5)


def test_numbers_texts_and_booleans_are_told_apart() -> None:
    split = split_values([1, 0.0, "1.5", True, None, ["x"]])
    assert split.value.to_list() == [1.0, 0.0, None, None, None, None]
    assert split.value_text.to_list() == [None, None, "1.5", "true", None, '["x"]']


@given(st.lists(VALUES, max_size=30))
def test_no_value_is_lost_and_none_is_said_twice(values: list[object]) -> None:
    split = split_values(values)
    assert len(split.value) == len(split.value_text) == len(values)
    for said, number, text in zip(values, split.value, split.value_text, strict=True):
        assert (said is None) == (number is None and text is None)
        assert number is None or text is None


@given(
    st.lists(
        st.datetimes(
            min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
            max_value=datetime(2100, 1, 1),  # noqa: DTZ001
        ),
        max_size=20,
    ),
    st.sampled_from(["Z", "+00:00"]),
)
def test_instants_with_and_without_decimals_are_read_to_the_microsecond(
    said: list[datetime], zone: str
) -> None:
    parsed = instants([moment.isoformat() + zone for moment in said])
    assert parsed.to_list() == [moment.replace(tzinfo=UTC) for moment in said]


def test_an_offset_is_counted_not_dropped() -> None:
    parsed = instants(["2026-01-01T10:00:00+02:00", "2026-01-01T10:00:00.5Z"])
    assert parsed.to_list() == [
        datetime(2026, 1, 1, 8, tzinfo=UTC),
        datetime(2026, 1, 1, 10, 0, 0, 500_000, tzinfo=UTC),
    ]


@pytest.mark.parametrize("text", ["", "2026-01-01", "2026-01-01T10:00:00", "2026-13-01T00:00:00Z"])
def test_a_text_that_is_no_instant_is_shown(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601") as caught:
        instants(["2026-01-01T10:00:00Z", text])
    assert repr(text) in str(caught.value)


ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.none() | st.sampled_from([0.0, 1.0, 2.0]), st.none()),
    max_size=12,
)


@given(ROWS, st.randoms())
def test_settling_leaves_one_row_per_key_whatever_the_order(
    rows: list[tuple[int, float | None, None]], chance: random.Random
) -> None:
    schema = {"key": pl.Int64, "value": pl.Float64, "value_text": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    settled = deduplicate(frame, key=["key"])
    mixed = list(rows)
    chance.shuffle(mixed)
    other = deduplicate(pl.DataFrame(mixed, schema=schema, orient="row"), key=["key"])
    assert settled.frame.equals(other.frame)
    assert settled.frame["key"].to_list() == sorted({key for key, _, _ in rows})
    assert settled.frame.height + settled.duplicates + settled.conflicts == len(rows)
    for key, value, _ in settled.frame.iter_rows():
        said = [number for one, number, _ in rows if one == key]
        above_zero = [number for number in said if number]
        numbers = [number for number in said if number is not None]
        assert value == min(above_zero or numbers, default=None)
