"""What a day's readings look like: completeness, stuck gauges, falling registers, anomalies."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from energy_platform.schemas import CORE_READINGS
from energy_platform.transforms.counters import energy_deltas
from energy_platform.transforms.quality import (
    completeness,
    disagreeing_power,
    frequent_resets,
    habits,
    serials_under_two_ids,
    spike_reversals,
    stuck,
    unexpected_quarantine,
    word_swaps,
)
from energy_platform_tests.transforms.histories import START, frame

POINTS = pl.DataFrame(
    {
        "point_id": ["v", "r", "p"],
        "device_id": ["d", "d", "d"],
        "quantity": ["voltage", "active_energy_import", "active_power"],
        "phase": ["total", "total", "total"],
        "kind": ["gauge", "register", "gauge"],
        "every_s": [900.0, 900.0, None],
    }
)


def readings(point_id: str, values: list[float], *, status: str = "ok") -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "point_id": point_id,
                "at": START + n * timedelta(minutes=15),
                "quantity": "other",
                "value": value,
                "unit": "kWh",
                "status": status,
                "reason": None if status == "ok" else "word_swap",
            }
            for n, value in enumerate(values)
        ],
        schema=CORE_READINGS.schema,
    )


NOTHING = pl.DataFrame(schema={"point_id": pl.String(), "step_s": pl.Float64()})


def test_points_that_sent_too_little_or_nothing_come_first() -> None:
    found = completeness(readings("v", [1.0] * 48), points=POINTS, known=NOTHING)
    assert found.rows() == [("r", 96, 0, 0.0), ("v", 96, 48, 0.5)]


def test_an_open_day_is_measured_by_the_time_that_has_passed() -> None:
    found = completeness(
        readings("v", [1.0] * 4), points=POINTS, known=NOTHING, window=timedelta(hours=1)
    )
    assert found.filter(pl.col("point_id") == "v")["share"].item() == 1.0


def test_what_a_point_showed_before_goes_before_what_the_portfolio_states() -> None:
    known = pl.DataFrame({"point_id": ["r", "p"], "step_s": [3600.0, 900.0]})
    found = completeness(readings("r", [1.0] * 24), points=POINTS, known=known)
    assert found.rows() == [("p", 96, 0, 0.0), ("v", 96, 0, 0.0), ("r", 24, 24, 1.0)]
    tells_changes = pl.DataFrame({"point_id": ["v"], "step_s": [None]}, schema=NOTHING.schema)
    few = completeness(readings("v", [1.0] * 3), points=POINTS, known=tells_changes)
    assert few["point_id"].to_list() == ["r"]


def test_habits_are_the_usual_step_and_whether_it_moved() -> None:
    regular = readings("v", [1.0] * 20 + [2.0])
    bursts = readings("p", [5.0] * 24).with_columns(
        pl.col("at") + pl.duration(hours=pl.int_range(pl.len()) // 4 * 3)
    )
    few = readings("r", [1.0, 2.0])
    assert habits(pl.concat([regular, bursts, few])).sort("point_id").rows() == [
        ("p", None, False),
        ("r", None, True),
        ("v", 900.0, True),
    ]


def test_a_gauge_that_used_to_move_is_stuck_and_a_register_or_a_limit_is_not() -> None:
    moved = pl.DataFrame({"point_id": ["v", "r"]})
    same = pl.concat([readings("v", [230.0] * 30), readings("r", [5.0] * 30)])
    assert stuck(same, points=POINTS, moved=moved).rows() == [("v", 230.0, 30)]
    assert stuck(same, points=POINTS, moved=moved.head(0)).height == 0
    turned = readings("v", [230.0] * 29 + [231.0])
    assert stuck(turned, points=POINTS, moved=moved).height == 0
    assert stuck(readings("v", [0.0] * 30), points=POINTS, moved=moved).height == 0
    mains = POINTS.with_columns(quantity=pl.lit("frequency"))
    assert stuck(same, points=mains, moved=moved).height == 0


def test_only_what_nobody_decided_about_counts_as_quarantined() -> None:
    points = pl.DataFrame({"point_id": ["socomec/A/1"], "device_id": ["socomec/A"]})

    def aside(point_id: str, reason: str) -> pl.DataFrame:
        return readings(point_id, [1.0, 2.0], status="quarantined").with_columns(
            pl.lit(reason).alias("reason")
        )

    found = unexpected_quarantine(
        pl.concat(
            [
                aside("socomec/A/1", "word_swap"),
                aside("socomec/A/1", "dropped_by_correction"),
                aside("socomec/A/left|out", "unknown_point"),
                aside("socomec/B/1", "unknown_point"),
                readings("socomec/A/1", [1.0]),
            ]
        ),
        points=points,
    )
    assert found.rows() == [("unknown_point", 2, 1), ("word_swap", 2, 1)]


def test_a_register_that_keeps_falling_is_named() -> None:
    values = [1000.0, 999.0, 998.0, 997.0, 996.0]
    deltas = energy_deltas(frame(values)).deltas
    assert frequent_resets(deltas)["falls"].to_list() == [4]
    assert frequent_resets(energy_deltas(frame(values[:4])).deltas).height == 0


def test_reversed_spikes_are_listed() -> None:
    deltas = energy_deltas(frame([1000, 1010, 99_999, 1020])).deltas
    assert spike_reversals(deltas)["energy_wh"].to_list() == [-98_979.0]


def test_swapped_words_are_explained_with_the_factor_that_repairs_them() -> None:
    found = word_swaps(readings("r", [338_624_512.0, 338_690_048.0], status="quarantined"))
    assert found.rows() == [("r", 2, 338_690_048.0, "kWh", 1 / 65_536, 5168.0)]


def test_a_serial_number_under_two_ids_is_named() -> None:
    raw = pl.DataFrame({"device_id": ["a", "b", "c"], "serial_number": ["1", "1", "2"]})
    found = serials_under_two_ids(raw, serial="serial_number", device="device_id")
    assert found.rows() == [("1", ["a", "b"])]


def test_a_register_that_disagrees_with_its_own_power_is_named() -> None:
    register = frame([1000.0 + 500 * n for n in range(20)], point_id="r")
    deltas = energy_deltas(register).deltas
    fitting = disagreeing_power(deltas, readings("p", [2000.0] * 20), points=POINTS)
    assert fitting.height == 0
    half = disagreeing_power(deltas, readings("p", [1000.0] * 20), points=POINTS)
    assert half.select("point_id", "power_point_id", "share").rows() == [("r", "p", 0.5)]
