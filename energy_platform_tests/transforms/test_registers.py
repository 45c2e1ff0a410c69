"""Readings of a portfolio's points become energy: registers, increments, powers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
    violations,
)
from energy_platform.transforms.consumption import consumption_intervals, split_consumption
from energy_platform.transforms.intervals import energy_intervals
from energy_platform.transforms.policy import CounterPolicy
from energy_platform.transforms.registers import compute_energy, register_readings
from energy_platform_tests.transforms.histories import PROPERTY, QUARTER, START

if TYPE_CHECKING:
    from energy_platform.transforms.counters import EnergyDeltas

POINTS = pl.DataFrame(
    [
        ("meter", "active_energy_import", "kWh", "register", False, None),
        ("valve", "heating_energy", "J", "register", False, None),
        ("water", "volume", "m³", "register", False, None),
        ("reactive", "reactive_energy_import", "kvarh", "register", False, None),
        ("stored", "stored_energy", "kWh", "gauge", False, None),
        ("delta", "active_energy_import", "kWh", "increment", False, 900.0),
        ("delta_without_pace", "active_energy_import", "kWh", "increment", False, None),
        ("battery", "active_power", "kW", "gauge", True, None),
        ("load", "active_power", "kW", "gauge", False, None),
    ],
    schema={
        "point_id": pl.String,
        "quantity": pl.String,
        "unit": pl.String,
        "kind": pl.String,
        "energy_from_power": pl.Boolean,
        "every_s": pl.Float64,
    },
    orient="row",
)


def readings(point_id: str, *values: float | None, start: datetime = START) -> pl.DataFrame:
    """Return believed readings every quarter of an hour; None leaves an instant out."""
    rows: list[dict[str, Any]] = [
        {
            "point_id": point_id,
            "at": start + n * QUARTER,
            "quantity": "other",
            "value": value,
            "unit": "Wh",
            "status": "ok",
        }
        for n, value in enumerate(values)
        if value is not None
    ]
    return pl.DataFrame(rows, schema=CORE_READINGS.schema)


def energies(result: EnergyDeltas, point_id: str) -> list[tuple[str, float | None]]:
    rows = result.deltas.filter(pl.col("point_id") == point_id)
    return rows.select("status", "energy_wh").rows()


def keep_contracts(result: EnergyDeltas) -> None:
    tables = (CORE_ENERGY_DELTAS, CORE_REGISTER_STATE, CORE_REGISTER_REJECTS)
    for rows, table in zip(result, tables, strict=True):
        assert not violations(rows, table=table)


def test_everything_that_counts_goes_through_the_same_rule() -> None:
    every = pl.concat([readings(p, 1.0, 2.0) for p in POINTS["point_id"]])
    result = compute_energy(every, points=POINTS)
    keep_contracts(result)
    methods = dict(result.deltas.select("point_id", "method").unique().iter_rows())
    assert methods == {
        "meter": "register",
        "valve": "register",
        "delta": "increment",
        "delta_without_pace": "increment",
        "battery": "power",
        "water": "register",
        "reactive": "register",
    }


def test_what_is_no_energy_stands_apart_with_its_unit() -> None:
    rows = pl.concat(
        [
            readings("meter", 1000.0, 1010.0),
            readings("water", 7.25, 7.5, 8.0).with_columns(unit=pl.lit("m³")),
            readings("reactive", 100.0, 130.0).with_columns(unit=pl.lit("varh")),
        ]
    )
    every = compute_energy(rows, points=POINTS).deltas
    energy, consumption = split_consumption(every, readings=rows, points=POINTS)
    assert energy["point_id"].unique().to_list() == ["meter"]
    assert not violations(energy, table=CORE_ENERGY_DELTAS)
    assert not violations(consumption, table=CORE_CONSUMPTION_DELTAS)
    counted = consumption.group_by("point_id", "quantity", "unit").agg(pl.col("consumption").sum())
    assert sorted(counted.rows()) == [
        ("reactive", "reactive_energy_import", "varh", 30.0),
        ("water", "volume", "m³", 0.75),
    ]
    buckets = consumption_intervals(consumption, spread=energy_intervals)
    assert not violations(buckets, table=CORE_CONSUMPTION_INTERVALS)
    assert buckets.filter(pl.col("unit") == "m³")["consumption"].to_list() == [0.25, 0.5]


def test_litres_are_differenced_in_whole_litres() -> None:
    points = POINTS.with_columns(unit=pl.when(pl.col("point_id") == "water").then(pl.lit("l")))
    litres = range(123_456, 123_466)
    result = compute_energy(readings("water", *(n / 1000 for n in litres)), points=points)
    assert result.deltas["energy_wh"].to_list() == [0.0, *[1 / 1000] * 9]


def test_quarantined_readings_never_become_energy() -> None:
    rows = readings("meter", 1000.0, 5_000_000.0, 1010.0)
    rows = rows.with_columns(
        status=pl.when(pl.col("value") > 2000).then(pl.lit("quarantined")).otherwise("status")
    )
    assert energies(compute_energy(rows, points=POINTS), "meter") == [
        ("first", 0.0),
        ("ok", 10.0),
    ]


def test_valves_are_differenced_in_whole_joules() -> None:
    joules = [987_654_321_000.0, 987_654_321_007.0, 987_654_321_014.0]
    found = register_readings(readings("valve", *(j / 3600 for j in joules)), points=POINTS)
    assert found["counts_per_wh"].unique().item() == 3600.0
    result = compute_energy(readings("valve", *(j / 3600 for j in joules)), points=POINTS)
    assert energies(result, "valve") == [("first", 0.0), ("ok", 7 / 3600), ("ok", 7 / 3600)]


def test_increments_are_never_differenced() -> None:
    result = compute_energy(readings("delta", 100.0, 100.0, 0.0, 250.0), points=POINTS)
    assert energies(result, "delta") == [("ok", 100.0), ("ok", 100.0), ("ok", 0.0), ("ok", 250.0)]
    assert result.deltas["start_at"].to_list() == [START + n * QUARTER for n in range(-1, 3)]


def test_a_missing_increment_leaves_a_hole_and_not_a_longer_period() -> None:
    result = compute_energy(readings("delta", 100.0, None, None, 250.0), points=POINTS)
    assert result.deltas["start_at"].to_list() == [START - QUARTER, START + 2 * QUARTER]
    covered = energy_intervals(result.deltas)["covered_s"].sum()
    assert covered == 2 * QUARTER.total_seconds()


def test_the_first_increment_of_unknown_length_counts_at_its_instant() -> None:
    result = compute_energy(readings("delta_without_pace", 100.0, 50.0), points=POINTS)
    assert energies(result, "delta_without_pace") == [("first", 100.0), ("ok", 50.0)]
    intervals = energy_intervals(result.deltas)
    assert (intervals["energy_wh"].sum(), intervals["covered_s"].sum()) == (150.0, 900.0)


def test_power_is_integrated_by_trapezoids_and_keeps_its_direction() -> None:
    result = compute_energy(readings("battery", 4000.0, 8000.0, -8000.0), points=POINTS)
    assert energies(result, "battery") == [("first", 0.0), ("ok", 1500.0), ("ok", 0.0)]


def test_gaps_beyond_the_policy_are_not_bridged() -> None:
    values = [1000.0, 1000.0, *[None] * 11, 1000.0, 1000.0]
    result = compute_energy(readings("battery", *values), points=POINTS)
    assert energies(result, "battery") == [
        ("first", 0.0),
        ("ok", 250.0),
        ("gap", None),
        ("ok", 250.0),
    ]
    assert energy_intervals(result.deltas)["energy_wh"].sum() == 500.0
    bridged = compute_energy(
        readings("battery", *values), points=POINTS, policy=CounterPolicy(gap_after=None)
    )
    assert [energy for _, energy in energies(bridged, "battery")] == [0.0, 250.0, 3000.0, 250.0]


@PROPERTY
@given(
    st.lists(st.one_of(st.none(), st.integers(0, 5000).map(float)), max_size=30),
    st.integers(0, 30),
    st.sampled_from(["meter", "valve", "delta", "delta_without_pace", "battery"]),
)
def test_midnight_anywhere_changes_nothing_for_any_method(
    values: list[float | None], cut: int, point_id: str
) -> None:
    rows = readings(point_id, *values)
    midnight = START + cut * QUARTER
    before = compute_energy(rows.filter(pl.col("at") < midnight), points=POINTS)
    after = compute_energy(rows.filter(pl.col("at") >= midnight), points=POINTS, state=before.state)
    whole = compute_energy(rows, points=POINTS)
    keep_contracts(whole)
    both = pl.concat([before.deltas, after.deltas]).sort("point_id", "end_at")
    assert_frame_equal(both, whole.deltas, check_exact=True)
    assert_frame_equal(after.state, whole.state, check_exact=True)


@pytest.mark.parametrize("point_id", ["meter", "delta", "battery"])
def test_a_day_without_readings_passes_the_state_through(point_id: str) -> None:
    before = compute_energy(readings(point_id, 10.0, 20.0, 5.0), points=POINTS)
    after = compute_energy(CORE_READINGS.empty(), points=POINTS, state=before.state)
    assert after.deltas.height == 0
    assert_frame_equal(after.state, before.state)


def test_points_keep_their_own_policies() -> None:
    rows = pl.concat([readings("meter", 1000.0, 5.0, 6.0, 7.0), readings("valve", 9.0, 1.0)])
    policy = {
        "meter": CounterPolicy(on_fall="zero"),
        "valve": CounterPolicy(glitch="keep", on_fall="signed"),
    }
    result = compute_energy(rows, points=POINTS, policy=policy)
    assert energies(result, "meter") == [("first", 0.0), ("reset", 2.0)]
    assert energies(result, "valve") == [("first", 0.0), ("reset", -8.0)]
    assert timedelta(hours=2) == CounterPolicy().gap_after
