"""Rows of vendors become readings: units converted, doubtful ones quarantined with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from energy_platform.schemas import CORE_READINGS, INSTANT, violations
from energy_platform.sources.belimo.readings import belimo_to_readings
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform.sources.skycentrics.readings import skycentrics_to_readings
from energy_platform.sources.skycentrics.tables import RAW_SKYCENTRICS_SAMPLES
from energy_platform.sources.socomec.readings import socomec_to_readings
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform.transforms.readings import Reason, ValidatedReadings, validate_readings
from energy_platform_tests.transforms.histories import PROPERTY, START

POINTS = pl.DataFrame(
    [
        {"point_id": "a/meter", "quantity": "active_energy_import", "unit": "kWh"},
        {"point_id": "a/joules", "quantity": "heating_energy", "unit": "J"},
        {
            "point_id": "a/battery",
            "quantity": "battery_energy_charge",
            "unit": None,
            "rated_capacity_wh": 256_500.0,
        },
        {"point_id": "a/power", "quantity": "active_power", "kind": "gauge", "sign": -1},
        {"point_id": "a/state", "quantity": "state", "kind": "state"},
        {"point_id": "a/room", "quantity": "temperature", "unit": "K", "kind": "gauge"},
        {
            "point_id": "a/limited",
            "quantity": "voltage",
            "unit": "V",
            "kind": "gauge",
            "maximum": 300.0,
        },
        # A sensor of the 1-wire kind shows 85 °C or -127 °C when it measured nothing.
        {"point_id": "a/outdoor", "quantity": "outdoor_temperature", "unit": "°C", "kind": "gauge"},
    ],
    schema={
        "point_id": pl.String,
        "quantity": pl.String,
        "unit": pl.String,
        "kind": pl.String,
        "sign": pl.Int64,
        "maximum": pl.Float64,
        "rated_capacity_wh": pl.Float64,
    },
).with_columns(pl.col("kind").fill_null("register"), pl.col("sign").fill_null(1))

STATES = pl.DataFrame({"point_id": ["a/state"], "text": ["active"], "value": [1.0]})

CORRECTIONS = {
    "point_id": pl.String(),
    "start": INSTANT,
    "end": INSTANT,
    "factor": pl.Float64(),
    "offset": pl.Float64(),
    "drop": pl.Boolean(),
    "reason": pl.String(),
}


def common(*rows: tuple[str, datetime, float | None, str | None, str | None]) -> pl.DataFrame:
    text = pl.String()
    schema = {"point_id": text, "at": INSTANT, "value": pl.Float64(), "text": text, "unit": text}
    return pl.DataFrame(rows, schema=schema, orient="row")


def correction(point_id: str, **entry: Any) -> pl.DataFrame:
    row = {"point_id": point_id, "drop": False, "reason": "reviewed", **entry}
    return pl.DataFrame([row], schema=CORRECTIONS)


def judged_one(
    point_id: str,
    value: float | None,
    *,
    text: str | None = None,
    unit: str | None = None,
    at: datetime = START,
    corrections: pl.DataFrame | None = None,
    now: datetime | None = None,
) -> dict[str, Any]:
    result = validate_readings(
        common((point_id, at, value, text, unit)),
        points=POINTS,
        corrections=corrections,
        states=STATES,
        now=now,
    )
    assert not violations(result.frame, table=CORE_READINGS)
    return result.frame.row(0, named=True)


UNBELIEVABLE: list[tuple[str, dict[str, Any]]] = [
    ("unknown_point", {"point_id": "a/nobody", "value": 3.0, "unit": "kWh"}),
    ("null", {"point_id": "a/meter", "value": None}),
    ("not_a_number", {"point_id": "a/meter", "value": None, "text": "NaN"}),
    ("not_a_number", {"point_id": "a/meter", "value": float("nan")}),
    ("not_a_number", {"point_id": "a/meter", "value": float("inf")}),
    ("unknown_state", {"point_id": "a/state", "value": None, "text": "wobbly"}),
    ("unknown_unit", {"point_id": "a/meter", "value": 3.0, "unit": "furlong"}),
    ("unknown_unit", {"point_id": "a/power", "value": 3.0}),
    ("conflicting_unit", {"point_id": "a/meter", "value": 3.0, "unit": "kW"}),
    ("zero_time", {"point_id": "a/meter", "value": 3.0, "at": datetime(1970, 1, 1, tzinfo=UTC)}),
    ("future", {"point_id": "a/meter", "value": 3.0, "now": START - timedelta(minutes=6)}),
    ("negative", {"point_id": "a/meter", "value": -3.0}),
    ("word_swap", {"point_id": "a/battery", "value": 338_624_512.0, "unit": "kWh"}),
    ("above_maximum", {"point_id": "a/battery", "value": 338_624_513.0, "unit": "kWh"}),
    ("above_maximum", {"point_id": "a/limited", "value": 301.0}),
    ("above_maximum", {"point_id": "a/meter", "value": 2.0**53}),
    ("out_of_bounds", {"point_id": "a/outdoor", "value": -127.0}),
    ("out_of_bounds", {"point_id": "a/outdoor", "value": 85.0}),
]


@pytest.mark.parametrize(
    ("text", "number"), [("18.5", 18.5), (" 18 ", 18.0), ("+0.25", 0.25), (".5", 0.5), ("7.", 7.0)]
)
def test_a_plain_decimal_text_of_a_register_is_the_number(text: str, number: float) -> None:
    found = judged_one(point_id="a/meter", value=None, text=text, unit="Wh")
    assert (found["status"], found["value"]) == ("ok", number)
    assert found["text"] == text


@pytest.mark.parametrize(
    "text", ["18,5", "1e3", "0x12", "1 000", "1_000", "nan", "Infinity", "", "--1", "12 kWh", "١٢"]
)
def test_any_other_text_of_a_register_stays_quarantined(text: str) -> None:
    found = judged_one(point_id="a/meter", value=None, text=text, unit="Wh")
    assert (found["status"], found["reason"]) == ("quarantined", "not_a_number")


def test_a_number_as_a_text_of_a_state_is_its_name() -> None:
    found = judged_one(point_id="a/state", value=None, text="18.5")
    assert (found["status"], found["reason"]) == ("quarantined", "unknown_state")


@pytest.mark.parametrize(("reason", "row"), UNBELIEVABLE)
def test_what_cannot_be_believed_is_quarantined_as_it_was_said(
    reason: str, row: dict[str, Any]
) -> None:
    found = judged_one(**row)
    assert (found["status"], found["reason"]) == ("quarantined", reason)
    assert found["value"] == row["value"] or found["value"] != found["value"]
    if "unit" in row:
        assert found["unit"] == row["unit"]


def day_of(point_id: str, *values: float) -> list[tuple[str, str | None]]:
    rows = [
        (point_id, START + timedelta(minutes=position), value, None, None)
        for position, value in enumerate(values)
    ]
    frame = validate_readings(common(*rows), points=POINTS, corrections=None, states=None).frame
    return list(frame.select("status", "reason").iter_rows())


def test_a_register_in_multiples_of_a_word_is_quarantined_without_a_capacity() -> None:
    swapped = ("quarantined", "word_swap")
    assert day_of("a/meter", 338_624_512.0, 338_690_048.0) == [swapped, swapped]
    assert day_of("a/meter", 338_624_512.0) == [swapped]
    assert day_of("a/meter", 0.0, 338_624_512.0) == [("ok", None), swapped]


def test_a_register_that_passes_a_multiple_of_a_word_is_believed() -> None:
    assert day_of("a/meter", 65_535.0, 65_536.0, 65_537.0) == [("ok", None)] * 3
    assert day_of("a/meter", 65_536.0, 65_536.5) == [("ok", None)] * 2
    assert day_of("a/joules", 65_536.0 * 2**24, 65_536.0 * (2**24 + 1)) == [("ok", None)] * 2


def test_a_reading_just_ahead_of_our_clock_is_believed() -> None:
    assert judged_one("a/meter", 3.0, now=START - timedelta(minutes=4))["status"] == "ok"


def test_believed_readings_are_canonical() -> None:
    assert judged_one("a/meter", 1234.567)["value"] == 1_234_567.0
    assert judged_one("a/joules", 3600.0)["value"] == 1.0
    assert judged_one("a/room", 293.15)["value"] == pytest.approx(20.0)
    state = judged_one("a/state", None, text="active")
    assert (state["value"], state["text"], state["status"]) == (1.0, "active", "ok")


def test_a_row_that_says_its_own_unit_is_converted_by_it() -> None:
    assert judged_one("a/meter", 1500.0, unit="Wh")["value"] == 1500.0
    assert judged_one("a/power", 2.0, unit="kW")["value"] == -2000.0
    assert judged_one("a/power", 2000.0, unit="W")["value"] == -2000.0


def test_a_correction_repairs_swapped_words() -> None:
    fix = correction("a/battery", factor=1 / 65_536, reason="word order of the gateway")
    found = judged_one("a/battery", 338_624_512.0, unit="kWh", corrections=fix)
    assert (found["value"], found["status"]) == (5_167_000.0, "ok")
    assert found["reason"] == "corrected: word order of the gateway"


def test_a_reviewed_factor_of_one_accepts_what_looks_like_swapped_words() -> None:
    accept = correction("a/battery", factor=1.0, reason="checked on the display")
    found = judged_one("a/battery", 338_624_512.0, unit="kWh", corrections=accept)
    assert (found["value"], found["status"]) == (338_624_512_000.0, "ok")


@pytest.mark.parametrize(
    ("entry", "values"),
    [
        ({"factor": 2.0}, [20.0, 20.0, 20.0]),
        ({"offset": 5.0}, [15.0, 15.0, 15.0]),
        ({"factor": 2.0, "start": START + timedelta(hours=1)}, [10.0, 20.0, 20.0]),
        ({"factor": 2.0, "end": START + timedelta(hours=1)}, [20.0, 10.0, 10.0]),
    ],
)
def test_corrections_touch_their_time_and_no_other(
    entry: dict[str, Any], values: list[float]
) -> None:
    rows = common(*(("a/meter", START + timedelta(hours=h), 10.0, None, "Wh") for h in range(3)))
    found = validate_readings(rows, points=POINTS, corrections=correction("a/meter", **entry)).frame
    assert found["value"].to_list() == values
    changed = [value != 10.0 for value in values]
    assert [reason is not None for reason in found["reason"]] == changed


def test_dropped_readings_stay_visible() -> None:
    found = judged_one("a/meter", 3.0, corrections=correction("a/meter", drop=True))
    assert (found["status"], found["reason"]) == ("quarantined", "dropped_by_correction")
    assert found["value"] == 3.0


def test_corrections_apply_in_the_order_of_the_portfolio() -> None:
    both = pl.concat([correction("a/meter", offset=1.0), correction("a/meter", factor=10.0)])
    assert judged_one("a/meter", 3.0, unit="Wh", corrections=both)["value"] == 40.0


def test_equal_duplicates_merge_and_conflicting_ones_are_counted() -> None:
    rows = common(
        ("a/meter", START, 3.0, None, None),
        ("a/meter", START, 3.0, None, None),
        ("a/joules", START, 0.0, None, None),
        ("a/joules", START, 7200.0, None, None),
        ("a/joules", START, 3600.0, None, None),
        ("a/power", START, None, None, "W"),
        ("a/power", START, 4.0, None, "W"),
    )
    result = validate_readings(rows, points=POINTS)
    assert result.frame.select("point_id", "value").rows() == [
        ("a/joules", 1.0),
        ("a/meter", 3000.0),
        ("a/power", -4.0),
    ]
    assert (result.counts["duplicates"], result.counts["conflicts"]) == (4, 2)


def test_every_row_is_counted_by_its_status_or_reason() -> None:
    rows = common(
        ("a/meter", START, 3.0, None, None),
        ("a/nobody", START, 3.0, None, None),
        ("a/nobody", START + timedelta(hours=1), 3.0, None, None),
    )
    counts = validate_readings(rows, points=POINTS).counts
    assert counts == {"ok": 1, "unknown_point": 2, "duplicates": 0, "conflicts": 0}


def test_a_series_stored_twice_once_shifted_by_an_hour_counts_once() -> None:
    stamps = [START + n * timedelta(minutes=5, seconds=7) for n in range(200)]
    said = [100.0 + n for n in range(200)]
    true = [("a/meter", at, value, None, "Wh") for at, value in zip(stamps, said, strict=True)]
    shifted = [(p, at + timedelta(hours=1), v, t, u) for p, at, v, t, u in true]
    result = validate_readings(common(*true, *shifted), points=POINTS)
    believed = result.frame.filter(pl.col("status") == "ok")
    assert believed["at"].to_list() == stamps
    assert result.counts["hour_shift"] == 200


def test_a_register_that_stands_still_is_not_taken_for_a_shifted_copy() -> None:
    rows = [("a/meter", START + n * timedelta(minutes=15), 500.0, None, "Wh") for n in range(96)]
    assert validate_readings(common(*rows), points=POINTS).counts["ok"] == 96


@PROPERTY
@given(st.randoms(use_true_random=False), st.lists(st.sampled_from([0.0, 1.0, 2.0, None])))
def test_the_order_of_raw_rows_changes_nothing(random: Any, values: list[float | None]) -> None:
    rows = [
        (point, START + timedelta(hours=n // 3), value, None, "Wh")
        for n, value in enumerate(values)
        for point in ("a/meter", "a/nobody")
    ]
    mixed = list(rows)
    random.shuffle(mixed)
    assert_frame_equal(judged(rows).frame, judged(mixed).frame)
    assert judged(rows).counts == judged(mixed).counts


def judged(rows: list[Any]) -> ValidatedReadings:
    return validate_readings(common(*rows), points=POINTS)


def test_nothing_in_nothing_out() -> None:
    assert validate_readings(common(), points=POINTS).frame.equals(CORE_READINGS.empty())


def test_point_ids_survive_a_transfer_and_name_the_vendor() -> None:
    socomec = pl.DataFrame(
        [
            {
                "device_uuid": "u",
                "item_type": "Global",
                "item_index": "0",
                "service_id": "140100",
                "at": START,
                "value": 4.0,
                "serial_number": "S1",
            }
        ],
        schema=RAW_SOCOMEC_DATAPOINTS.schema,
    )
    assert socomec_to_readings(socomec)["point_id"].item() == "socomec/S1/Global|0|140100"
    belimo = pl.DataFrame(
        [
            {"device_id": device, "datapoint_id": "evcloud.210", "at": START, "serial_number": "B7"}
            for device in ("before", "after")
        ],
        schema=RAW_BELIMO_SAMPLES.schema,
    )
    assert belimo_to_readings(belimo)["point_id"].unique().item() == "belimo/B7/evcloud.210"
    skycentrics = pl.DataFrame(
        [
            {
                "device_id": "9",
                "sensor_id": "P_[1]",
                "at": START,
                "value_text": "active",
                "units": " ",
            }
        ],
        schema=RAW_SKYCENTRICS_SAMPLES.schema,
    )
    assert skycentrics_to_readings(skycentrics).rows() == [
        ("skycentrics/9/P_[1]", START, None, "active", None, False)
    ]


Poll = tuple[int, int | None, float]
"""Minute of a sample's own time, minute of the poll that first showed it, value."""


