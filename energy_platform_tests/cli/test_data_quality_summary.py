"""What the demo's summary says of data quality: the right point, the right day, ready to paste."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from typer.testing import CliRunner

from energy_platform.cli.app import app
from energy_platform.cli.data_quality_summary import data_quality_summary
from energy_platform.days import day_range
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import parse_portfolio
from energy_platform.refresh import refresh
from energy_platform.schemas import CORE_ENERGY_DELTAS
from energy_platform.simulators.demo_events import demo_events
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.world import World
from energy_platform_tests.refresh.simulated import land_signals
from energy_platform_tests.refresh.world import energy_by_point

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from energy_platform.portfolio import Portfolio
    from energy_platform.simulators.world import Event

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = day_range("2026-03-02", "2026-03-07")
EVENTS = demo_events(start=START, days=len(DAYS))

DEAD_METER = "skycentrics/1000000001/Feeder_[0006]_kWh_Energy"
RARELY_READ = "belimo/22023-50161-123-007/evcloud.200"


def demo(folder: Path, *, events: Iterable[Event] = EVENTS) -> tuple[Lake, Portfolio, World]:
    """Make the derived days of the registers that something happens to, and of two odd ones."""
    world, events = World(), tuple(events)
    text = demo_portfolio(world, events=events)
    for event in events:
        world.add_event(event)
    lake = Lake(folder / "data" / "lake")
    keys = {DEAD_METER, RARELY_READ, *(event.signal for event in EVENTS)}
    land_signals(lake, [world.signals[key] for key in sorted(keys)], days=DAYS)
    (folder / "portfolio.yaml").write_text(text, encoding="utf-8")
    portfolio = parse_portfolio(text)
    refresh(lake, portfolio=portfolio)
    return lake, portfolio, world


def test_all_that_was_set_right_is_counted_and_its_command_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, portfolio, _ = demo(tmp_path)
    found = data_quality_summary(lake, portfolio)
    assert [one.description for one in found] == [
        "1 reset",
        "1 exchange",
        "4 rejected readings",
        "2 gaps",
    ]
    assert [one.day for one in found] == ["2026-03-03", "2026-03-04", "2026-03-05", "2026-03-06"]
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", str(tmp_path / "portfolio.yaml"))
    for one in found:
        _, *words = shlex.split(one.command)
        shown = CliRunner().invoke(app, words)
        assert shown.exit_code == 0
        assert f"{one.kind}: " in shown.stdout, one.command
        if one.kind == "exchange":
            assert "Wh to 200 Wh]" in shown.stdout, "the announced registers are read by people"


def test_a_dead_meter_and_one_that_is_rarely_read_are_not_named(tmp_path: Path) -> None:
    lake, portfolio, _ = demo(tmp_path, events=())
    assert lake.scan(CORE_ENERGY_DELTAS).filter(pl.col("status") == "gap").collect().height > 10
    assert data_quality_summary(lake, portfolio) == ()


def test_no_event_of_the_demo_costs_energy_but_what_the_reset_register_forgot(
    tmp_path: Path,
) -> None:
    lake, _, world = demo(tmp_path)
    energy = energy_by_point(lake)
    for event in EVENTS:
        signal = world.signals[event.signal]
        at = signal.samples(START.timestamp(), START.timestamp() + len(DAYS) * 86_400).at
        truth = signal.true_energy_wh(float(at[0]), float(at[-1]))
        before = event.start.timestamp() - 300
        forgot = signal.true_energy_wh(before, event.start_s) if event.kind == "reset" else 0.0
        count = 10.0
        assert -forgot - 2 * count <= energy[event.signal] - truth <= 2 * count, event


@pytest.mark.parametrize("days", [1, 2, 4, 7, 30])
def test_events_lie_inside_the_demo_however_short_it_is(days: int) -> None:
    events = demo_events(start=START, days=days)
    assert {event.kind for event in events} == {"reset", "exchange", "zeros", "spike", "gap"}
    assert len({event.signal for event in events}) == len(events), "one point, one event"
    for event in events:
        assert START <= event.start < START + timedelta(days=days)
        assert event.end is None or event.end < START + timedelta(days=days)
