"""A reviewed correction changes history by itself, from the readings to the published marts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import polars as pl
import pytest

from energy_platform.days import day_bounds
from energy_platform.lake.lake import Lake
from energy_platform.refresh import refresh, stale
from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_STATE,
)
from energy_platform.simulators.world import Event, Signal, World
from energy_platform.transforms.quality import word_swaps
from energy_platform.warehouse import DELIVERY, Warehouse
from energy_platform_tests.refresh.simulated import land_signals, portfolio_of
from energy_platform_tests.refresh.world import (
    DAYS,
    METER,
    STEP,
    changed,
    core_bytes,
    fresh_lake,
    land,
    portfolio,
    steady,
)
from energy_platform_tests.warehouse.warehouse_world import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.portfolio import Portfolio


def corrected(text: str) -> Portfolio:
    return portfolio(more=f"corrections:\n  - {{reason: reviewed, timezone: UTC, {text}}}\n")


def energy(lake: Lake, point_id: str, *, day: str | None = None) -> float:
    days = None if day is None else [day]
    own = lake.scan(CORE_ENERGY_DELTAS, days=days).filter(pl.col("point_id") == point_id)
    return float(own.collect()["energy_wh"].sum())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return fresh_lake(Lake(tmp_path / "lake"), steady())


@pytest.mark.parametrize(
    ("what", "gained"),
    [("factor: 3", 120.0), ("drop: true", -60.0), ("offset: 100", 100.0)],
)
def test_a_corrected_increment_changes_the_energy_of_its_own_hour(
    lake: Lake, what: str, gained: float
) -> None:
    before = {day: energy(lake, STEP, day=day) for day in DAYS}
    window = "from: 2026-03-04T09:30:00Z, to: 2026-03-04T10:30:00Z"
    done = refresh(lake, portfolio=corrected(f"points: ['{STEP}'], {what}, {window}"))
    after = {day: energy(lake, STEP, day=day) for day in DAYS}
    assert after == {**before, DAYS[3]: before[DAYS[3]] + gained}
    assert set(changed(done)) == set(DAYS[3:])
    assert all(names == {CORE_REGISTER_STATE.name} for names in list(changed(done).values())[1:])
    reasons = lake.read(CORE_READINGS, day=DAYS[3])["reason"].drop_nulls().to_list()
    assert reasons == ["dropped_by_correction" if "drop" in what else "corrected: reviewed"]


def test_a_correction_of_a_register_moves_energy_between_its_steps_and_loses_none(
    lake: Lake,
) -> None:
    whole = energy(lake, METER)
    window = "from: 2026-03-04T09:30:00Z, to: 2026-03-04T10:30:00Z"
    refresh(lake, portfolio=corrected(f"points: ['{METER}'], offset: 40, {window}"))
    steps = lake.read(CORE_ENERGY_DELTAS, day=DAYS[3]).filter(pl.col("point_id") == METER)
    assert steps["energy_wh"].to_list()[9:12] == [600.0, 640.0, 560.0]
    assert energy(lake, METER) == whole


def test_taking_a_correction_back_restores_every_file(lake: Lake) -> None:
    before = core_bytes(lake)
    refresh(lake, portfolio=corrected(f"points: ['{METER}'], drop: true, to: 2026-03-05"))
    assert core_bytes(lake) != before
    refresh(lake, portfolio=portfolio())
    assert core_bytes(lake) == before


def test_a_policy_of_some_days_holds_on_those_utc_days_only(tmp_path: Path) -> None:
    """Two equal resets, one on a day whose policy says that a fall is worth nothing."""
    samples = []
    for point_id, day, minute, value in steady():
        if point_id != METER:
            continue
        past = DAYS.index(day) * 1440 + minute
        level = value
        for reset_at in (2 * 1440 + 720, 4 * 1440 + 720):
            if past >= reset_at:
                level = 10.0 * (past - reset_at) + 70
        samples.append((point_id, day, minute, level))
    lake = Lake(tmp_path / "lake")
    land(lake, samples)
    refresh(lake, portfolio=portfolio())
    plain = energy(lake, METER)
    one_day = f"points: ['{METER}'], policy: {{on_fall: zero}}, from: 2026-03-03, to: 2026-03-04"
    done = refresh(lake, portfolio=corrected(one_day))
    falls = (
        lake.scan(CORE_ENERGY_DELTAS)
        .filter(pl.col("status") == "reset")
        .sort("end_at")
        .select("energy_wh", "reason")
        .collect()
        .rows()
    )
    # The reset is confirmed by its third reading, two hours after the first.
    assert falls == [(1200.0, "zero"), (1270.0, "count_after")]
    assert energy(lake, METER) == plain - 70
    assert next(day.day for day in done.days) == DAYS[2]
    assert stale(lake, corrected(one_day)) == ()


def test_late_data_inside_a_gap_of_days_reaches_every_bucket_in_between(tmp_path: Path) -> None:
    samples = [s for s in steady() if s[0] == METER]
    inside = (METER, DAYS[3], 720, 5_000.0 + 10 * (3 * 1440 + 720) + 3_000)
    lake = fresh_lake(Lake(tmp_path / "lake"), [s for s in samples if s[1] not in DAYS[2:6]])
    before = _daily(lake)
    land(lake, [inside])
    refresh(lake, portfolio=portfolio())
    after = _daily(lake)
    differing = {day for day in before if before[day] != after[day]}
    assert differing == set(DAYS[1:6])
    assert sum(after.values()) == sum(before.values())


def _daily(lake: Lake) -> dict[str, float]:
    rows = (
        lake.scan(CORE_ENERGY_INTERVALS)
        .group_by(pl.col("interval_start").dt.strftime("%Y-%m-%d").alias("day"))
        .agg(pl.col("energy_wh").sum().round(6))
        .collect()
        .iter_rows()
    )
    return dict(rows)


@pytest.mark.long
def test_swapped_words_are_explained_repaired_and_shown_in_the_marts(tmp_path: Path) -> None:
    world = World()
    swapped = next(one for one in world.signals.values() if "word_swapped" in one.traits)
    meter = world.signals["socomec/SN000001/Global|0|130101"]
    days = DAYS[:3]
    lake = Lake(tmp_path / "lake")
    land_signals(lake, [swapped, meter], days=days)
    refresh(lake, portfolio=portfolio_of(world))
    assert energy(lake, swapped.key) == 0.0
    explained = word_swaps(lake.read(CORE_READINGS, day=days[1])).row(0, named=True)
    assert explained["point_id"] == swapped.key
    assert explained["raw_value"] * explained["factor"] == explained["repaired"]

    warehouse = Warehouse(data_dir=tmp_path, lake=lake, dbt_project_dir=PROJECT)
    nothing = pl.DataFrame(schema=DELIVERY)
    warehouse.build(portfolio_of(world), delivery=nothing)
    repaired = portfolio_of(
        world,
        more=(
            "corrections:\n"
            f"  - {{points: ['{swapped.key}'], reason: words were swapped,\n"
            f"     factor: {explained['factor']!r}, from: {days[1]},\n"
            # What is left are whole kilowatt-hours, seen more often than one passes.
            "     policy: {resolution_wh: 1000}}\n"
        ),
    )
    refresh(lake, portfolio=repaired)
    warehouse.build(repaired, delivery=nothing)
    warehouse.publish()
    with duckdb.connect(str(warehouse.published_file), read_only=True) as db:
        rows = db.execute(
            "select local_day::varchar, quarantined_samples > 0, corrected_samples > 0 "
            "from fct_quality_daily where point_id = ? and received_samples > 0 order by 1",
            [swapped.key],
        ).fetchall()
        others = db.execute(
            "select sum(corrected_samples) from fct_quality_daily where point_id = ?", [meter.key]
        ).fetchone()
        total = db.execute(
            "select sum(energy_wh) from fct_energy_daily where point_id = ?", [swapped.key]
        ).fetchone()
    assert [row for row in rows if row[2]], rows
    assert rows[0][1:] == (True, False)
    assert rows[-1][1:] == (False, True)
    assert others == (0,)
    assert total is not None
    last, first = _first_and_last(swapped, days[1:])
    assert total[0] == pytest.approx((last - first) / 65_536 * 1000, rel=1e-9)


def _first_and_last(signal: Signal, days: list[str]) -> tuple[float, float]:
    values = signal.samples(*_bounds(days)).values
    return float(values[-1]), float(values[0])


def test_an_event_of_the_simulators_that_is_announced_becomes_an_exact_exchange(
    tmp_path: Path,
) -> None:
    """A reviewed marker turns a guessed reset into the energy both meters counted."""
    world = World()
    meter = world.signals["socomec/SN000001/Global|0|130101"]
    at = day_bounds(DAYS[1])[0] + timedelta(hours=9, minutes=10)
    final = float(meter.values_at(np.array([int(at.timestamp())]))[0])
    world.add_event(Event(meter.key, "exchange", at, None, 500.0))
    lake = Lake(tmp_path / "lake")
    land_signals(lake, [meter], days=DAYS[:3])
    refresh(lake, portfolio=portfolio_of(world))
    guessed = energy(lake, meter.key)
    marker = (
        "corrections:\n"
        f"  - {{points: ['{meter.key}'], reason: the meter was exchanged,\n"
        f"     policy: {{reset_markers: [{{at: '{at.isoformat()}', final_wh: {final},\n"
        "       start_wh: 500}]}}\n"
    )
    refresh(lake, portfolio=portfolio_of(world, more=marker))
    exact = energy(lake, meter.key)
    values = meter.samples(*_bounds(DAYS[:3])).values
    assert exact == (final - values[0]) + (values[-1] - 500)
    assert exact != guessed


def _bounds(days: list[str]) -> tuple[float, float]:
    return day_bounds(days[0])[0].timestamp(), day_bounds(days[-1])[1].timestamp()


def test_accepting_what_was_refused_books_it_on_its_day_and_can_be_taken_back(
    tmp_path: Path,
) -> None:
    jump = 5_000_000.0
    samples = [
        (point_id, day, minute, value + (jump if (day, minute) >= (DAYS[3], 600) else 0.0))
        for point_id, day, minute, value in steady()
        if point_id == METER
    ]
    lake = Lake(tmp_path / "lake")
    land(lake, samples)
    refresh(lake, portfolio=portfolio())
    before, files = energy(lake, METER), core_bytes(lake)
    (row,) = lake.scan(CORE_ENERGY_DELTAS).filter(pl.col("refused_wh") != 0).collect().to_dicts()
    span = "from: 2026-03-04, to: 2026-03-05"
    entry = f"accept:\n  - {{points: ['{METER}'], reason: it was real, {span}}}\n"
    done = refresh(lake, portfolio=portfolio(more=entry))
    assert CORE_ENERGY_DELTAS.name in changed(done)[DAYS[3]]
    assert not set(DAYS[:2]) & set(changed(done))
    (now,) = (
        lake.scan(CORE_ENERGY_DELTAS).filter(pl.col("reason") == "accepted").collect().to_dicts()
    )
    assert (now["end_at"], now["status"], now["refused_wh"]) == (row["end_at"], "gap", 0.0)
    assert now["energy_wh"] == row["energy_wh"] + row["refused_wh"]
    assert energy(lake, METER) == before + row["refused_wh"]
    spread = lake.scan(CORE_ENERGY_INTERVALS).select(pl.col("refused_wh", "energy_wh").sum())
    assert spread.collect().rows() == [(0.0, before + row["refused_wh"])]
    refresh(lake, portfolio=portfolio())
    assert core_bytes(lake) == files
