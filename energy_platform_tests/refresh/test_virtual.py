"""Virtual points follow their parts: alike in any order of loading, and only where it matters."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_platform.explain import explain
from energy_platform.lake.lake import Lake
from energy_platform.refresh import refresh, stale
from energy_platform.schemas import (
    CORE_ENERGY_INTERVALS,
    CORE_VIRTUAL_DELTAS,
    CORE_VIRTUAL_INTERVALS,
    CORE_VIRTUAL_READINGS,
    VIRTUAL_TABLES,
)
from energy_platform_tests.refresh.test_properties import HISTORIES, histories
from energy_platform_tests.refresh.world import (
    BATTERY,
    DAYS,
    METER,
    PORTFOLIO,
    SOLAR,
    STEP,
    VALVE,
    core_bytes,
    land,
    portfolio,
    rewritten,
    steady,
)

if TYPE_CHECKING:
    from energy_platform.portfolio import Portfolio
    from energy_platform_tests.refresh.world import Sample

USE: Final = "virtual/mill/use"
REST: Final = "virtual/mill/rest"
LOAD: Final = "virtual/mill/load"

VIRTUAL: Final = f"""\
  - vendor: virtual
    serial: mill
    site: mill
    name: Sums
    points:
      - key: use
        name: Use
        quantity: active_energy_net
        of: ["{METER}", "{SOLAR}", {{point: "{STEP}", factor: -0.5}}]
      - key: rest
        name: Rest
        quantity: active_energy_net
        of: ["{USE}", {{point: "{METER}", factor: -2}}, {{constant: 60}}]
      - key: load
        name: Load
        quantity: active_power
        of: ["{BATTERY}", {{constant: 500}}]
