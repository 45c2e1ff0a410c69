"""Durations mean the same wherever they are typed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.durations import format_duration, parse_duration
from energy_platform.portfolio import load_portfolio
from energy_platform.transforms.intervals import width_of

if TYPE_CHECKING:
    from pathlib import Path

PORTFOLIO = """
version: 1
sites: [{id: paris, name: Paris, timezone: Europe/Paris}]
devices:
  - vendor: socomec
    serial: SN1
    site: paris
    name: meter
    points: [{key: P, name: power, quantity: active_power, unit: W, every: EVERY}]
"""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15m", 900), ("0.25h", 900), ("15min", 900), (".25h", 900), ("900s", 900), ("1d", 86_400)],
)
def test_a_duration_is_the_same_length_wherever_it_is_typed(
    tmp_path: Path, text: str, seconds: int
) -> None:
    (tmp_path / "portfolio.yaml").write_text(PORTFOLIO.replace("EVERY", text), encoding="utf-8")
    (point,) = load_portfolio(tmp_path / "portfolio.yaml").points.values()
    assert point.every == width_of(text) == parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "15", "m", "-5m", "1 m", "1e3s", "nan s", "0h", "400d", "9" * 400 + "s", "5 weeks"]
)
def test_what_is_not_a_duration_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer than a year") as caught:
        parse_duration(text)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("seconds", [1.5, 30, 60, 90, 900, 3600, 86_400])
def test_a_duration_that_is_written_is_read_back(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)).total_seconds() == seconds
