"""Registers that run both ways, from the portfolio to the intervals."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl
import pytest

from energy_platform.lake.lake import Lake
from energy_platform.refresh import refresh
from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_REGISTER_REJECTS,
)
from energy_platform_tests.refresh.world import land, portfolio

if TYPE_CHECKING:
    from pathlib import Path

POINT = "socomec/N1/Global|0|1"

PORTFOLIO = """\
version: 1
sites:
  - {id: mill, name: Mill, timezone: Europe/Paris}
devices:
  - vendor: socomec
    serial: N1
    site: mill
    name: Net meter
    max_power_w: 50000
    points:
      - {key: Global|0|1, name: Net, quantity: active_energy_net, unit: Wh}
"""

SAID = {
    "2026-03-27": [5_000, 5_400, 5_100, 900, 0, -2_300],
    "2026-03-28": [-9_000, -9_000, -4_000, 0, 7_000, 6_500],
}
"""Down through zero, over midnight, up again; in the end it stands higher than it began."""


@pytest.mark.parametrize("until", ["2026-03-27", "2026-03-28"])
def test_the_energy_of_a_net_register_is_last_minus_first_though_it_falls(
    tmp_path: Path, until: str
) -> None:
    lake = Lake(tmp_path / "lake")
    said = [
        (POINT, day, minute * 180, float(value))
        for day, values in SAID.items()
        if day <= until
        for minute, value in enumerate(values)
    ]
    land(lake, said)
    refresh(lake, portfolio=portfolio(PORTFOLIO))
    deltas = lake.scan(CORE_ENERGY_DELTAS).sort("end_at").collect()
    steps = [after - before for (*_, before), (*_, after) in pairwise(said)]
    assert deltas["energy_wh"].to_list() == [0.0, *steps]
    assert deltas["energy_wh"].sum() == said[-1][-1] - said[0][-1]
    assert lake.scan(CORE_ENERGY_INTERVALS).select(pl.col("energy_wh").sum()).collect().item() == (
        pytest.approx(said[-1][-1] - said[0][-1], abs=1e-9)
    )
    assert lake.scan(CORE_REGISTER_REJECTS).collect().is_empty()


def test_a_bad_reading_of_a_net_register_and_the_way_back_cancel_out(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    said = [900_000.0, 900_100.0, 0.0, 900_300.0]
    land(lake, [(POINT, "2026-03-27", 5 * n, value) for n, value in enumerate(said)])
    refresh(lake, portfolio=portfolio(PORTFOLIO))
    assert lake.scan(CORE_ENERGY_DELTAS).collect()["energy_wh"].sum() == 300.0


def test_a_net_register_may_fall_to_a_thousandth_like_to_any_other_value(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    land(
        lake, [(POINT, "2026-03-27", 15 * n, v) for n, v in enumerate([5000.0, 1000.0, 1.0, 500.0])]
    )
    refresh(lake, portfolio=portfolio(PORTFOLIO))
    assert lake.scan(CORE_ENERGY_DELTAS).collect()["energy_wh"].sum() == -4500.0
