"""Every way in which an answer of SoData is less than was asked for is found, or said."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_platform.lake.days_before import series_of
from energy_platform.sources.socomec import SeriesKey, pull
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.sources.http.loopback import Reply, reply_json
from energy_platform_tests.sources.socomec.sodata import DAY, END, START, connected, pull_day, stamp
from energy_platform_tests.sources.socomec.test_pull import LATER, suite

if TYPE_CHECKING:
    from collections.abc import Callable

    from energy_platform.sources.coverage import Before

Row = dict[str, Any]
HOUR = timedelta(hours=1)


def regular(step_s: float, *, phase_s: float = 0) -> list[tuple[datetime, Any]]:
    count = int((86_400 - phase_s - 0.001) // step_s) + 1
    return [(START + timedelta(seconds=int(phase_s + n * step_s)), float(n)) for n in range(count)]


def meters(devices: int, *, series: int = 1) -> list[SeriesKey]:
    return [
        SeriesKey(f"d{device}", "Global", "0", f"s{number}")
        for device in range(devices)
        for number in range(series)
    ]


@dataclass
class Vendor:
    """A SoData whose answers are changed on their way out."""

    points: dict[SeriesKey, list[tuple[datetime, Any]]]
    change: Callable[[Row, Row], Row | None] = lambda _ask, series: series
    whole: Callable[[Row, list[Row]], list[Row]] = lambda _ask, series: series
    echo: Callable[[Row], Row] = lambda _ask: {}
    requests: list[Row] = field(default_factory=list)

    def read(
        self, *, before: Before | None = None, until: datetime = LATER, **changes: Any
    ) -> pull.PartPull:
        sodata = suite(self.points)
        true = sodata.datapoints

        def changed(request: Row) -> Reply:
            self.requests.append(request)
            answer = json.loads(true(request).body)
            series = [one for each in answer["series"] if (one := self.change(request, each))]
            return reply_json(
                {**answer, "series": self.whole(request, series), **self.echo(request)}
            )

        sodata.datapoints = changed  # type: ignore[method-assign]
        with connected(sodata, **changes) as (client, _):
            return pull_day(client, until=until, before=before)

    def rows(self) -> int:
        return sum(map(len, self.points.values()))


def why(pulled: pull.PartPull) -> dict[str, str]:
    return {one.device: one.why_partial for one in pulled.devices if one.why_partial}


def the_day_before(points: dict[SeriesKey, list[tuple[datetime, Any]]]) -> Before:
    """The same points, a day earlier."""
    return series_of(Vendor(points).read().frame, RAW_SOCOMEC_DATAPOINTS, day=DAY)


def cut(most: int, *, newest: bool = False) -> Callable[[Row, Row], Row]:
    def change(_ask: Row, series: Row) -> Row:
        data = series["data"]
        return {**series, "data": data[-most:] if newest else data[:most]}

    return change


def shared(most: int, *, newest: bool = False) -> Callable[[Row, list[Row]], list[Row]]:
    """A limit for the whole answer, filled series by series in any order, or with the newest."""
    order = random.Random(most)  # noqa: S311 - no secret

    def change(_ask: Row, series: list[Row]) -> list[Row]:
        order.shuffle(series)
        if newest:
            stamps = sorted((p["at"] for one in series for p in one["data"]), reverse=True)
            oldest = stamps[most - 1] if len(stamps) >= most else ""
            return [
                {**one, "data": [p for p in one["data"] if p["at"] >= oldest]} for one in series
            ]
        left = most
        kept = []
        for one in series:
            kept.append({**one, "data": one["data"][:left]})
            left -= len(kept[-1]["data"])
        return kept

    return change


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("most", [2500, 2001, 1440, 1024, 1000, 999, 500, 100, 37])
def test_a_history_cut_at_any_number_is_completed(most: int, newest: bool) -> None:
    vendor = Vendor({key: regular(30) for key in meters(2)}, change=cut(most, newest=newest))

    pulled = vendor.read()

    assert pulled.frame.height == 2 * 2880
    assert (pulled.duplicates, pulled.conflicts) == (0, 0)
    assert why(pulled) == {}
    assert any(f"{2 * most} points came at first" in said for said in pulled.warnings)


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("most", [4000, 1500, 1000, 700, 300, 100])
def test_a_limit_shared_by_several_series_is_found(most: int, newest: bool) -> None:
    points = {key: regular(60 * (1 + n % 5)) for n, key in enumerate(meters(3, series=3))}
    vendor = Vendor(points, whole=shared(most, newest=newest))

    pulled = vendor.read()

    assert pulled.frame.height == vendor.rows()
    assert why(pulled) == {}


@settings(max_examples=25, deadline=None)
@given(
    most=st.integers(20, 900),
    step_s=st.sampled_from([97, 300, 600]),
    phase_s=st.integers(0, 90),
    newest=st.booleans(),
    is_shared=st.booleans(),
)
def test_whatever_the_limit_no_point_is_missing_and_none_comes_twice(
    most: int,
    step_s: int,
    phase_s: int,
    newest: bool,
    is_shared: bool,
) -> None:
    vendor = Vendor({key: regular(step_s, phase_s=phase_s) for key in meters(2, series=2)})
    if is_shared:
        vendor.whole = shared(most, newest=newest)
    else:
        vendor.change = cut(most, newest=newest)

    pulled = vendor.read()

    assert pulled.frame.height == vendor.rows()
    assert (pulled.duplicates, pulled.conflicts, why(pulled)) == (0, 0, {})


def test_portions_learn_from_a_limit_so_that_it_is_not_met_for_ever() -> None:
    vendor = Vendor({key: regular(60) for key in meters(40)}, change=cut(500))

    pulled = vendor.read(max_series=2, max_in_flight=1)

    assert pulled.frame.height == 40 * 1440
    cuts = sum("cuts answers" in said for said in pulled.warnings)
    assert cuts <= 4
    assert len(vendor.requests) <= 20 * 5


def test_a_series_left_out_of_an_answer_is_asked_for_again() -> None:
    points = {key: regular(300) for key in meters(4)}
    vendor = Vendor(
        points,
        change=lambda request, one: (
            None if one["deviceUuid"] == "d2" and len(request["series"]) > 3 else one
        ),
    )

    pulled = vendor.read()

    assert pulled.frame.height == 4 * 288
    assert why(pulled) == {}


def test_a_second_answer_that_does_not_name_a_series_proves_nothing_of_it() -> None:
    points = {key: regular(300) for key in meters(3)}

    def cut_and_then_left_out(request: Row, series: Row) -> Row | None:
        if series["deviceUuid"] != "d1" or len(request["series"]) == 1:
            return (
                series if len(request["series"]) < 3 else {**series, "data": series["data"][:200]}
            )
        first = len(request["series"]) == 3 and request["from"] == stamp(START)
        return {**series, "data": series["data"][:200]} if first else None

    vendor = Vendor(points, change=cut_and_then_left_out)

    assert vendor.read().frame.height == 3 * 288


def test_a_vendor_that_names_no_silent_series_costs_little_and_is_believed() -> None:
    away = [(at, v) for at, v in regular(300) if not 6 <= at.hour < 9]
    points = dict.fromkeys(meters(1, series=5), away)
    vendor = Vendor(points, change=lambda _ask, one: one if one["data"] else None)

    pulled = vendor.read(before=the_day_before(points))

    assert pulled.frame.height == vendor.rows()
    assert why(pulled) == {}
    assert len(vendor.requests) <= 2 + 1 + 5


def test_a_series_found_only_when_asked_alone_is_completed_too() -> None:
    points = {key: regular(60) for key in meters(3)}
    before = the_day_before(points)
    vendor = Vendor(
        points,
        change=lambda request, one: (
            None
            if one["deviceUuid"] == "d2" and len(request["series"]) > 1
            else cut(500)(request, one)
        ),
    )

    assert vendor.read(before=before).frame.height == 3 * 1440


def test_a_series_always_left_out_is_named_with_what_was_asked() -> None:
    points = {key: regular(300) for key in meters(2, series=2)}
    before = the_day_before(points)
    lost = SeriesKey("d1", "Global", "0", "s1")
    vendor = Vendor(
        points,
        change=lambda _ask, one: (
            None if (one["deviceUuid"], one["serviceId"]) == ("d1", "s1") else one
        ),
    )

    pulled = vendor.read(before=before)

    assert pulled.frame.height == 3 * 288
    assert list(why(pulled)) == ["SN-d1"]
    assert "1 of 2 series (Global|0|s1)" in why(pulled)["SN-d1"]
    assert "2026-01-01T00:00Z to 2026-01-02T00:00Z and left out" in why(pulled)["SN-d1"]
    assert any(
        [one["serviceId"] for one in request["series"]] == [lost.service_id]
        for request in vendor.requests
    )


def test_a_series_that_was_silent_before_is_not_asked_for_twice() -> None:
    points = {key: regular(300) for key in meters(4)}
    before = the_day_before(points)
    silent = SeriesKey("d9", "Global", "0", "s0")
    vendor = Vendor({**points, silent: []})

    pulled = vendor.read(before=before)

    assert why(pulled) == {}
    # One question and the sample.
    assert len(vendor.requests) == 2


def test_an_empty_answer_for_a_series_that_had_data_the_day_before_is_asked_again() -> None:
    points = {key: regular(300) for key in meters(3)}
    before = the_day_before(points)
    vendor = Vendor(
        points,
        change=lambda request, one: (
            {**one, "data": []} if one["deviceUuid"] == "d0" and len(request["series"]) > 1 else one
        ),
    )

    assert vendor.read(before=before).frame.height == 3 * 288


def test_an_answer_without_any_series_is_no_empty_day() -> None:
    points = {key: regular(300) for key in meters(3)}
    before = the_day_before(points)
    vendor = Vendor(points, whole=lambda _ask, _series: [])

    pulled = vendor.read(before=before)

    assert pulled.frame.is_empty()
    assert sorted(why(pulled)) == ["SN-d0", "SN-d1", "SN-d2"]


@pytest.mark.parametrize("nth", [2, 3, 10])
def test_answers_thinned_out_for_long_windows_are_found(nth: int) -> None:
    def thinned(request: Row, series: Row) -> Row:
        start, end = (datetime.fromisoformat(request[key]) for key in ("from", "to"))
        step = nth if end - start > timedelta(hours=6) else 1
        return {**series, "data": series["data"][::step]}

    vendor = Vendor({key: regular(60) for key in meters(3)}, change=thinned)

    pulled = vendor.read()

    assert pulled.frame.height == 3 * 1440
    assert any("thins out" in said for said in pulled.warnings)


def test_a_pace_that_halved_overnight_is_compared_with_a_short_request_and_said() -> None:
    before = the_day_before({key: regular(60) for key in meters(2)})
    vendor = Vendor({key: regular(120) for key in meters(2)})

    pulled = vendor.read(before=before)

    assert pulled.frame.height == 2 * 720
    assert why(pulled) == {}
    assert any("much further apart" in said for said in pulled.warnings)


def test_an_answer_about_another_window_proves_nothing() -> None:
    points = {key: regular(300) for key in meters(1)}
    vendor = Vendor(
        points,
        change=lambda _ask, one: {
            **one,
            "data": [point for point in one["data"] if point["at"] < stamp(START + HOUR)],
        },
        echo=lambda _ask: {"from": stamp(START - timedelta(days=1)), "to": stamp(START)},
    )

    pulled = vendor.read()

    assert "about another window" in why(pulled)["SN-d0"]


def test_the_points_of_another_window_leave_the_own_one_unproven_and_are_dropped() -> None:
    points = {key: regular(300) for key in meters(1)}
    calls: list[int] = []

    def echo_of_the_night(_ask: Row, series: Row) -> Row:
        calls.append(1)
        if len(calls) > 1:
            return series
        night = [{"at": stamp(START - timedelta(hours=1)), "value": 1.0}] * 12
        return {**series, "data": night}

    pulled = Vendor(points, change=echo_of_the_night).read()

    assert pulled.frame.height == 288
    assert why(pulled) == {}


def test_a_series_that_comes_twice_is_one_series() -> None:
    points = {key: regular(300) for key in meters(1)}

    def twice(_ask: Row, series: list[Row]) -> list[Row]:
        (one,) = series
        return [{**one, "data": one["data"][:100]}, {**one, "data": one["data"][100:]}]

    pulled = Vendor(points, whole=twice).read()

    assert pulled.frame.height == 288
    assert pulled.duplicates == 0


def test_healthy_days_cost_one_request_more_each() -> None:
    points = {key: regular(300, phase_s=7) for key in meters(10, series=4)}
    before = the_day_before(points)
    vendor = Vendor(points)

    pulled = vendor.read(before=before, max_series=20)

    assert why(pulled) == {}
    assert len(vendor.requests) == 40 // 20 + 1


def test_a_device_that_was_away_costs_one_more_request_for_all_its_series() -> None:
    away = [(at, v) for at, v in regular(300) if not 6 <= at.hour < 9]
    points = dict.fromkeys(meters(1, series=10), away)
    vendor = Vendor(points)

    pulled = vendor.read(before=the_day_before(points), max_series=20)

    assert why(pulled) == {}
    assert len(vendor.requests) == 1 + 1 + 1


def test_series_sent_on_change_cost_little() -> None:
    changes = [(START + timedelta(hours=h), float(h)) for h in (3, 11, 12, 21)]
    points = dict.fromkeys(meters(1, series=5), changes)
    rare = {SeriesKey("d7", "Global", "0", "s"): [(START + timedelta(hours=9), 1.0)]}
    vendor = Vendor({**points, **rare})

    pulled = vendor.read(before=the_day_before({**points, **rare}))

    assert pulled.frame.height == 21
    assert len(vendor.requests) <= 3


def test_the_present_is_not_taken_for_a_cut_but_a_cut_is_found() -> None:
    until = START + timedelta(hours=18)
    late = [(at, v) for at, v in regular(300) if at < until - timedelta(minutes=40)]
    vendor = Vendor(dict.fromkeys(meters(2), late))
    assert why(vendor.read(until=until)) == {}
    assert len(vendor.requests) == 1

    vendor = Vendor(dict.fromkeys(meters(2), late), change=cut(100))
    assert vendor.read(until=until).frame.height == vendor.rows()


ODD: list[tuple[Any, str]] = [
    ({"at": None, "value": 1}, "no stamp"),
    ({"value": 1}, "no stamp"),
    ({"at": "2026-01-01T12:00:01", "value": 1}, "no instant with a zone"),
    ({"at": "yesterday", "value": 1}, "no instant with a zone"),
    ({"at": "2026-02-30T00:00:00Z", "value": 1}, "no instant with a zone"),
    ({"at": 1767225600, "value": 1}, "no instant with a zone"),
    ({"at": {"$date": 1}, "value": 1}, "no instant with a zone"),
    (None, "no object"),
    (7, "no object"),
    ("2026-01-01T00:00:00Z", "no object"),
    (["2026-01-01T00:00:00Z", 4], "no object"),
]


@pytest.mark.parametrize(("row", "reason"), ODD)
def test_one_odd_row_is_set_aside_and_costs_no_other(row: Any, reason: str) -> None:
    points = {key: regular(300) for key in meters(2, series=2)}

    def spoiled(_ask: Row, series: Row) -> Row:
        if series["deviceUuid"] != "d1" or series["serviceId"] != "s0":
            return series
        return {**series, "data": [*series["data"][:5], row, *series["data"][5:]]}

    pulled = Vendor(points, change=spoiled).read()

    assert pulled.frame.height == 4 * 288
    (reject,) = pulled.rejects
    assert (reject.device, reject.series) == ("SN-d1", "Global|0|s0")
    assert reason in reject.reason
    assert why(pulled) == {}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('{"a": 1}', '{"a":1}'),
        ("[1, 2]", "[1,2]"),
        ("1" + "0" * 400, "1" + "0" * 400),
        ("1e400", "1e400"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ('"NaN"', "NaN"),
        ('"18.5"', "18.5"),
        ("true", "true"),
    ],
)
def test_a_value_that_is_no_number_is_kept_as_said_and_costs_no_other(said: str, kept: str) -> None:
    vendor = Vendor({key: regular(300) for key in meters(2)})
    marker = 123456789.0
    vendor.points[SeriesKey("d0", "Global", "0", "s0")][5] = (
        START + timedelta(seconds=1500),
        marker,
    )
    sodata = suite(vendor.points)
    true = sodata.datapoints

    def spelled(request: Row) -> Reply:
        return Reply(body=true(request).body.replace(str(marker).encode(), said.encode()))

    sodata.datapoints = spelled  # type: ignore[method-assign]
    with connected(sodata) as (client, _):
        pulled = pull_day(client, until=LATER)
    assert pulled.frame.height == 2 * 288
    odd = pulled.frame.filter(pl.col("value_text").is_not_null())
    assert odd.select("value", "value_text").rows() == [(None, kept)]
    assert pulled.frame["value"].is_nan().sum() == 0


def test_a_series_whose_rows_are_no_list_is_asked_for_again() -> None:
    points = {key: regular(300) for key in meters(2)}
    vendor = Vendor(
        points,
        change=lambda request, one: (
            {**one, "data": None}
            if one["deviceUuid"] == "d0" and len(request["series"]) > 1
            else one
        ),
    )
    assert vendor.read().frame.height == 2 * 288


def test_a_device_left_out_in_the_portfolio_is_not_asked_for() -> None:
    sodata = suite({key: regular(300) for key in meters(2)})
    with connected(sodata) as (client, _):
        pulled = pull_day(client, until=LATER, left_out={"SN-d1"})
    assert [one.device for one in pulled.devices] == ["SN-d0"]
    assert {one["deviceUuid"] for request in sodata.asks for one in request["series"]} == {"d0"}


def test_what_a_device_gave_is_counted() -> None:
    pulled = Vendor({key: regular(300) for key in meters(1, series=2)}).read()
    (device,) = pulled.devices
    assert (device.device, device.asked, device.answered, device.rows) == ("SN-d0", 2, 2, 576)
    assert (device.first_at, device.last_at) == (START, END - timedelta(minutes=5))