"""

LEAVES: Final = {
    USE: {METER: 1.0, SOLAR: 1.0, STEP: -0.5},
    REST: {METER: -1.0, SOLAR: 1.0, STEP: -0.5},
}

WITH: Final = portfolio(PORTFOLIO + VIRTUAL)
WITHOUT: Final = portfolio()


def virtual_bytes(lake: Lake) -> dict[tuple[str, str], bytes]:
    return {
        (table.name, day): lake.path(table, day=day).read_bytes()
        for table in VIRTUAL_TABLES
        for day in lake.days(table)
    }


def refreshed_lake(
    folder: Path, *loads: list[Sample], of: Portfolio = WITH, days: tuple[str, ...] = ()
) -> Lake:
    lake = Lake(folder)
    for samples in loads:
        land(lake, samples, days=days)
        refresh(lake, portfolio=of)
    return lake


def by_bucket(lake: Lake, table: object = CORE_ENERGY_INTERVALS) -> pl.DataFrame:
    """Return energy and coverage per point and bucket, over all files."""
    key = ["point_id", "interval_start"]
    sums = pl.col("energy_wh", "covered_s").sum()
    return lake.scan(table).group_by(key).agg(sums).collect()  # type: ignore[arg-type]


def is_the_sum(lake: Lake) -> None:
    """Assert that virtual energies are, per bucket, the sums over their parts, or unknown."""
    parts = {
        (point, at): (energy, covered) for point, at, energy, covered in by_bucket(lake).iter_rows()
    }
    virtual = {
        (point, at): (energy, covered)
        for point, at, energy, covered in by_bucket(lake, CORE_VIRTUAL_INTERVALS).iter_rows()
    }
    instants = {at for _, at in parts}
    for point, leaves in LEAVES.items():
        for at in instants:
            known = {leaf: parts[leaf, at] for leaf in leaves if (leaf, at) in parts}
            assert ((point, at) in virtual) == (known.keys() == leaves.keys())
            if (point, at) in virtual:
                energy, covered = virtual[point, at]
                least = min(900.0, *(one[1] for one in known.values()))
                expected = sum(leaves[leaf] * one[0] for leaf, one in known.items())
                constant = 60.0 * least / 3600 if point == REST else 0.0
                assert covered == pytest.approx(least)
                assert energy == pytest.approx(expected + constant, rel=1e-12, abs=1e-6)
    assert {at for _, at in virtual} <= instants


def test_sums_differences_factors_and_constants(tmp_path: Path) -> None:
    lake = refreshed_lake(tmp_path, steady(DAYS[:2]))
    is_the_sum(lake)
    assert stale(lake, WITH) == ()
    bucket = by_bucket(lake, CORE_VIRTUAL_INTERVALS).filter(
        pl.col("interval_start").dt.strftime("%F %H:%M") == "2026-03-01 06:00"
    )
    hour = {point: 4 * energy for point, _, energy, _ in bucket.iter_rows()}
    # 600 Wh of the meter, 937.5 Wh of the sun, half of 60 Wh.
    assert hour == {USE: 1_507.5, REST: 367.5}
    (power,) = (
        lake.scan(CORE_VIRTUAL_READINGS)
        .filter(pl.col("at").dt.strftime("%F %H:%M") == "2026-03-01 06:00")
        .collect()
        .iter_rows(named=True)
    )
    assert (power["point_id"], power["value"], power["unit"]) == (LOAD, 2_500.0, "W")


def test_steps_hold_the_energy_of_whole_quarter_hours(tmp_path: Path) -> None:
    lake = refreshed_lake(tmp_path, steady(DAYS[:3]))
    steps = lake.scan(CORE_VIRTUAL_DELTAS).filter(pl.col("point_id") == USE).collect()
    assert steps["energy_wh"].sum() == pytest.approx(
        by_bucket(lake, CORE_VIRTUAL_INTERVALS).filter(pl.col("point_id") == USE)["energy_wh"].sum()
    )
    gaps = steps.sort("end_at").select(
        (pl.col("start_at") - pl.col("end_at").shift(1)).drop_nulls().unique()
    )
    assert gaps.height == 1, "each step begins where the one before ended, over midnights too"


def test_what_is_there_without_virtual_points_stays_byte_for_byte(tmp_path: Path) -> None:
    with_them = refreshed_lake(tmp_path / "with", steady(DAYS[:3]))
    without = refreshed_lake(tmp_path / "without", steady(DAYS[:3]), of=WITHOUT)
    assert core_bytes(with_them) == core_bytes(without)
    assert virtual_bytes(without) == {}
    before = core_bytes(without)
    done = refresh(without, portfolio=WITH)
    assert core_bytes(without) == before
    assert all(tables <= {t.name for t in VIRTUAL_TABLES} for tables in rewritten(done).values())
    assert virtual_bytes(without) == virtual_bytes(with_them)


def test_a_changed_part_makes_its_days_again_and_no_others(tmp_path: Path) -> None:
    lake = refreshed_lake(tmp_path, steady(DAYS[:5]))
    before = virtual_bytes(lake)
    late = [
        (point, day, minute + (point == METER and day == DAYS[2]), value)
        for point, day, minute, value in steady(DAYS[:5])
        if day == DAYS[2]
    ]
    land(lake, late)
    refresh(lake, portfolio=WITH)
    is_the_sum(lake)
    after = virtual_bytes(lake)
    changed = {day for day in DAYS[:5] if lake_rows(before, day) != lake_rows(after, day)}
    assert changed == {DAYS[2]}
    assert refresh(lake, portfolio=WITH).days == ()


def lake_rows(files: dict[tuple[str, str], bytes], day: str) -> list[object]:
    from io import BytesIO  # noqa: PLC0415 - of this helper alone

    return [
        pl.read_parquet(BytesIO(content)).rows()
        for (_, of_day), content in sorted(files.items())
        if of_day == day
    ]


def test_a_day_that_brings_the_same_leaves_the_day_before_as_it_is(tmp_path: Path) -> None:
    samples = steady(DAYS[:3])
    morning = [one for one in samples if one[1] != DAYS[2] or one[2] <= 360]
    lake = refreshed_lake(tmp_path, morning)
    land(lake, samples)
    done = refresh(lake, portfolio=WITH)
    assert [day.day for day in done.days] == [DAYS[2]]


def test_a_silent_part_leaves_its_sum_unknown_until_it_shows_all(tmp_path: Path) -> None:
    silent = set(DAYS[1:4])
    samples = [one for one in steady(DAYS[:5]) if one[0] != SOLAR or one[1] not in silent]
    until = [one for one in samples if one[1] < DAYS[4]]
    lake = refreshed_lake(tmp_path / "a", until)
    rows = by_bucket(lake, CORE_VIRTUAL_INTERVALS)
    assert rows.filter(pl.col("interval_start").dt.strftime("%F").is_in(list(silent))).height == 0
    land(lake, samples)
    done = refresh(lake, portfolio=WITH)
    assert {*DAYS[:5]} == {day.day for day in done.days}
    is_the_sum(lake)
    at_once = refreshed_lake(tmp_path / "b", samples)
    assert virtual_bytes(lake) == virtual_bytes(at_once)
    use = lake.scan(CORE_VIRTUAL_DELTAS, days=[DAYS[2]]).filter(pl.col("point_id") == USE)
    assert use.select("status", "estimated").collect().rows() == [("gap", True)]


def test_a_pass_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    samples = steady(DAYS[:3])
    whole = refreshed_lake(tmp_path / "whole", samples)
    lake = refreshed_lake(tmp_path / "killed", [one for one in samples if one[1] < DAYS[2]])
    land(lake, samples)

    class KilledError(Exception):
        pass

    def kill(_: object) -> None:
        raise KilledError

    for _ in range(8):
        try:
            refresh(lake, portfolio=WITH, on_day=kill)
        except KilledError:
            continue
        break
    assert stale(lake, WITH) == ()
    assert virtual_bytes(lake) == virtual_bytes(whole)


def test_points_that_are_edited_or_removed_leave_nothing_behind(tmp_path: Path) -> None:
    lake = refreshed_lake(tmp_path / "a", steady(DAYS[:2]))
    edited = portfolio(PORTFOLIO + VIRTUAL.replace("factor: -0.5", "factor: -1"))
    assert stale(lake, edited)
    refresh(lake, portfolio=edited)
    assert virtual_bytes(lake) == virtual_bytes(
        refreshed_lake(tmp_path / "b", steady(DAYS[:2]), of=edited)
    )
    refresh(lake, portfolio=WITHOUT)
    assert stale(lake, WITHOUT) == ()
    assert all(lake.scan(table).collect().height == 0 for table in VIRTUAL_TABLES)


def test_a_damaged_virtual_file_is_made_again(tmp_path: Path) -> None:
    lake = refreshed_lake(tmp_path, steady(DAYS[:2]))
    before = virtual_bytes(lake)
    for table in VIRTUAL_TABLES:
        lake.path(table, day=DAYS[0]).write_bytes(b"PAR1 not any more")
    assert [one.day for one in stale(lake, WITH)] == [DAYS[0]]
    refresh(lake, portfolio=WITH)
    assert virtual_bytes(lake) == before


SAMPLES: Final = st.lists(
    st.tuples(
        st.sampled_from([METER, SOLAR, STEP]),
        st.sampled_from(DAYS[:4]),
        st.sampled_from([0, 7, 300, 846, 1_435]),
    ),
    unique=True,
    max_size=40,
)


@settings(histories, max_examples=max(HISTORIES // 2, 1))
@given(chosen=SAMPLES, order=st.permutations(DAYS[:4]), split=st.integers(0, 40))
def test_however_the_days_came_the_sums_are_the_same(
    chosen: list[tuple[str, str, int]], order: list[str], split: int
) -> None:
    def value(point: str, day: str, minute: int) -> float:
        past = DAYS.index(day) * 1440 + minute
        return {METER: 5_000.0 + 8 * past, SOLAR: 12.5 + past / 64, STEP: 16.0}[point]

    samples = [(*one, value(*one)) for one in chosen] + [(VALVE, DAYS[0], 3, 7.2e6)]
    with TemporaryDirectory() as folder:
        at_once = refreshed_lake(Path(folder) / "once", samples)
        is_the_sum(at_once)
        assert stale(at_once, WITH) == ()
        by_days = [[one for one in samples if one[1] == day] for day in order]
        loads = [load for load in by_days if load]
        first = samples[:split]
        if loads and first:
            day = loads[0][0][1]
            loads = [[one for one in first if one[1] == day] or loads[0], *loads]
        in_parts = refreshed_lake(Path(folder) / "parts", *loads)
        is_the_sum(in_parts)
        assert core_bytes(in_parts) == core_bytes(at_once)
        assert virtual_bytes(in_parts) == virtual_bytes(at_once)


def test_explain_names_the_parts_and_their_figures(tmp_path: Path) -> None:
    lake = refreshed_lake(tmp_path, steady(DAYS[:4]))
    chain = explain(lake, WITH, point_id=REST, day=DAYS[1])
    assert [(one.point_id, one.factor) for one in chain.parts] == [(USE, 1.0), (METER, -2.0)]
    made = sum(one.factor * (one.amount or 0.0) for one in chain.parts) + 24 * chain.constant_w
    assert chain.amount == pytest.approx(made)
    assert (chain.covered_s, chain.constant_w) == (86_400.0, 60.0)
    assert chain.closed_by is not None
    assert {one.description for one in chain.steps} == {
        f"ok: the sum of what its parts bring to the quarter-hour → {91.875:,.6g} Wh"
    }
    assert chain.as_json()["parts"][0]["energy_wh"] == chain.parts[0].amount
    below = explain(lake, WITH, point_id=USE, day=DAYS[1])
    assert below.amount == chain.parts[0].amount
    assert [one.point_id for one in below.parts] == [METER, SOLAR, STEP]
    power = explain(lake, WITH, point_id=LOAD, day=DAYS[1])
    assert power.parts[0].amount == pytest.approx(500.0)
    assert {one.value for one in power.samples} == {2_500.0, -500.0}
