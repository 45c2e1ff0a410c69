"""Devices, newest readings and history as the SkyCentrics cloud gives them."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from http.client import IncompleteRead
from typing import TYPE_CHECKING, Any

import pytest

from energy_platform.simulators.faults import Faults
from energy_platform.simulators.skycentrics import SkycentricsBehaviour, SkycentricsSimulator
from energy_platform.simulators.world import Event
from energy_platform_tests.simulators.skycentrics.caller import DATA, DEVICE, Caller

if TYPE_CHECKING:
    from energy_platform_tests.simulators.skycentrics.conftest import SetClock

CHARGE = "BESS_LIFETIME_CHARGE_COUNTER"
METER = "E30A_3_kWh_Energy:_3ph_Total"
STALE = "Weather_Station_Temp"


def test_a_device_is_described_in_the_vendors_words(caller: Caller) -> None:
    reply = caller.get(f"/api/devices/{DEVICE}/")
    assert reply.json == {
        "id": int(DEVICE),
        "user": 10001,
        "group": 2001,
        "type": 250,
        "client": 0,
        "mac": "020000000001",
        "name": "los-angeles-gateway",
    }
    assert b" " not in reply.body


def test_devices_can_be_found_by_their_mac(caller: Caller) -> None:
    assert len(caller.get("/api/devices/").json) == 2
    (found,) = caller.get("/api/devices/?mac=020000000002").json
    assert found["id"] == 1000000002


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (f"/api/devices/{DEVICE}", f"/api/devices/{DEVICE}/"),
        (DATA + "/?b=1", DATA + "?b=1"),
        ("/api/devices", "/api/devices/"),
    ],
)
def test_the_slash_must_be_right(
    skycentrics: SkycentricsSimulator, caller: Caller, wrong: str, right: str
) -> None:
    assert caller.get(wrong).status == 404
    skycentrics.behaviour = SkycentricsBehaviour(wrong_slash="redirect")
    reply = caller.get(wrong)
    assert (reply.status, reply.headers["location"]) == (301, right)


def test_the_newest_data_have_every_oddity_of_a_real_gateway(caller: Caller) -> None:
    reply = caller.get(DATA)
    assert b'":' in reply.body
    assert b'": ' not in reply.body
    body = reply.json
    assert list(body) == ["device", "ct", "sensors", "time"]
    assert (body["device"], body["ct"]) == (int(DEVICE), [])
    assert body["time"] == "2026-01-01 12:00:01Z"
    sensors = {sensor["id"]: sensor for sensor in body["sensors"]}
    assert len(sensors) >= 55
    assert list(sensors[METER]) == ["data", "id", "name", "time", "type", "units"]
    assert all(sensor["name"].replace(" ", "_") == key for key, sensor in sensors.items())
    noon = int(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp())
    assert {sensor["time"] for key, sensor in sensors.items() if key != STALE} == {noon}
    assert sensors[STALE]["time"] <= noon - 86_400
    types = {type(sensor["data"]) for sensor in sensors.values()}
    assert types == {float, int, str}
    assert {"W", "kW", "kVAR", "kWh", "%", "V", "A", "Hz", "luxes", "% of Wmax", ""} == {
        sensor["units"] for sensor in sensors.values()
    }
    assert sensors["SSU_[0062]_BV420_ZStat"]["data"] in {"active", "inactive"}
    pair = (sensors["Legacy_Meter_kW"]["data"], sensors["Legacy_Meter_kW_DUP"]["data"])
    assert pair[0] != pair[1]
    for counter in (CHARGE, CHARGE.replace("CHARGE", "DISCHARGE")):
        assert sensors[counter]["data"] > 1e8
        assert sensors[counter]["data"] % 65_536 == 0


def test_one_sensor_comes_and_goes(caller: Caller, clock: SetClock) -> None:
    pump = "Cellar_Pump_Power"
    seen = []
    for _ in range(4):
        seen.append(pump in caller.sensors())
        clock.advance(hours=6)
    assert seen == [True, False, True, False]


def test_a_poll_within_the_minute_brings_nothing_new(caller: Caller, clock: SetClock) -> None:
    first = caller.get(DATA).body
    clock.advance(seconds=20)
    assert caller.get(DATA).body == first
    clock.advance(seconds=20)
    assert caller.sensors()[METER]["time"] == json.loads(first)["sensors"][0]["time"] + 60


def test_the_counter_tells_the_true_energy(
    skycentrics: SkycentricsSimulator, caller: Caller, clock: SetClock
) -> None:
    first = caller.sensors()[METER]
    clock.advance(days=2)
    second = caller.sensors()[METER]
    signal = skycentrics.world.signals[f"skycentrics/{DEVICE}/{METER}"]
    truth_wh = signal.true_energy_wh(first["time"], second["time"])
    assert (second["data"] - first["data"]) * 1000 == pytest.approx(truth_wh, abs=20)


DAY = f"{DATA}?b=2026-01-01T00:00:00&e=2026-01-02T00:00:00&g=1"


def test_there_is_no_history_unless_it_is_switched_on(caller: Caller) -> None:
    reply = caller.get(DAY)
    assert (reply.status, reply.json) == (404, {"error": {"message": "not found"}})


@pytest.fixture
def history(skycentrics: SkycentricsSimulator) -> SkycentricsSimulator:
    skycentrics.behaviour = SkycentricsBehaviour(history=True)
    return skycentrics


def records(caller: Caller, target: str) -> list[dict[str, Any]]:
    reply = caller.get(target)
    assert reply.status == 200, reply
    found: list[dict[str, Any]] = reply.json
    return found


def test_history_is_gzip_when_asked_for_and_json_otherwise(
    history: SkycentricsSimulator, caller: Caller
) -> None:
    zipped = caller.get(DAY, accept="application/gzip")
    assert zipped.body[:2] == b"\x1f\x8b"
    assert zipped.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in zipped.headers
    plain = caller.get(DAY)
    assert gzip.decompress(zipped.body) == plain.body
    history.faults.set("gzip_ignored=1")
    assert caller.get(DAY, accept="application/gzip").body == plain.body


def test_history_repeats_what_the_polls_saw(
    history: SkycentricsSimulator, caller: Caller, clock: SetClock
) -> None:
    clock.now = datetime(2026, 1, 1, 5, 40, 0, tzinfo=UTC)
    polled = []
    for _ in range(40):
        polled.append(caller.get(DATA).json["sensors"])
        clock.advance(minutes=1)
    window = f"{DATA}?b=2026-01-01T05:40:00&e=2026-01-01T06:19:00&g=1"
    assert [record["sensors"] for record in records(caller, window)] == polled


def test_history_has_text_times_without_zone_and_59_59_for_the_full_hour(
    history: SkycentricsSimulator, caller: Caller
) -> None:
    found = records(caller, f"{DATA}?b=2026-01-01T00:58:00&e=2026-01-01T01:01:00&g=1")
    assert [record["time"] for record in found] == [
        "2026-01-01 00:58:00",
        "2026-01-01 00:59:00",
        "2026-01-01 00:59:59",
        "2026-01-01 01:01:00",
    ]


def test_two_windows_share_the_record_at_their_border(
    history: SkycentricsSimulator, caller: Caller
) -> None:
    first = records(caller, f"{DATA}?b=2026-01-01T00:00:00&e=2026-01-01T03:00:00&g=15")
    second = records(caller, f"{DATA}?b=2026-01-01T03:00:00&e=2026-01-01T06:00:00&g=15")
    assert len(first) == len(second) == 13
    assert first[-1] == second[0]


def test_history_ends_now_and_may_be_empty(history: SkycentricsSimulator, caller: Caller) -> None:
    assert len(records(caller, DAY)) == 12 * 60 + 1
    assert records(caller, DAY.replace("2026", "2027")) == []


@pytest.mark.parametrize(
    "query",
    [
        "b=2026-01-01T00:00:00Z&e=2026-01-02T00:00:00&g=1",
        "b=2026-01-01&e=2026-01-02&g=1",
        "b=2026-01-01T00:00:00&g=1",
        "b=2026-01-01T00:00:00&e=2026-01-02T00:00:00&g=0",
        "b=2026-01-02T00:00:00&e=2026-01-01T00:00:00&g=1",
        "b=2025-01-02T00:00:00&e=2026-01-01T00:00:00&g=1",
    ],
)
def test_a_malformed_window_is_told(
    history: SkycentricsSimulator, caller: Caller, query: str
) -> None:
    reply = caller.get(f"{DATA}?{query}")
    assert reply.status == 400
    assert reply.json["error"]["message"]


def test_late_samples_fill_the_history_afterwards(
    history: SkycentricsSimulator, caller: Caller, clock: SetClock
) -> None:
    start = datetime(2026, 1, 1, 10, tzinfo=UTC)
    history.world.add_event(
        Event(
            signal=f"skycentrics/{DEVICE}/{METER}",
            kind="late",
            start=start,
            end=start + timedelta(minutes=30),
            visible_from=start + timedelta(hours=5),
        )
    )
    window = f"{DATA}?b=2026-01-01T10:00:00&e=2026-01-01T10:29:00&g=1"

    def times() -> set[int]:
        found = records(caller, window)
        return {s["time"] for record in found for s in record["sensors"] if s["id"] == METER}

    assert times() == {int(start.timestamp()) - 60}
    clock.advance(hours=4)
    assert len(times()) == 30


def test_nulls_and_texts_come_where_numbers_were(
    skycentrics: SkycentricsSimulator, caller: Caller
) -> None:
    skycentrics.faults.set("null_data=1")
    sensors = caller.sensors()
    assert sum(sensor["data"] is None for sensor in sensors.values()) > 5
    skycentrics.faults.set("text_data=1")
    text, number = (caller.sensors()["BESS_STATE_OF_CHARGE"]["data"] for _ in range(2))
    assert text == str(number)


def test_text_states_may_turn_boolean(skycentrics: SkycentricsSimulator, caller: Caller) -> None:
    skycentrics.faults.set("boolean_data")
    assert isinstance(caller.sensors()["SSU_[0062]_BV420_ZStat"]["data"], bool)


def test_unknown_keys_may_appear_anywhere(
    skycentrics: SkycentricsSimulator, caller: Caller
) -> None:
    skycentrics.faults.set("unknown_key")
    body = caller.get(DATA).json
    assert body["ct"][0]["power"].keys() == {"apparent", "real"}
    assert "connection" in body
    assert "quality" in body["sensors"][0]
    assert "fw" in caller.get(f"/api/devices/{DEVICE}/").json


@pytest.mark.parametrize(
    ("fault", "shift"), [("time_back", -3600), ("time_future", 3600), ("time_zero", None)]
)
def test_sensor_times_may_go_astray(
    skycentrics: SkycentricsSimulator, caller: Caller, fault: str, shift: int | None
) -> None:
    before = caller.sensors()[METER]["time"]
    skycentrics.faults.set(f"{fault}=1")
    assert caller.sensors()[METER]["time"] == (0 if shift is None else before + shift)
    assert caller.sensors()[METER]["time"] == before


def test_history_may_lack_sensor_times(history: SkycentricsSimulator, caller: Caller) -> None:
    history.faults.set("no_sensor_time")
    found = records(caller, DAY)
    assert not any("time" in sensor for sensor in found[0]["sensors"])


def test_repaired_words_let_the_counter_fall_by_65536(
    skycentrics: SkycentricsSimulator, caller: Caller
) -> None:
    before = caller.sensors()
    skycentrics.faults.set("word_repair")
    after = caller.sensors()
    assert after[CHARGE]["data"] == before[CHARGE]["data"] / 65_536
    assert after[METER]["data"] == before[METER]["data"]


def test_general_faults_strike_here_too(skycentrics: SkycentricsSimulator, caller: Caller) -> None:
    skycentrics.faults.set("http_503=1 html=1")
    assert [caller.get(DATA).status for _ in range(2)] == [503, 200]
    assert caller.get(DATA).json["sensors"]
    assert skycentrics.requests["GET data", 503] == 1


def test_a_body_may_be_cut(skycentrics: SkycentricsSimulator, caller: Caller) -> None:
    skycentrics.faults.set("cut_body=1")
    with pytest.raises(IncompleteRead):
        caller.get(DATA)


def test_faults_can_be_given_as_text() -> None:
    simulator = SkycentricsSimulator(faults=Faults.parse("http_429=1"))
    simulator.faults.set("time_back=0.5")
    assert set(simulator.faults.names()) == {"http_429", "time_back"}
