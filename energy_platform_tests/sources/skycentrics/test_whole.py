"""Gateways that give less than a day: what is missing is found, asked for again, or said."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from energy_platform.schemas import violations
from energy_platform.sources.coverage import SeriesBefore
from energy_platform.sources.http.errors import PermanentError, VendorError
from energy_platform.sources.registry import tables
from energy_platform.sources.skycentrics import Landing, pull
from energy_platform_tests.sources.http.loopback import Reply, Seen, reply_json
from energy_platform_tests.sources.skycentrics.cloud import (
    GATEWAY,
    Cloud,
    answer,
    records,
    sensor,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from energy_platform.sources.base import DayPull
    from energy_platform.sources.coverage import Before, DeviceDay
    from energy_platform.sources.skycentrics import SkycentricsClient

DAY = "2026-01-01"
OTHER = "1000000002"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
LATER = MIDNIGHT + timedelta(days=40)
SAMPLES = tables()["raw_skycentrics__samples"]
SPOKE = SeriesBefore(1440, timedelta(minutes=1), timedelta(minutes=1))


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud().running() as server:
        assert isinstance(server, Cloud)
        yield server


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


def minute(number: int) -> datetime:
    return MIDNIGHT + timedelta(minutes=number)


def land(
    landing: Landing, polled_at: datetime, *sensors: dict[str, Any], gateway: str = GATEWAY
) -> None:
    landing.append(device_id=gateway, polled_at=polled_at, body=answer(*sensors))


def merge_polls(
    landing: Landing,
    *,
    client: SkycentricsClient | None = None,
    until: datetime = LATER,
    device_ids: Sequence[str] = (GATEWAY,),
    before: Before | None = None,
    **changes: Any,
) -> DayPull:
    pulled = pull.day(
        client,
        landing=landing,
        day=DAY,
        until=until,
        device_ids=device_ids,
        before=before,
        **{"poll_s": 60, **changes},
    )
    assert pulled.frame is not None
    assert violations(pulled.frame, table=SAMPLES) == []
    return pulled


def of(pulled: DayPull, gateway: str = GATEWAY) -> DeviceDay:
    (one,) = [one for one in pulled.devices if one.device == gateway]
    return one


def rows(pulled: DayPull) -> int:
    assert pulled.frame is not None
    return pulled.frame.height


def histories(cloud: Cloud) -> list[Seen]:
    return [seen for seen in cloud.seen if "b" in seen.query]


def serve(cloud: Cloud, behaviour: Callable[[list[Any]], list[Any]]) -> None:
    """Let the history answer with what ``behaviour`` makes of the right records."""
    cloud.packs = False
    whole = cloud.route

    def route(seen: Seen) -> Reply:
        reply = whole(seen)
        if "b" not in seen.query or reply.status != 200:
            return reply
        return reply_json(behaviour(json.loads(reply.body)))

    cloud.route = route


def test_polls_that_cover_the_day_show_it_to_be_whole(landing: Landing) -> None:
    for number in range(60):
        land(landing, minute(number), sensor(minute(number)), sensor(minute(number), id="Other"))
    pulled = merge_polls(landing, until=minute(60))
    assert of(pulled) == (GATEWAY, 2, 2, 120, minute(0), minute(59), "")


def test_a_gap_between_polls_is_said_with_from_and_to(landing: Landing) -> None:
    for number in (*range(30), *range(90, 120)):
        land(landing, minute(number), sensor(minute(number)))
    assert of(merge_polls(landing, until=minute(120))).why_partial == (
        "no polls and no history (UTC): 00:29 to 01:30"
    )


@pytest.mark.parametrize("most", [1, 20, 47, 500, 1000, 1439])
@pytest.mark.parametrize("end", ["oldest", "newest"])
def test_history_cut_at_any_number_is_asked_for_again(
    cloud: Cloud, landing: Landing, most: int, end: str
) -> None:
    step = timedelta(minutes=1 if most > 200 else 30)
    cloud.records = records(MIDNIGHT, count=int(timedelta(days=1) / step), step=step)
    serve(cloud, lambda found: found[:most] if end == "oldest" else found[-most:])
    gap = int(step / timedelta(minutes=1))
    with cloud.client(history="on", history_gap=gap) as client:
        pulled = merge_polls(landing, client=client)
    assert rows(pulled) == len(cloud.records)
    assert of(pulled).why_partial == ""
    assert any("cuts its history" in one and GATEWAY in one for one in pulled.warnings)


def test_history_that_leaves_a_hole_is_asked_for_the_hole_once(
    cloud: Cloud, landing: Landing
) -> None:
    cloud.records = records(MIDNIGHT, count=1441, step=timedelta(minutes=1))
    del cloud.records[600:700]
    with cloud.client(history="on") as client:
        pulled = merge_polls(landing, client=client)
    assert rows(pulled) == 1340
    assert of(pulled).why_partial == "no polls and no history (UTC): 09:59 to 11:40"
    assert [(one.query["b"][11:16], one.query["e"][11:16]) for one in histories(cloud)] == [
        ("00:00", "00:00"),
        ("10:00", "11:39"),
    ]


def test_a_window_that_is_too_long_for_the_vendor_is_asked_for_in_halves(
    cloud: Cloud, landing: Landing
) -> None:
    cloud.records = records(MIDNIGHT, count=1440, step=timedelta(minutes=1))
    whole = cloud.route

    def route(seen: Seen) -> Reply:
        if "b" in seen.query:
            begin, end = (datetime.fromisoformat(seen.query[name]) for name in ("b", "e"))
            if end - begin > timedelta(hours=7):
                return reply_json({"error": {"message": "too long"}}, status=400)
        return whole(seen)

    cloud.route = route
    with cloud.client(history="on") as client:
        pulled = merge_polls(landing, client=client)
    assert rows(pulled) == 1440
    assert of(pulled).why_partial == ""


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_one_refusing_gateway_costs_no_other(cloud: Cloud, landing: Landing, status: int) -> None:
    cloud.gateways = [GATEWAY, OTHER]
    cloud.records = records(MIDNIGHT, count=1440, step=timedelta(minutes=1))
    whole = cloud.route
    cloud.route = lambda seen: Reply(status=status) if f"/{GATEWAY}/" in seen.path else whole(seen)
    for number in range(30):
        land(landing, minute(number), sensor(minute(number)))
    with cloud.client(history="on", attempts=1) as client:
        pulled = merge_polls(landing, client=client, device_ids=[GATEWAY, OTHER])
    assert of(pulled).rows == 30
    assert f"history: HTTP {status}" in of(pulled).why_partial
    assert "00:29 to 00:00" in of(pulled).why_partial
    assert of(pulled, OTHER).rows == 1440
    assert of(pulled, OTHER).why_partial == ""
    assert any(str(status) in one and GATEWAY in one for one in pulled.warnings)


def test_the_first_gateway_without_history_hides_no_other_ones(
    cloud: Cloud, landing: Landing
) -> None:
    cloud.gateways = [GATEWAY, OTHER]
    cloud.records = records(MIDNIGHT, count=1440, step=timedelta(minutes=1))
    whole = cloud.route
    cloud.route = lambda seen: Reply(status=404) if f"/{GATEWAY}/" in seen.path else whole(seen)
    with cloud.client() as client:
        pulled = merge_polls(landing, client=client, device_ids=[GATEWAY, OTHER])
    assert of(pulled, OTHER).rows == 1440


def test_a_vendor_of_which_nothing_comes_fails_the_day(cloud: Cloud, landing: Landing) -> None:
    cloud.gateways = [GATEWAY, OTHER]
    cloud.history_status = 502
    with cloud.client(history="on", attempts=1) as client, pytest.raises(VendorError) as caught:
        merge_polls(landing, client=client, device_ids=[GATEWAY, OTHER])
    assert caught.value.day == DAY


def test_an_account_without_gateways_is_no_empty_day(landing: Landing) -> None:
    with pytest.raises(PermanentError, match="no gateway"):
        merge_polls(landing, device_ids=[])


def test_a_gateway_that_the_account_lists_no_more_is_said(landing: Landing) -> None:
    land(landing, minute(0), sensor(minute(0)))
    pulled = merge_polls(landing, until=minute(2), before={(OTHER, "Meter_1"): SPOKE})
    assert of(pulled, OTHER)[1:4] == (1, 0, 0)
    assert "lists it no more" in of(pulled, OTHER).why_partial
    assert any(OTHER in warning for warning in pulled.warnings)
    assert of(pulled).why_partial == ""


def test_a_gateway_left_out_is_neither_read_nor_missed(cloud: Cloud, landing: Landing) -> None:
    cloud.gateways = [GATEWAY, OTHER]
    land(landing, minute(0), sensor(minute(0)))
    land(landing, minute(0), sensor(minute(0)), gateway=OTHER)
    with cloud.client() as client:
        pulled = merge_polls(
            landing,
            client=client,
            device_ids=[GATEWAY, OTHER],
            until=minute(2),
            before={(OTHER, "Meter_1"): SPOKE},
            left_out=frozenset({OTHER}),
        )
    assert [one.device for one in pulled.devices] == [GATEWAY]
    assert pulled.warnings == ()


def test_a_sensor_that_spoke_before_and_is_in_no_answer_is_said(landing: Landing) -> None:
    for number in range(1440):
        if number % 60 == 0:
            land(landing, minute(number), sensor(minute(number)))
    before: Before = {(GATEWAY, "Meter_1"): SPOKE, (GATEWAY, "Gone_2"): SPOKE}
    pulled = merge_polls(landing, before=before, poll_s=3600)
    assert of(pulled)[1:3] == (2, 1)
    assert of(pulled).why_partial == "", "what the gateway does not upload nobody can ask for"
    assert any("Gone_2" in warning and "Meter_1" not in warning for warning in pulled.warnings)


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (sensor(None, 7.0, id="odd"), "no time"),
        ({"id": "odd", "data": 7.0}, "no time"),
        (sensor(0, 7.0, id="odd"), "no epoch second"),
        (sensor(-5, 7.0, id="odd"), "no epoch second"),
        (sensor(1_767_225_600_000, 7.0, id="odd"), "no epoch second"),
        (sensor(10**30, 7.0, id="odd"), "no epoch second"),
        ({**sensor(0, 7.0, id="odd"), "time": "2026-01-01 00:00:00"}, "no epoch second"),
        ({**sensor(0, 7.0, id="odd"), "time": True}, "no epoch second"),
        ({**sensor(0, 7.0), "id": None}, "no sensor"),
        ({**sensor(0, 7.0), "id": ""}, "no sensor"),
        ({"data": 7.0}, "no sensor"),
        (7, "no sensor"),
        ("x", "no sensor"),
        ([1], "no sensor"),
    ],
)
def test_an_odd_sensor_is_set_aside_and_costs_no_other(
    landing: Landing, odd: Any, reason: str
) -> None:
    land(landing, minute(0), sensor(minute(0), 1.0), odd, sensor(minute(0), 2.0, id="Z"))
    pulled = merge_polls(landing, until=minute(2))
    assert rows(pulled) == 2
    (reject,) = pulled.rejects
    assert reason in reject.reason
    assert reject.device == GATEWAY
    assert "7" in (reject.value_text or "") or reason == "no sensor"


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_number_that_json_does_not_have_costs_no_poll(landing: Landing, literal: str) -> None:
    body = answer(sensor(minute(0), "@", id="a"), sensor(minute(0), 2.0, id="b"))
    landing.append(
        device_id=GATEWAY, polled_at=minute(0), body=body.replace(b'"@"', literal.encode())
    )
    pulled = merge_polls(landing, until=minute(2))
    assert pulled.frame is not None
    assert pulled.frame.select("value", "value_text").rows() == [(None, literal), (2.0, None)]


@pytest.mark.parametrize("odd", [None, 7, "x", {"sensors": 7}, {"time": "2026-01-01 00:05:00"}, []])
def test_an_odd_history_record_costs_no_other(cloud: Cloud, landing: Landing, odd: object) -> None:
    cloud.records = records(MIDNIGHT, count=1440, step=timedelta(minutes=1))
    serve(cloud, lambda found: [*found[:20], odd, *found[20:]])
    with cloud.client(history="on") as client:
        pulled = merge_polls(landing, client=client)
    assert rows(pulled) == 1440


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[: len(data) // 2],
    "bytes": lambda _data: bytes(range(256)) * 9,
    "flipped": lambda data: data[: len(data) // 2] + b"\xff\x00\xff" + data[len(data) // 2 + 3 :],
    "zeros": lambda data: b"\0" * len(data),
    "text": lambda _data: b"nonsense\nmore nonsense\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("is_packed", [True, False])
def test_a_damaged_landing_file_is_said_and_costs_no_other_gateway(
    tmp_path: Path, damage: str, *, is_packed: bool
) -> None:
    landing = Landing(tmp_path)
    for number in range(60):
        for gateway in (GATEWAY, OTHER):
            land(landing, minute(number), sensor(minute(number)), gateway=gateway)
    if is_packed:
        landing.archive(today="2026-02-01")
    (path,) = (tmp_path / f"day={DAY}").glob(f"{GATEWAY}.jsonl*")
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    pulled = merge_polls(landing, device_ids=[GATEWAY, OTHER], until=minute(60))
    assert of(pulled, OTHER).rows == 60
    assert of(pulled, OTHER).why_partial == ""
    assert of(pulled).why_partial or of(pulled).rows >= 58
    assert any(GATEWAY in warning for warning in pulled.warnings)
    if damage == "bytes" or (damage == "cut" and is_packed):
        assert path.name in of(pulled).why_partial
    if damage == "cut":
        assert of(pulled).rows > 5, "what lies before the damage is had"
    # Polls that come later for this day, and its next archiving, must not stumble either.
    land(landing, minute(59) + timedelta(seconds=30), sensor(minute(59)))
    landing.archive(today="2026-02-01")
    again = merge_polls(landing, device_ids=[GATEWAY], until=minute(60))
    assert of(again).rows >= of(pulled).rows


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"\xff\xfe\x00",
        b"[]",
        b'{"polled_at":"2026-01-01T00:10:30","device_id":"1000000001","answer":{"sensors":[]}}',
        b'{"polled_at":"2026-01-01T00:10:30Z","device_id":"7","answer":{"sensors":[]}}',
        b'{"polled_at":"2026-01-01T00:10:30Z","device_id":"1000000001","answer":null}',
        b"[" * 100_000,
    ],
)
def test_a_line_of_nonsense_in_the_middle_is_skipped_and_said(tmp_path: Path, line: bytes) -> None:
    landing = Landing(tmp_path)
    for number in range(20):
        land(landing, minute(number), sensor(minute(number)))
    path = tmp_path / f"day={DAY}" / f"{GATEWAY}.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:10], line, *lines[10:]]) + b"\n")
    pulled = merge_polls(landing, until=minute(20))
    assert rows(pulled) == 20
    assert any("1 lines cannot be read" in warning for warning in pulled.warnings)


def test_a_stray_folder_among_the_days_stops_no_archiving(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, minute(0), sensor(minute(0)))
    (tmp_path / "day=copy of 2026").mkdir()
    assert landing.days() == [DAY]
    assert landing.archive(today="2026-02-01").compressed == 1


def test_one_refusing_gateway_keeps_its_place_in_the_inventory(cloud: Cloud) -> None:
    cloud.gateways = [GATEWAY, OTHER]
    whole = cloud.route
    cloud.route = lambda seen: Reply(status=500) if f"/{OTHER}/" in seen.path else whole(seen)
    with cloud.client(attempts=1) as client:
        frames = pull.inventory(client)
    assert frames["raw_skycentrics__devices"]["id"].to_list() == [GATEWAY, OTHER]
    assert set(frames["raw_skycentrics__sensors"]["device_id"]) == {GATEWAY}


def test_an_odd_element_of_the_listing_costs_no_gateway(cloud: Cloud) -> None:
    whole = cloud.route
    cloud.route = lambda seen: (
        reply_json([None, 7, {"id": None}, {"id": int(GATEWAY), "type": "gateway"}])
        if seen.path == "/api/devices/"
        else whole(seen)
    )
    with cloud.client() as client:
        assert client.device_ids() == [GATEWAY]


def test_a_gzip_history_with_an_odd_number_is_read(cloud: Cloud, landing: Landing) -> None:
    cloud.records = records(MIDNIGHT, count=1440, step=timedelta(minutes=1))
    whole = cloud.route

    def route(seen: Seen) -> Reply:
        reply = whole(seen)
        if "b" not in seen.query:
            return reply
        body = gzip.decompress(reply.body).replace(b'"data": 5.0', b'"data": NaN')
        return Reply(body=gzip.compress(body))

    cloud.route = route
    with cloud.client(history="on") as client:
        pulled = merge_polls(landing, client=client)
    assert rows(pulled) == 1440
    assert pulled.frame is not None
    assert pulled.frame["value_text"].to_list().count("NaN") == 1