def polled(*polls: Poll, sensor_id: str = "kWh") -> pl.DataFrame:
    rows = [
        {
            "device_id": "9",
            "sensor_id": sensor_id,
            "at": START + timedelta(minutes=at),
            "value": value,
            "units": "kWh",
            "source": "history" if seen is None else "poll",
            "first_seen_at": None if seen is None else START + timedelta(minutes=seen),
        }
        for at, seen, value in polls
    ]
    return pl.DataFrame(rows, schema=RAW_SKYCENTRICS_SAMPLES.schema)


def judged_polls(raw: pl.DataFrame) -> dict[int, str]:
    """Return what was made of each sample, by the minute of its time."""
    sensors = ("skycentrics/9/kWh", "skycentrics/9/other")
    known = [{"point_id": one, "quantity": "active_energy_import"} for one in sensors]
    points = pl.DataFrame(known, schema=POINTS.schema)
    points = points.with_columns(kind=pl.lit("register"), sign=pl.lit(1, pl.Int64()))
    frame = validate_readings(skycentrics_to_readings(raw), points=points).frame
    return {
        (at - START) // timedelta(minutes=1): reason or status
        for at, status, reason in frame.select("at", "status", "reason").iter_rows()
    }


def test_what_a_clock_says_after_it_went_back_is_quarantined_until_it_has_caught_up() -> None:
    raw = polled((0, 0, 1.0), (5, 1, 2.0), (2, 2, 3.0), (3, 3, 4.0), (6, 4, 5.0), (7, 5, 6.0))
    assert judged_polls(raw) == {
        0: "ok",
        5: "ok",
        2: "backward_time",
        3: "backward_time",
        6: "ok",
        7: "ok",
    }


