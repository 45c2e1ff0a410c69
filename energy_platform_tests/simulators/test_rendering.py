"""Two ways to the same bytes: small windows are formatted, large ones rendered by frames."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_platform.simulators.rendering import SMALL, points, rows
from energy_platform.simulators.world import Samples

START = 1_767_225_600


def decoded(text: bytes) -> list[dict[str, object]]:
    found: list[dict[str, object]] = msgspec.json.decode(b"[" + text + b"]")
    return found


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e15, 1e15) | st.just(float("nan")), max_size=20))
def test_numbers_come_back_exactly_whichever_way_they_were_rendered(numbers: list[float]) -> None:
    at = START + np.arange(len(numbers), dtype=np.int64) * 300
    small = decoded(points(Samples(at, np.array(numbers)), whole=False))
    padding = [0.0] * SMALL
    many = np.arange(len(numbers) + SMALL, dtype=np.int64) * 300 + START
    large = decoded(points(Samples(many, np.array(numbers + padding)), whole=False))
    assert small == large[: len(numbers)]
    expected = [None if math.isnan(number) else number for number in numbers]
    assert [one["value"] for one in small] == expected


@pytest.mark.parametrize("count", [3, SMALL + 3])
def test_whole_numbers_have_no_point_and_milliseconds_have_three_decimals(count: int) -> None:
    at = START + np.arange(count, dtype=np.int64)
    values = 9e12 + np.arange(count, dtype=np.float64)
    text = points(Samples(at, values), whole=True, stamp="timestamp", unit="ms")
    assert text.startswith(b'{"timestamp":"2026-01-01T00:00:00.000Z","value":9000000000000},')
    assert len(decoded(text)) == count


def test_nothing_renders_as_nothing() -> None:
    empty = Samples(np.empty(0, dtype=np.int64), np.empty(0))
    assert points(empty, whole=False) == b""
    assert rows(pl.DataFrame({"at": [], "value": []})) == b""
