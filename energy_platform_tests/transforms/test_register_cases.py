"""Registers of real meters that an earlier rule got wrong: the ``register`` blocks of the page.

Each stands for a kind, gives the same figures under each of its limits, and says which are right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import polars as pl
import pytest
import yaml

from energy_platform.transforms.counters import energy_deltas
from energy_platform.transforms.intervals import energy_intervals
from energy_platform.transforms.policy import CounterPolicy
from energy_platform_tests.transforms.histories import frame, pending
from energy_platform_tests.transforms.test_counters_examples import PAGE, duration, loads_of

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Case:
    """A register, and what is right."""

    name: str
    readings: pl.DataFrame
    limits: tuple[float | None, ...]
    energy: float
    refused: float
    steps: dict[str, int]
    pending: int
    days: list[float] | None

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Case:
        text = " ".join([str(entry["readings"])] * entry.get("times", 1))
        (readings,) = loads_of(text, every=duration(entry.get("every", "15m")))
        coarse = entry.get("coarse")
        if coarse:
            value = pl.col("value_wh")
            readings = readings.with_columns(value_wh=(value / coarse).floor() * coarse)
        return cls(
            name=entry["name"],
            readings=readings,
            limits=tuple(None if one == "none" else float(one) for one in entry["limits"]),
            energy=entry["energy"],
            refused=entry.get("refused", 0),
            steps=entry.get("steps", {}),
            pending=entry.get("pending", 0),
            days=entry.get("days"),
        )


def cases() -> list[Case]:
    blocks = re.findall(r"```register\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [Case.of(yaml.safe_load(block)) for block in blocks]


CASES: Final = {case.name: case for case in cases()}

EACH: Final = [(case, limit) for case in CASES.values() for limit in case.limits]


@pytest.mark.parametrize(
    ("case", "limit"),
    EACH,
    ids=[f"{case.name}, limit {limit or 'learned'}" for case, limit in EACH],
)
def test_a_register_gives_the_right_energy(case: Case, limit: float | None) -> None:
    result = energy_deltas(case.readings, policy=CounterPolicy(max_power_w=limit))
    rows = result.deltas
    assert rows["energy_wh"].sum() == case.energy
    assert rows["refused_wh"].sum() == case.refused
    odd = rows.filter(~pl.col("status").is_in(["first", "ok", "gap"]))
    assert dict(odd["status"].value_counts().iter_rows()) == case.steps
    assert pending(result.state).height == case.pending
    if case.days is not None:
        energy = rows.filter(pl.col("energy_wh") != 0)
        assert (energy["start_at"].dt.date() == energy["end_at"].dt.date()).all()
        by_day = energy.group_by(pl.col("end_at").dt.date(), maintain_order=True)
        assert by_day.agg(pl.col("energy_wh").sum())["energy_wh"].to_list() == case.days


def test_what_a_frozen_register_shows_at_once_is_spread_over_the_days_it_stood() -> None:
    for limit in (8000.0, None):
        readings = CASES["frozen for three days, then right again"].readings
        rows = energy_deltas(readings, policy=CounterPolicy(max_power_w=limit)).deltas
        days = energy_intervals(rows, width="1d")
        assert days["energy_wh"].to_list() == [48_000] * 4 + [47_500]
        assert days["estimated_wh"].to_list() == [500, 48_000, 48_000, 48_000, 0]
        assert days["covered_s"].to_list() == [86_400] * 4 + [85_500]
        assert energy_intervals(rows)["energy_wh"].max() == 500


def test_a_spike_is_no_peak() -> None:
    rows = energy_deltas(CASES["one reading far too high"].readings).deltas
    hours = (rows["end_at"] - rows["start_at"]).dt.total_seconds() / 3600
    assert (rows["energy_wh"] / hours).max() == 1000


def test_a_register_counts_from_its_last_zero() -> None:
    readings = frame([*[0.0] * 90, 9588.0], every=24 * HOUR)
    *zeros, row = energy_deltas(readings).deltas.iter_rows(named=True)
    assert [zero["energy_wh"] for zero in zeros] == [0.0] * 90
    assert (row["energy_wh"], row["start_at"]) == (9588, readings["at"][89])


def test_a_restart_after_zeros_counts_from_the_last_zero() -> None:
    readings = frame([3000, 3000, 0, 0, 0, 1400, 2800, 4200], every=HOUR)
    row = energy_deltas(readings).deltas.row(-1, named=True)
    assert (row["status"], row["energy_wh"]) == ("reset", 4200)
    assert (row["start_at"], row["register_start_wh"]) == (readings["at"][4], 0)


def test_a_meter_that_is_replaced_while_zeros_come_is_not_counted() -> None:
    values = [5_000_000, 5_000_500, *[0] * 300, 100_000, 100_500, 101_000]
    row = energy_deltas(frame(values), policy=CounterPolicy(max_power_w=8000)).deltas.row(
        -1, named=True
    )
    assert (row["status"], row["energy_wh"], row["refused_wh"]) == ("exchange", 1000, -4_900_500)


def test_what_a_spike_taught_is_forgotten_with_it() -> None:
    spike = energy_deltas(frame([1000, 1010, 99_999, 1030, 1040, 1050])).state
    plain = energy_deltas(frame([1000, 1010, None, 1030, 1040, 1050])).state
    learned = pl.col("kind") == "good"
    assert spike.filter(learned)["limit_w"].to_list() == plain.filter(learned)["limit_w"].to_list()


def test_a_learned_limit_is_ten_times_the_highest_power_as_a_power_of_two() -> None:
    state = energy_deltas(frame([1_000_000.0 + 500 * i for i in range(9)])).state
    good = state.filter(pl.col("kind") == "good").row(0, named=True)
    # 500 Wh since the register last showed less, half an hour before: 1 kW.
    assert (good["limit_w"], good["rises"]) == (16_384.0, 3)


def test_a_state_of_version_0_1_is_read() -> None:
    first = energy_deltas(frame([1000, 1010, 1020, 3, 8]))
    added = ["lower_at", "limit_w", "rises", "dropped"]
    old = first.state.with_columns(
        *(pl.lit(None, first.state.schema[name]).alias(name) for name in added),
        kind=pl.col("kind").replace("unconfirmed", "suspect"),
    )
    rest = frame([None] * 5 + [15, 20])
    found = energy_deltas(rest, state=old).deltas.select("energy_wh", "status").rows()
    assert found == [(15.0, "reset"), (5.0, "ok")]