def test_late_history_and_other_sensors_of_the_gateway_are_not_backward() -> None:
    late = polled((0, 0, 1.0), (10, 10, 2.0), (4, None, 1.5), (6, None, 1.7))
    slow = polled((8, 12, 9.0), sensor_id="other")
    assert set(judged_polls(pl.concat([late, slow])).values()) == {"ok"}


def test_a_poll_that_shows_two_times_of_a_sensor_went_back_in_neither() -> None:
    assert set(judged_polls(polled((5, 5, 2.0), (4, 5, 1.0))).values()) == {"ok"}


@PROPERTY
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.one_of(st.none(), st.integers(0, 30)), st.just(1.0)),
        unique_by=lambda poll: poll[0],
    ),
    st.randoms(use_true_random=False),
)
def test_a_sample_is_backward_exactly_when_an_earlier_poll_showed_a_later_time(
    polls: list[Poll], random: Any
) -> None:
    mixed = list(polls)
    random.shuffle(mixed)
    found = judged_polls(polled(*mixed)) if mixed else {}
    for at, seen, _ in polls:
        is_backward = seen is not None and any(
            other > at and earlier is not None and earlier < seen for other, earlier, _ in polls
        )
        assert found[at] == ("backward_time" if is_backward else "ok")


def test_every_reason_is_tried_above() -> None:
    tried = {reason for reason, _ in UNBELIEVABLE}
    tried |= {"dropped_by_correction", "hour_shift", "backward_time", "shared_serial"}
    assert tried == set(get_args(Reason))


