"""History of SoData: bounds, zones, strictness, and answers that lie."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from energy_platform.simulators.socomec import uid
from energy_platform.simulators.world import Event, World

from .soda import IMPORT, MAIN, Soda, query, series

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite

DAY = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
KEY = "socomec/SN000001/Global|0|130101"


def points(
    suite: SimulatorSuite, *, start: str = DAY[0], end: str = DAY[1], **changes: Any
) -> list[Any]:
    answer = Soda(suite).put(query(start=start, end=end, **changes)).raise_for_status().json()
    data: list[Any] = answer["series"][0]["data"]
    return data


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def test_a_day_is_what_the_world_measured(suite: SimulatorSuite) -> None:
    found = points(suite)
    start = epoch(DAY[0])
    samples = World().signals[KEY].samples(start, start + 86_400)
    assert [epoch(one["at"]) for one in found] == samples.at.tolist()
    assert [one["value"] for one in found] == samples.values.tolist()
    assert all(one["at"].endswith("Z") and len(one["at"]) == 20 for one in found)


def test_from_is_inclusive_and_to_exclusive(suite: SimulatorSuite) -> None:
    found = points(suite)
    first, later = found[10]["at"], found[20]["at"]
    window = points(suite, start=first, end=later)
    assert [one["at"] for one in window] == [one["at"] for one in found[10:20]]


def test_two_windows_share_a_boundary_without_loss_or_duplicate(suite: SimulatorSuite) -> None:
    middle = points(suite)[100]["at"]
    halves = points(suite, end=middle) + points(suite, start=middle)
    assert halves == points(suite)


def test_the_request_is_echoed_and_series_come_in_any_order(suite: SimulatorSuite) -> None:
    soda = Soda(suite)
    wanted = [series(MAIN, "Global", "0", f"13000{phase}") for phase in (1, 2, 3)]
    orders: set[tuple[str, ...]] = set()
    keys: set[tuple[str, ...]] = set()
    for _ in range(20):
        answer = soda.put(query(*wanted, start=DAY[0], end="2026-01-01T01:00:00Z")).json()
        assert answer["from"] == DAY[0]
        assert answer["granularity"] == "raw"
        assert answer["useDeviceLocalTimezone"] is False
        orders.add(tuple(one["serviceId"] for one in answer["series"]))
        keys.add(tuple(answer["series"][0]))
    assert len(orders) > 1
    assert len(keys) > 1


def test_an_unknown_series_comes_back_empty(suite: SimulatorSuite) -> None:
    wanted = [series(MAIN, "Global", "0", "999999"), series("nobody", *IMPORT)]
    answer = Soda(suite).put(query(*wanted, start=DAY[0], end=DAY[1])).json()
    assert [one["data"] for one in answer["series"]] == [[], []]


def test_alarms_are_texts_and_say_so(suite: SimulatorSuite) -> None:
    ups = series(uid("device", "SN000004"), "Global", "0", "150001")
    answer = Soda(suite).put(query(ups, start=DAY[0], end=DAY[1])).json()["series"][0]
    assert answer["dataType"] == "string"
    assert {one["value"] for one in answer["data"]} <= {"ACTIVE", "INACTIVE"}


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z", 1),
        ("2026-07-01T00:00:00Z", "2026-07-01T02:00:00Z", 2),
    ],
)
def test_the_device_local_switch_reads_the_bounds_as_wall_time_despite_the_z(
    suite: SimulatorSuite, start: str, end: str, hours: int
) -> None:
    suite.set_clock(datetime(2026, 8, 1, tzinfo=UTC))
    wanted = query(start=start, end=end, useDeviceLocalTimezone=True)
    answer = Soda(suite).put(wanted).json()
    shown = answer["series"][0]
    assert shown["deviceTimeZone"] == "Europe/Paris"
    assert epoch(shown["data"][0]["at"]) < epoch(start) - hours * 3_600 + 400
    assert epoch(shown["data"][-1]["at"]) < epoch(end) - hours * 3_600
    assert answer["from"] == start


def test_nothing_after_now_is_served(suite: SimulatorSuite) -> None:
    found = points(suite, start="2026-03-03T11:00:00Z", end="2026-03-04T00:00:00Z")
    assert found[-1]["at"] <= "2026-03-03T12:00:00Z"
    assert found[-1]["at"] > "2026-03-03T11:50:00Z"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"granularity": "quarter"}, "granularity"),
        ({"granularity": "hour"}, "aggregation"),
        ({"series": [series(aggregation="avg")]}, "aggregation must not exist"),
        ({"series": [{"deviceId": MAIN, "itemType": "Global"}]}, "deviceUuid"),
        ({"series": [series() | {"itemIndex": 0}]}, "itemIndex must be a string"),
        ({"series": []}, "series"),
        ({"from": "yesterday"}, "ISO 8601"),
        ({"from": DAY[1], "to": DAY[0]}, "after from"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"useDeviceLocalTimezone": "no"}, "boolean"),
    ],
)
def test_a_wrong_query_is_refused_with_its_key(
    suite: SimulatorSuite, change: dict[str, Any], complaint: str
) -> None:
    refused = Soda(suite).put(query(start=DAY[0], end=DAY[1]) | change)
    assert refused.status_code == 400
    assert complaint in refused.json()["message"][0]


def test_both_content_types_are_accepted_and_no_other(suite: SimulatorSuite) -> None:
    soda, wanted = Soda(suite), query(start=DAY[0], end=DAY[1])
    assert soda.put(wanted, content_type="application/json; charset=utf-8").status_code == 200
    assert soda.put(wanted, content_type="text/plain").status_code == 415


@pytest.mark.parametrize(
    ("how", "expected"), [("count", 24), ("min", 24), ("avg", 24), ("stdev", 24)]
)
def test_hours_are_stamped_with_their_start(suite: SimulatorSuite, how: str, expected: int) -> None:
    found = points(suite, granularity="hour", series=[series(aggregation=how)])
    assert len(found) == expected
    assert [one["at"][11:] for one in found[:2]] == ["00:00:00Z", "01:00:00Z"]
    if how == "count":
        assert sum(one["value"] for one in found) == len(points(suite))


@pytest.mark.parametrize("granularity", ["minute", "hour", "day", "week", "month", "year"])
@pytest.mark.parametrize(("how", "whole"), [("count", True), ("sum", False)])
def test_buckets_of_local_time_hold_every_sample_once_over_both_clock_changes(
    suite: SimulatorSuite, granularity: str, how: str, whole: bool
) -> None:
    suite.set_clock(datetime(2026, 11, 1, tzinfo=UTC))
    window: dict[str, Any] = {"useDeviceLocalTimezone": True}
    for start, end in (("2026-03-28", "2026-03-31"), ("2026-10-24", "2026-10-27")):
        window |= {"start": f"{start}T00:00:00Z", "end": f"{end}T00:00:00Z"}
        raw = [one["value"] for one in points(suite, **window)]
        asked = [series(aggregation=how)]
        found = points(suite, granularity=granularity, series=asked, **window)
        assert sum(one["value"] for one in found) == (len(raw) if whole else sum(raw))
        stamps = [one["at"] for one in found]
        assert stamps == sorted(set(stamps))


@pytest.mark.parametrize(
    ("site", "day", "granularity", "expected"),
    [
        (MAIN, ("2026-01-01", "2026-01-02"), "day", ["2025-12-31T23:00:00Z"]),
        (MAIN, ("2026-03-29", "2026-03-30"), "day", ["2026-03-28T23:00:00Z"]),
        (
            MAIN,
            ("2026-01-01", "2026-03-01"),
            "month",
            ["2025-12-31T23:00:00Z", "2026-01-31T23:00:00Z"],
        ),
        (
            uid("device", "SN000010"),
            ("2026-01-01", "2026-01-03"),
            "day",
            ["2025-12-31T18:30:00Z", "2026-01-01T18:30:00Z"],
        ),
    ],
)
def test_a_local_day_or_month_is_one_bucket_that_begins_at_local_midnight(
    suite: SimulatorSuite, site: str, day: tuple[str, str], granularity: str, expected: list[str]
) -> None:
    suite.set_clock(datetime(2026, 8, 1, tzinfo=UTC))
    wanted = query(
        series(site, aggregation="avg"),
        start=f"{day[0]}T00:00:00Z",
        end=f"{day[1]}T00:00:00Z",
        granularity=granularity,
        useDeviceLocalTimezone=True,
    )
    (answer,) = Soda(suite).put(wanted).json()["series"]
    assert answer["deviceTimeZone"] in {"Europe/Paris", "Asia/Kolkata"}
    assert [one["at"] for one in answer["data"]] == expected


@pytest.mark.parametrize("how", ["var", "stdev"])
def test_a_bucket_of_one_sample_has_no_spread_and_is_left_out(
    suite: SimulatorSuite, how: str
) -> None:
    found = points(suite, granularity="minute", series=[series(aggregation=how)])
    assert all(one["value"] is not None for one in found)
    assert len(found) < len(points(suite))


def test_late_points_appear_behind_the_cursor_once_they_are_delivered(
    suite: SimulatorSuite,
) -> None:
    full = points(suite)
    suite.set_faults(["socomec:late_points=3"])
    early = points(suite)
    assert early == [one for one in full if one["at"] < "2026-01-01T21:00:00Z"]
    suite.clear_faults()
    assert points(suite) == full


def test_late_events_depend_on_the_clock(suite: SimulatorSuite) -> None:
    full = points(suite)
    late = Event(
        KEY,
        "late",
        datetime(2026, 1, 1, 6, tzinfo=UTC),
        datetime(2026, 1, 1, 7, tzinfo=UTC),
        visible_from=datetime(2026, 3, 4, tzinfo=UTC),
    )
    suite.world.add_event(late)
    assert len(points(suite)) < len(full)
    suite.set_clock(datetime(2026, 3, 5, tzinfo=UTC))
    assert points(suite) == full


def test_a_truncated_answer_says_nothing_about_it(suite: SimulatorSuite) -> None:
    full = points(suite)
    suite.set_faults(["socomec:truncate=100"])
    assert points(suite) == full[:100]


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        ("truncate_series=100", slice(0, 100)),
        ("truncate_newest=100", slice(-100, None)),
        ("thin_out=3", slice(None, None, 3)),
    ],
)
def test_each_series_can_be_cut_at_either_end_or_thinned_out(
    suite: SimulatorSuite, fault: str, left: slice
) -> None:
    full = points(suite)
    suite.set_faults([f"socomec:{fault}"])
    assert points(suite) == full[left]


def test_a_series_can_be_left_out(suite: SimulatorSuite) -> None:
    wanted = [series(MAIN, "Global", "0", f"13000{phase}") for phase in (1, 2, 3)]
    suite.set_faults(["socomec:series_left_out=1"])
    asked = query(*wanted, start=DAY[0], end=DAY[1])
    soda = Soda(suite)
    assert len(soda.put(asked).json()["series"]) == 2
    assert len(soda.put(asked).json()["series"]) == 3


def test_one_device_can_be_refused_for_ever(suite: SimulatorSuite) -> None:
    soda = Soda(suite)
    devices = [one["uuid"] for one in soda.listing("/devices", take=50)]
    suite.set_faults(["socomec:device_refused=500"])
    for _ in range(2):
        statuses = [
            soda.put(query(series(device, *IMPORT), start=DAY[0], end=DAY[1])).status_code
            for device in devices
        ]
        assert sorted(set(statuses)) == [200, 500]
        assert statuses.count(500) == 1


def test_odd_rows_stand_between_the_points(suite: SimulatorSuite) -> None:
    full = points(suite)
    suite.set_faults(["socomec:odd_rows"])
    data = Soda(suite).put(query(start=DAY[0], end=DAY[1])).json()["series"][0]["data"]
    assert [row for row in data if isinstance(row, dict) and row.get("value") in (1, 2, 3, 4, 5)]
    assert len(data) == len(full) + 8


@pytest.mark.parametrize(("fault", "status"), [("too_large", 413), ("too_slow", 504)])
def test_large_answers_can_be_refused_while_small_ones_pass(
    suite: SimulatorSuite, fault: str, status: int
) -> None:
    suite.set_faults([f"socomec:{fault}=100"])
    soda = Soda(suite)
    assert soda.put(query(start=DAY[0], end=DAY[1])).status_code == status
    small = query(start=DAY[0], end="2026-01-01T02:00:00Z")
    assert soda.put(small).status_code == 200


def test_nulls_texts_and_unknown_keys_may_come(suite: SimulatorSuite) -> None:
    suite.set_faults(["socomec:null_value"])
    assert any(one["value"] is None for one in points(suite))
    suite.clear_faults()
    suite.set_faults(["socomec:mixed_types"])
    assert all(isinstance(one["value"], str) for one in points(suite))
    suite.clear_faults()
    suite.set_faults(["socomec:extra_keys"])
    assert all("quality" in one for one in points(suite))


def test_a_clock_that_runs_ahead_serves_the_future(suite: SimulatorSuite) -> None:
    suite.set_faults(["socomec:clock_skew:seconds=3600"])
    found = points(suite, start="2026-03-03T11:00:00Z", end="2026-03-04T00:00:00Z")
    assert found[-1]["at"] > "2026-03-03T12:50:00Z"


def test_the_same_answer_is_served_again_whatever_was_asked_between(suite: SimulatorSuite) -> None:
    first = points(suite)
    points(suite, start="2025-12-31T12:00:00Z")
    suite.world.add_event(Event(KEY, "zeros", datetime(2026, 1, 1, 6, tzinfo=UTC)))
    assert points(suite)[-1]["value"] == 0
    suite.world.clear_events()
    assert points(suite) == first
