"""A vendor that gives less than it was asked for: all samples come, or the day says what is not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from energy_platform.days import day_range
from energy_platform.schemas import violations
from energy_platform.sources.belimo import pull
from energy_platform.sources.coverage import SeriesBefore, nothing_before
from energy_platform.sources.registry import tables
from energy_platform_tests.sources.belimo.cloud import DEVICE, SERIAL, Cloud, at, device, said
from energy_platform_tests.sources.http.loopback import Reply, Seen, reply_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from energy_platform.sources.base import DayPull
    from energy_platform.sources.belimo import BelimoClient
    from energy_platform.sources.coverage import DeviceDay, Earlier

DAY = "2026-01-01"
NEXT = "2026-01-02"
LATER = at("2026-06-01T00:00:00+00:00")
HEAT, COLD, POWER = "evcloud.210", "evcloud.200", "evcloud.140"
SAMPLES = tables()["raw_belimo__samples"]
HALF_MINUTE = timedelta(seconds=30)
POINTS = 2880

Page = tuple[list[Any], int | None]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud().running() as server:
        assert isinstance(server, Cloud)
        yield server


def read(
    client: BelimoClient,
    *,
    days: Sequence[str] = (DAY,),
    wanted: Mapping[str, frozenset[str]] | None = None,
    earlier: Earlier = nothing_before,
    **changes: Any,
) -> list[DayPull]:
    frames = pull.inventory(client)
    found = pull.days(
        client,
        days=days,
        earlier=earlier,
        **{
            "until": LATER,
            "devices": frames["raw_belimo__devices"],
            "profiles": frames["raw_belimo__dataprofiles"],
            "wanted": wanted or {SERIAL: frozenset({HEAT})},
            **changes,
        },
    )
    return list(found)


def rows(pulled: DayPull) -> int:
    assert pulled.frame is not None, pulled.error
    assert violations(pulled.frame, table=SAMPLES) == []
    return pulled.frame.height


def of(pulled: DayPull, serial: str = SERIAL) -> DeviceDay:
    (one,) = [one for one in pulled.devices if one.device == serial]
    return one


def pages(cloud: Cloud, behaviour: Callable[[list[Any], int, int], Page]) -> None:
    """Let the history answer as ``behaviour(samples, offset, limit)`` says."""

    def page(seen: Seen, items: list[Any]) -> Reply:
        if "/history/" not in seen.path:
            return Cloud.page(cloud, seen, items)
        data, total = behaviour(items, int(seen.query["offset"]), int(seen.query["limit"]))
        return reply_json({"data": data, "paging": {"total": total}})

    cloud.page = page  # type: ignore[method-assign]


def capped_total(items: list[Any], offset: int, limit: int) -> Page:
    return items[offset : offset + limit], min(1000, len(items))


def clamped_and_capped(items: list[Any], offset: int, limit: int) -> Page:
    return items[offset : offset + min(limit, 700)], min(700, len(items))


def counts_the_page(items: list[Any], offset: int, limit: int) -> Page:
    part = items[offset : offset + limit]
    return part, len(part)


def says_none(items: list[Any], offset: int, limit: int) -> Page:
    return items[offset : offset + limit], 0


def one_too_many(items: list[Any], offset: int, limit: int) -> Page:
    return items[offset : offset + limit], len(items) + 1


def clamped_without_total(items: list[Any], offset: int, limit: int) -> Page:
    return items[offset : offset + min(limit, 300)], None


def ignores_the_offset(items: list[Any], offset: int, limit: int) -> Page:
    return items[: min(limit, 500)], len(items)


def nothing_beyond_a_thousand(items: list[Any], offset: int, limit: int) -> Page:
    return items[:1000][offset : offset + limit], len(items)


def overlapping(items: list[Any], offset: int, limit: int) -> Page:
    first = max(0, offset - 3)
    return items[first : first + limit], len(items)


def short_in_the_middle(items: list[Any], offset: int, limit: int) -> Page:
    most = 100 if offset else limit
    return items[offset : offset + most], len(items)


def endless(items: list[Any], offset: int, limit: int) -> Page:
    return [items[(offset + n) % len(items)] for n in range(limit if items else 0)], offset + 9999


def newest_first(items: list[Any], offset: int, limit: int) -> Page:
    return items[::-1][offset : offset + limit], len(items)


@pytest.mark.parametrize(
    "behaviour",
    [
        capped_total,
        clamped_and_capped,
        counts_the_page,
        says_none,
        one_too_many,
        clamped_without_total,
        ignores_the_offset,
        nothing_beyond_a_thousand,
        overlapping,
        short_in_the_middle,
        endless,
        newest_first,
    ],
)
def test_whatever_the_pages_claim_all_samples_come(
    cloud: Cloud, behaviour: Callable[[list[Any], int, int], Page]
) -> None:
    cloud.fill(first=DAY, days=1, step=HALF_MINUTE)
    pages(cloud, behaviour)
    with cloud.client(sample_page_size=1000) as client:
        (pulled,) = read(client)
    assert rows(pulled) == POINTS
    assert of(pulled).why_partial == ""
    assert len(cloud.calls("/history/")) < 35


@pytest.mark.parametrize("behaviour", [capped_total, counts_the_page, ignores_the_offset])
def test_the_client_alone_reads_on_where_the_vendor_claims_the_end(
    cloud: Cloud, behaviour: Callable[[list[Any], int, int], Page]
) -> None:
    cloud.fill(first=DAY, days=1, step=HALF_MINUTE)
    pages(cloud, behaviour)
    with cloud.client(sample_page_size=1000) as client:
        found = client.history(
            DEVICE, HEAT, start=at("2026-01-01T00:00:00+00:00"), end=at("2026-01-02T00:00:00+00:00")
        )
    assert found.frame["at"].n_unique() == POINTS


@pytest.mark.parametrize("total", [3, 1, 0, 20, None])
@pytest.mark.parametrize("size", [3, 7, 50])
def test_a_listing_ends_where_a_page_is_empty(cloud: Cloud, total: int | None, size: int) -> None:
    cloud.devices = [device(f"id-{n:02}", serial=f"s-{n:02}") for n in range(20)]

    def page(seen: Seen, items: list[Any]) -> Reply:
        offset = int(seen.query["offset"])
        return reply_json({"data": items[offset : offset + size], "paging": {"total": total}})

    cloud.page = page  # type: ignore[method-assign]
    with cloud.client() as client:
        assert len(client.devices()) == 20


@pytest.mark.parametrize("most", [1, 7, 100, 500, 999, 1000, 1024, 1440, 2500, 2879])
@pytest.mark.parametrize("end", ["oldest", "newest"])
def test_an_answer_cut_at_any_number_is_found_and_the_rest_is_fetched(
    cloud: Cloud, most: int, end: str
) -> None:
    count = POINTS if most >= 100 else 20
    cloud.fill(first=DAY, days=1, step=timedelta(days=1) / count)

    def cut(items: list[Any], offset: int, limit: int) -> Page:
        kept = items[:most] if end == "oldest" else items[-most:]
        return kept[offset : offset + limit], len(kept)

    pages(cloud, cut)
    with cloud.client() as client:
        (pulled,) = read(client)
    assert rows(pulled) == count
    assert of(pulled).why_partial == ""
    assert any("cuts its answers" in warning and SERIAL in warning for warning in pulled.warnings)


def test_a_hole_that_only_a_small_window_shows_is_filled(cloud: Cloud) -> None:
    cloud.fill(first=DAY, days=1, step=timedelta(minutes=5))
    pages(
        cloud,
        lambda items, _offset, _limit: (
            (items[:100] + items[150:], len(items) - 50) if len(items) > 200 else (items, None)
        ),
    )
    with cloud.client() as client:
        (pulled,) = read(client)
    assert rows(pulled) == 288
    assert of(pulled).why_partial == ""


def test_samples_left_out_evenly_are_found_by_the_cadence_of_the_days_before(cloud: Cloud) -> None:
    cloud.fill(first=DAY, days=1, step=timedelta(minutes=1))
    pages(
        cloud,
        lambda items, _offset, _limit: (
            (items[::4], len(items[::4])) if len(items) > 300 else (items, len(items))
        ),
    )
    minute = SeriesBefore(1440, timedelta(minutes=1), timedelta(minutes=1))
    with cloud.client() as client:
        (pulled,) = read(client, earlier=lambda _day: {(DEVICE, HEAT): minute})
    assert rows(pulled) == 1440
    assert of(pulled).why_partial == ""


def test_a_series_that_became_slower_costs_one_question(cloud: Cloud) -> None:
    cloud.fill(first=DAY, days=1, step=timedelta(minutes=15))
    minute = SeriesBefore(1440, timedelta(minutes=1), timedelta(minutes=1))
    with cloud.client() as client:
        (pulled,) = read(client, earlier=lambda _day: {(DEVICE, HEAT): minute})
    assert rows(pulled) == 96
    assert of(pulled).why_partial == ""
    assert len(cloud.calls("/history/")) == 2


def test_silence_is_asked_for_once_more_and_is_whole(cloud: Cloud) -> None:
    """Samples until noon, then none: the device stopped, and a second question says the same."""
    cloud.fill(first=DAY, days=1, step=timedelta(minutes=5))
    del cloud.samples[DEVICE, HEAT][144:]
    with cloud.client() as client:
        (pulled,) = read(client)
    assert rows(pulled) == 144
    assert of(pulled).why_partial == ""
    assert of(pulled).last_at == at("2026-01-01T11:55:00+00:00")
    first, again = cloud.calls("/history/")
    assert (first.query["from"], again.query["from"]) == (
        "2026-01-01T00:00:00Z",
        "2026-01-01T11:55:00.001Z",
    )


def test_a_healthy_day_costs_no_request_more_than_its_pages(cloud: Cloud) -> None:
    for point in (HEAT, COLD, POWER):
        cloud.fill(first=DAY, days=2, step=timedelta(seconds=90), datapoint_id=point)
    with cloud.client() as client:
        first, second = read(
            client, days=[DAY, NEXT], wanted={SERIAL: frozenset({HEAT, COLD, POWER})}
        )
    assert rows(first) == rows(second) == 3 * 960
    assert of(first)[1:4] == (3, 3, 2880)
    assert len(cloud.calls("/history/")) == 3
    assert len([one for one in cloud.calls("/devices") if one.path.endswith("/devices")]) == 2


def test_a_part_that_cannot_be_asked_for_again_makes_the_device_partial(cloud: Cloud) -> None:
    cloud.fill(first=DAY, days=2, step=timedelta(minutes=5))
    del cloud.samples[DEVICE, HEAT][100:150]
    whole = cloud.route
    cloud.route = lambda seen: (
        Reply(status=500) if seen.query.get("from", "").startswith("2026-01-01T08") else whole(seen)
    )
    with cloud.client(attempts=1) as client:
        first, second = read(client, days=[DAY, NEXT])
    assert rows(first) == 238
    assert "500" in of(first).why_partial
    assert "08:15 to 12:30" in of(first).why_partial
    assert of(second).why_partial == ""


def test_samples_announced_that_never_come_make_the_device_partial(cloud: Cloud) -> None:
    cloud.fill(first=DAY, days=1, step=timedelta(minutes=5))
    pages(cloud, lambda items, offset, _limit: (items[offset:][:100], 288))
    whole = cloud.samples[DEVICE, HEAT]
    cloud.samples[DEVICE, HEAT] = whole[:100]
    with cloud.client() as client:
        (pulled,) = read(client)
    assert rows(pulled) == 100
    assert "more samples announced than came" in of(pulled).why_partial


def test_a_vendor_that_answers_with_other_samples_than_asked_for_is_not_believed(
    cloud: Cloud,
) -> None:
    cloud.fill(first=DAY, days=1, step=timedelta(minutes=5))
    morning = [{"timestamp": said(one), "value": 1} for one, _ in cloud.samples[DEVICE, HEAT][:99]]
    pages(cloud, lambda _items, _offset, _limit: (morning, 99))
    with cloud.client() as client:
        (pulled,) = read(client)
    assert rows(pulled) == 99
    assert "another time" in of(pulled).why_partial


def test_elements_that_move_while_they_are_read_are_read_again(cloud: Cloud) -> None:
    cloud.fill(first=DAY, days=1, step=timedelta(minutes=5))
    samples = cloud.samples[DEVICE, HEAT]
    late = at("2026-01-01T00:02:00+00:00")
    calls: list[int] = []

    def moving(items: list[Any], offset: int, limit: int) -> Page:
        calls.append(offset)
        if len(calls) == 2:
            samples.insert(1, (late, 7))
            items.insert(1, {"timestamp": said(late), "value": 7})
        return items[offset : offset + limit], 200

    pages(cloud, moving)
    with cloud.client(sample_page_size=100) as client:
        (pulled,) = read(client)
    assert rows(pulled) == 289


def test_a_series_that_spoke_before_is_asked_for_again_when_it_is_silent(cloud: Cloud) -> None:
    cloud.samples[DEVICE, HEAT] = cloud.samples[DEVICE, COLD] = []
    spoke = SeriesBefore(288, timedelta(minutes=5), timedelta(minutes=5))
    wanted = {SERIAL: frozenset({HEAT, COLD})}
    with cloud.client() as client:
        (pulled,) = read(client, wanted=wanted, earlier=lambda _day: {(DEVICE, HEAT): spoke})
    assert rows(pulled) == 0
    assert of(pulled)[1:4] == (2, 0, 0)
    assert len(cloud.calls("evcloud.210")) == 2
    assert len(cloud.calls("evcloud.200")) == 1, "silent before, silent today: nothing to prove"


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_one_refusing_device_is_partial_and_the_others_land(cloud: Cloud, status: int) -> None:
    days = day_range("2026-01-01", "2026-01-09")
    cloud.devices = [device(f"id-{n}", serial=f"s-{n}") for n in range(4)]
    for number in range(4):
        for point in (HEAT, COLD):
            cloud.fill(first=DAY, days=9, device_id=f"id-{number}", datapoint_id=point)
    whole = cloud.route
    cloud.route = lambda seen: (
        reply_json({"errors": ["no"]}, status=status) if "/id-1/" in seen.path else whole(seen)
    )
    wanted = {f"s-{n}": frozenset({HEAT, COLD}) for n in range(4)}
    with cloud.client(attempts=1) as client:
        pulled = read(client, days=days, wanted=wanted)
    assert [one.day for one in pulled] == days
    for one in pulled:
        assert rows(one) == 3 * 48
        assert f"HTTP {status}" in of(one, "s-1").why_partial
        assert "since 2026-01-01" in of(one, "s-1").why_partial
        assert [d.why_partial for d in one.devices if d.device != "s-1"] == ["", "", ""]
        assert any("s-1" in warning and str(status) in warning for warning in one.warnings)
    assert len(cloud.calls("/id-1/")) < 20


@pytest.mark.parametrize("refusing", [0, 1, 2])
@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_version_that_cannot_be_asked_for_marks_no_healthy_device(
    cloud: Cloud, status: int, refusing: int
) -> None:
    """A closed ``/api-info`` beside one refusing device is not a vendor that is down."""
    points = frozenset({HEAT, COLD, POWER, "evcloud.150"})
    cloud.devices = [device(f"id-{n}", serial=f"s-{n}") for n in range(3)]
    for number in range(3):
        for point in points:
            cloud.fill(first=DAY, days=6, device_id=f"id-{number}", datapoint_id=point)
    whole = cloud.route
    cloud.route = lambda seen: (
        Reply(status=500)
        if f"/id-{refusing}/" in seen.path
        else Reply(status=status)
        if "api-info" in seen.path
        else whole(seen)
    )
    with cloud.client(attempts=1, max_in_flight=1) as client:
        pulled = read(
            client,
            days=day_range("2026-01-01", "2026-01-06"),
            wanted={f"s-{n}": points for n in range(3)},
        )
    assert cloud.calls("api-info"), "three failures in a row ask for the version"
    for one in pulled:
        assert rows(one) == 2 * 4 * 24
        assert [bool(d.why_partial) for d in one.devices] == [n == refusing for n in range(3)]


def test_a_device_that_the_account_does_not_show_is_partial(cloud: Cloud) -> None:
    cloud.fill(first=DAY, days=1)
    with cloud.client() as client:
        (pulled,) = read(
            client, wanted={SERIAL: frozenset({HEAT}), "sold": frozenset({HEAT, COLD})}
        )
    assert rows(pulled) == 24
    assert of(pulled, "sold")[1:4] == (2, 0, 0)
    assert "not visible" in of(pulled, "sold").why_partial


def test_a_device_left_out_is_neither_asked_nor_missed(cloud: Cloud) -> None:
    cloud.devices.append(device("id-2", serial="s-2"))
    cloud.fill(first=DAY, days=1)
    with cloud.client() as client:
        (pulled,) = read(
            client,
            wanted={SERIAL: frozenset({HEAT}), "s-2": frozenset({HEAT}), "s-3": frozenset({HEAT})},
            left_out=frozenset({"s-2", "s-3"}),
        )
    assert [one.device for one in pulled.devices] == [SERIAL]
    assert not cloud.calls("/id-2/")
    assert pulled.warnings == ()


ODD = [
    ({"timestamp": None, "value": 7}, "no timestamp"),
    ({"value": 7}, "no timestamp"),
    ({"timestamp": "", "value": 7}, "no timestamp"),
    ({"timestamp": "2026-01-01T10:00:00", "value": 7}, "without a zone"),
    ({"timestamp": "2026-01-01 10:00:00", "value": 7}, "without a zone"),
    ({"timestamp": "yesterday", "value": 7}, "no instant"),
    ({"timestamp": 1767261600000, "value": 7}, "no instant"),
    ({"timestamp": ["2026"], "value": 7}, "no instant"),
    (None, "not an object"),
    (7, "not an object"),
    ("2026-01-01T10:00:00Z", "not an object"),
    ([], "not an object"),
]


@pytest.mark.parametrize(("element", "reason"), ODD)
def test_an_odd_row_is_set_aside_and_costs_no_other(
    cloud: Cloud, element: object, reason: str
) -> None:
    cloud.fill(first=DAY, days=2, step=timedelta(hours=1))
    pages(
        cloud,
        lambda items, _offset, _limit: ([*items[:30], element, *items[30:]], len(items) + 1),
    )
    with cloud.client() as client:
        first, second = read(client, days=[DAY, NEXT])
    assert rows(first) == rows(second) == 24
    assert first.rejects == ()
    (reject,) = second.rejects
    assert (reject.device, reject.series) == (SERIAL, HEAT)
    assert reason in reject.reason
    assert of(second).why_partial == ""


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("1e999", "1e999"),
        ("1" + "0" * 400, "1" + "0" * 400),
        ('"18,5"', "18,5"),
        ("[1]", "[1]"),
    ],
)
def test_a_value_that_is_no_number_in_any_spelling_is_kept_as_said(
    cloud: Cloud, literal: str, text: str
) -> None:
    cloud.fill(first=DAY, days=1)
    said_by = cloud.route

    def route(seen: Seen) -> Reply:
        reply = said_by(seen)
        if "/history/" not in seen.path:
            return reply
        body = json.loads(reply.body)
        body["data"][5]["value"] = "@"
        return Reply(body=json.dumps(body).replace('"@"', literal).encode())

    cloud.route = route
    with cloud.client() as client:
        (pulled,) = read(client)
    assert rows(pulled) == 24
    assert pulled.frame is not None
    assert pulled.frame.row(5, named=True)["value"] is None
    assert pulled.frame.row(5, named=True)["value_text"] == text
    assert pulled.frame["value"].null_count() == 1


def test_a_day_of_nothing_but_odd_rows_is_partial(cloud: Cloud) -> None:
    pages(cloud, lambda _items, _offset, _limit: ([{"timestamp": "2026-01-01T10:00:00"}] * 5, 5))
    cloud.samples[DEVICE, HEAT] = []
    with cloud.client() as client:
        (pulled,) = read(client)
    assert rows(pulled) == 0
    assert len(pulled.rejects) == 5
    assert "without a zone" in of(pulled).why_partial


@pytest.mark.parametrize("body", [{}, {"errors": ["busy"]}, {"data": "none"}, []])
def test_an_answer_that_is_no_page_is_not_taken_for_silence(cloud: Cloud, body: object) -> None:
    whole = cloud.route
    cloud.route = lambda seen: reply_json(body) if "/history/" in seen.path else whole(seen)
    with cloud.client() as client:
        (pulled,) = read(client)
    assert pulled.frame is None
    assert "another shape" in str(pulled.error)


def test_one_odd_device_of_the_inventory_costs_no_other(cloud: Cloud) -> None:
    cloud.fill(first=DAY, days=1)
    listed = [
        None,
        7,
        {"serialNumber": "no id"},
        device(DEVICE, serial=SERIAL),
        {**device("id-2", serial="s-2"), "health": "fine", "dataprofile": []},
    ]
    whole = cloud.route
    cloud.route = lambda seen: (
        cloud.page(seen, listed) if seen.path.endswith("/devices") else whole(seen)
    )
    with cloud.client() as client:
        found = pull.inventory(client)["raw_belimo__devices"]
    assert found["serial_number"].to_list() == [SERIAL, "s-2"]


class Timeseries:
    """Buckets of a cloud; tests change its attributes."""

    def __init__(self, cloud: Cloud, *, minutes: int = 15) -> None:
        self.width = timedelta(minutes=minutes)
        self.most: int | None = None
        self.left_out: set[str] = set()
        self.times_left_out = 99
        self.resolution = f"{minutes}m"
        self.missing: list[int] = []
        other = cloud.route

        def route(seen: Seen) -> Reply:
            return self.answer(seen) if seen.path.endswith("/timeseries") else other(seen)

        cloud.route = route

    def answer(self, seen: Seen) -> Reply:
        start, end = at(seen.query["from"]), at(seen.query["to"])
        series = []
        for point in seen.query["datapointIds"].split(","):
            if point in self.left_out and self.times_left_out:
                self.times_left_out -= 1
                continue
            values = [
                {"timestamp": said(start + n * self.width), "value": n}
                for n in range(int((end - start) / self.width))
                if n not in self.missing or (end - start) < timedelta(hours=12)
            ]
            series.append({"datapointId": point, "values": values[: self.most]})
        return reply_json({"series": series, "resolution": self.resolution})


def buckets(cloud: Cloud) -> BelimoClient:
    return cloud.client(history_mode="timeseries", resolution="15m")


@pytest.mark.parametrize("most", [10, 50, 95])
def test_fewer_buckets_than_the_window_has_are_asked_for_again(cloud: Cloud, most: int) -> None:
    Timeseries(cloud).most = most
    with buckets(cloud) as client:
        (pulled,) = read(client)
    assert rows(pulled) == 96
    assert of(pulled).why_partial == ""


def test_a_hole_in_the_buckets_is_asked_for_again(cloud: Cloud) -> None:
    Timeseries(cloud).missing = [40, 41, 42]
    with buckets(cloud) as client:
        (pulled,) = read(client)
    assert rows(pulled) == 96


def test_a_datapoint_left_out_of_the_answer_is_asked_for_by_itself(cloud: Cloud) -> None:
    served = Timeseries(cloud)
    served.left_out, served.times_left_out = {HEAT}, 1
    with buckets(cloud) as client:
        (pulled,) = read(client)
    assert rows(pulled) == 96
    assert of(pulled).why_partial == ""


def test_a_datapoint_left_out_for_good_makes_the_device_partial(cloud: Cloud) -> None:
    Timeseries(cloud).left_out = {HEAT}
    with buckets(cloud) as client:
        (pulled,) = read(client, wanted={SERIAL: frozenset({HEAT, COLD})})
    assert rows(pulled) == 96
    assert "evcloud.210: asked for twice and left out" in of(pulled).why_partial


def test_buckets_of_another_width_than_asked_for_are_refused(cloud: Cloud) -> None:
    Timeseries(cloud).resolution = "1h"
    with buckets(cloud) as client:
        (pulled,) = read(client)
    assert pulled.frame is None
    assert "BELIMO_RESOLUTION" in str(pulled.error)
