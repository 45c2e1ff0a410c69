"""Refused energy and limits that a load outran, in words that name the way out."""

from __future__ import annotations

import polars as pl
import pytest

from energy_platform.transforms.counters import energy_deltas
from energy_platform.transforms.limits import over_limit, refused_energy
from energy_platform.transforms.policy import CounterPolicy
from energy_platform_tests.transforms.histories import POINT, frame
from energy_platform_tests.transforms.test_quality import readings


def test_refused_energy_is_named_with_the_limit_that_would_have_let_it_pass() -> None:
    values = [1000.0 + 500 * i for i in range(8)]
    values += [values[-1] + 20_000 + 500 * i for i in range(1, 5)]
    policy = CounterPolicy(max_power_w=8000)
    deltas = energy_deltas(frame(values), policy=policy).deltas
    judged = readings(POINT, values)
    found = refused_energy(deltas, readings=judged)
    assert found.select("refused_wh", "reason", "needed_w").rows() == [
        (20_500.0, "above_allowance", 82_000.0)
    ]
    (needed,) = found["needed_w"]
    enough = energy_deltas(frame(values), policy=CounterPolicy(max_power_w=needed)).deltas
    assert enough["refused_wh"].sum() == 0
    # Without the readings a third of the step is taken: the same here, where they are regular.
    assert refused_energy(deltas, readings=judged.clear())["needed_w"].to_list() == [82_000.0]


def test_no_limit_lets_a_fall_pass() -> None:
    values = [1_000_000.0 + 500 * i for i in range(8)] + [400_000.0 + 500 * i for i in range(4)]
    deltas = energy_deltas(frame(values), policy=CounterPolicy(max_power_w=8000)).deltas
    found = refused_energy(deltas, readings=readings(POINT, values))
    assert found.select("refused_wh", "needed_w").rows() == [(-603_500.0, None)]


@pytest.mark.parametrize(("stated", "is_kilowatts"), [(8.0, True), (900.0, False)])
def test_a_limit_below_the_load_is_named_with_the_one_it_needs(
    stated: float, is_kilowatts: bool
) -> None:
    watts = 2000 if is_kilowatts else 4000
    deltas = energy_deltas(
        frame([1_000_000 + watts / 4 * i for i in range(288)]),
        policy=CounterPolicy(max_power_w=stated),
    ).deltas
    points = pl.DataFrame({"point_id": [POINT], "max_power_w": [stated]})
    found = over_limit(deltas, points=points)
    assert found.drop("energy_wh", "steps").rows() == [(POINT, watts, stated, is_kilowatts)]
    over = deltas.filter(pl.col("status") == "over_limit")
    assert found.select("energy_wh", "steps").rows() == [(over["energy_wh"].sum(), over.height)]