def samples_of(*devices: tuple[str, int, float], count: int = 6) -> pl.DataFrame:
    """Return samples under one serial number: id, first second, first value, one a quarter hour."""
    rows = [
        {
            "device_uuid": device,
            "item_type": "Global",
            "item_index": "0",
            "service_id": "130101",
            "at": START + timedelta(seconds=second, minutes=15 * n),
            "value": value + n,
            "serial_number": "000000",
        }
        for device, second, value in devices
        for n in range(count)
    ]
    return pl.DataFrame(rows, schema=RAW_SOCOMEC_DATAPOINTS.schema)


LONG_AFTER = 7 * 3600


@pytest.mark.parametrize(
    ("devices", "foreign_device_ids"),
    [
        ([("a", 0, 100.0), ("b", 200, 5000.0)], {"b"}),
        ([("b", 0, 100.0), ("a", 200, 5000.0)], {"b"}),
        ([("a", 0, 100.0), ("b", 0, 5000.0), ("c", 60, 9.0)], {"b", "c"}),
        ([("a", 0, 100.0), ("b", LONG_AFTER, 106.0)], set()),
        ([("b", 0, 100.0), ("a", LONG_AFTER, 106.0)], set()),
        # The same triple under two ids, or a history that moved with its device.
        ([("a", 0, 100.0), ("b", 0, 100.0)], set()),
        ([("a", 0, 100.0)], set()),
    ],
)
def test_devices_that_share_a_serial_number_never_mix(
    devices: list[tuple[str, int, float]], foreign_device_ids: set[str]
) -> None:
    raw = samples_of(*devices)
    points = POINTS.head(1).with_columns(
        point_id=pl.lit("socomec/000000/Global|0|130101"), unit=pl.lit("Wh")
    )
    frame = validate_readings(socomec_to_readings(raw), points=points).frame
    kept = raw.filter(~pl.col("device_uuid").is_in(sorted(foreign_device_ids)))
    believed = frame.filter(pl.col("status") == "ok")
    assert set(believed["value"]) == set(kept["value"])
    aside = frame.filter(pl.col("reason") == "shared_serial")
    if foreign_device_ids and not set(raw["at"]) - set(kept["at"]):
        assert aside.is_empty(), "a believed reading of the same instant stands for both"
    assert frame.height == believed.height + aside.height
