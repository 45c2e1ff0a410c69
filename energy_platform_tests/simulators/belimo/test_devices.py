"""Devices, stats, profiles and state of the Belimo Cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from energy_platform.simulators.belimo import BelimoSimulator
from energy_platform_tests.simulators.web import HTTP

from .cloud import Cloud, device_id, token, valve

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite


def test_the_default_page_holds_twenty_of_them(suite: SimulatorSuite) -> None:
    page = Cloud(suite).get("/devices", state="REGISTERED").json()
    assert len(page["data"]) == 20
    assert page["paging"] == {"total": 28, "offset": 0, "limit": 20}
    assert page["filter"] == {"state": "REGISTERED"}


@pytest.mark.parametrize("limit", [1, 7, 20, 500, 2000])
def test_every_page_size_lists_the_same_devices(suite: SimulatorSuite, limit: int) -> None:
    found = Cloud(suite).devices(state="REGISTERED", limit=limit, sortBy="id")
    ids = [device["id"] for device in found]
    assert len(ids) == len(set(ids)) == 28
    assert ids == sorted(ids)


def test_all_is_the_default_and_includes_unregistered_devices(suite: SimulatorSuite) -> None:
    cloud = Cloud(suite)
    assert len(cloud.devices(limit=100)) == 30
    spare = cloud.devices(state="UNREGISTERED", limit=100)
    assert [device["owner"] for device in spare] == [None, None]


def test_search_looks_at_names_and_serial_numbers_and_must_not_be_empty(
    suite: SimulatorSuite,
) -> None:
    cloud = Cloud(suite)
    serial = valve(suite)
    assert [one["serialNumber"] for one in cloud.devices(search=serial)] == [serial]
    assert len(cloud.devices(search="kolkata")) >= 6
    assert cloud.devices(search="zzz") == []
    assert cloud.get("/devices", search="").status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"limit": 2001},
        {"limit": 0},
        {"offset": -1},
        {"state": "LOST"},
        {"sortBy": "colour"},
        {"limit": "many"},
        {"sortDirection": "UP"},
    ],
)
def test_a_wrong_parameter_is_a_400_with_an_errors_member(
    suite: SimulatorSuite, change: dict[str, str | int]
) -> None:
    refused = Cloud(suite).get("/devices", **change)
    assert refused.status_code == 400
    assert refused.json()["errors"]


def test_a_limit_above_the_maximum_can_be_cut_instead(suite: SimulatorSuite) -> None:
    suite.set_faults(["belimo:clamp_limit"])
    page = Cloud(suite).get("/devices", limit=5000).json()
    assert page["paging"]["limit"] == 2000


def test_odd_devices_are_there(suite: SimulatorSuite) -> None:
    devices = Cloud(suite).devices(state="REGISTERED", limit=100)
    assert sum(device["dataprofile"] is None for device in devices) == 2
    assert sum("lastSeen" not in device["health"] for device in devices) == 1
    states = [device["health"]["state"] for device in devices]
    assert (states.count("ERROR"), states.count("WARNING")) == (1, 1)
    assert any(device["displayName"] == device["serialNumber"] for device in devices)


def test_stats_count_online_and_problems(suite: SimulatorSuite) -> None:
    cloud = Cloud(suite)
    stats = cloud.get("/devices/stats").json()
    assert stats["totalDevices"] == 28
    assert sum(stats["connection"].values()) == 28
    assert stats["connection"]["offline"] >= 1
    assert stats["health"] == {"problem": 2, "ok": 26}
    assert cloud.get("/devices/stats", owner="other").json()["totalDevices"] == 0


def test_a_state_has_one_timestamp_and_every_type_of_value(suite: SimulatorSuite) -> None:
    cloud = Cloud(suite)
    identity = device_id(suite, valve(suite))
    near = cloud.get(f"/devices/{identity}").json()["state"]
    state = cloud.get(f"/devices/{identity}/data").json()
    assert state == near
    assert state["timestamp"].startswith("2026-03-03T11:5")
    assert state["timestamp"].endswith(".000Z")
    values = {key: point["value"] for key, point in state["datapoints"].items()}
    assert isinstance(values["evcloud.210"], float)
    assert 1e9 < values["evcloud.210"] < 1e13
    assert isinstance(values["evcloud.120"], int)
    assert isinstance(values["evcloud.300"], bool)
    assert values["default.1"] in {"OK", "WARN"}


def test_a_state_of_the_past_can_be_asked_for_in_two_ways(suite: SimulatorSuite) -> None:
    cloud = Cloud(suite)
    path = f"/devices/{device_id(suite, valve(suite))}/data"
    iso = cloud.get(path, at="2026-01-01T06:00:00Z").json()
    assert iso == cloud.get(path, at=1_767_247_200_000).json()
    assert iso["timestamp"] <= "2026-01-01T06:00:00.000Z"


def test_profiles_say_units_except_where_they_do_not(suite: SimulatorSuite) -> None:
    cloud = Cloud(suite)
    profile = cloud.get("/definitions/dataprofiles/energyvalve3/1.2", expanded="true").json()
    features = {one["id"]: one["featureValues"] for one in profile["datapoints"]}
    assert features["evcloud.200"]["default.unit"] == "J"
    assert "default.unit" not in features["evcloud.210"]
    assert features["evcloud.210"]["default.description"].endswith(" in J")
    # The vendor's own example reads every description of this profile.
    assert all(one["default.description"] for one in features.values())
    assert all(isinstance(text, str) for one in features.values() for text in one.values())


def test_a_datapoint_of_another_profile_has_no_description(suite: SimulatorSuite) -> None:
    path = "/definitions/dataprofiles/device.belimo.energy-valve-Version3/1.2.2"
    profile = Cloud(suite).get(path, expanded="true").json()
    features = {one["id"]: one["featureValues"] for one in profile["datapoints"]}
    assert "default.description" not in features["evcloud.120"]


def test_profiles_are_listed_found_by_last_and_shortened_on_request(suite: SimulatorSuite) -> None:
    cloud = Cloud(suite)
    listed = cloud.get("/definitions/dataprofiles", expanded="false").json()
    assert listed["paging"]["total"] == 2
    assert all("datapoints" not in profile for profile in listed["data"])
    entity = "device.belimo.energy-valve-Version3"
    assert cloud.get(f"/definitions/dataprofiles/{entity}/last").json()["version"] == "1.2.2"
    assert cloud.get("/definitions/dataprofiles/nothing/1.0").status_code == 404
    datapoint = cloud.get("/definitions/datapoints/evcloud.210/last").json()
    assert datapoint["featureValues"]["default.name"] == "heatingEnergy"


def test_the_version_needs_no_token_and_everything_else_does(suite: SimulatorSuite) -> None:
    base = suite.environment()["BELIMO_API_URL"]
    assert HTTP.get(base + "/api-info").json() == {"version": "3.5.0"}
    assert HTTP.get(base + "/devices").json() == {"error": "invalid_token"}


def test_a_transferred_device_has_a_new_id_and_its_history_begins_anew(
    suite: SimulatorSuite,
) -> None:
    cloud, serial = Cloud(suite), valve(suite, number=3)
    old = device_id(suite, serial)
    before = cloud.raw(old)["paging"]["total"]
    new = HTTP.post(suite.url("control") + "/transfer", json={"serial": serial}).json()["id"]
    assert new != old
    assert cloud.get(f"/devices/{old}").status_code == 403
    assert [one["id"] for one in cloud.devices(search=serial)] == [new]
    assert before > 0
    assert cloud.raw(new)["paging"]["total"] == 0
    types = [one["type"] for one in cloud.get(f"/devices/{new}/timeline").json()["data"]]
    assert types[0] == "OWNER_CHANGE"
    moved = suite.simulator(BelimoSimulator).transfer(serial, with_data=True)
    assert moved not in {old, new}


def test_a_transfer_can_be_switched_on_by_name(suite: SimulatorSuite) -> None:
    cloud = Cloud(suite)
    first = {one["serialNumber"]: one["id"] for one in cloud.devices(limit=100)}
    suite.set_faults(["belimo:transfer=9"])
    second = {one["serialNumber"]: one["id"] for one in cloud.devices(limit=100)}
    changed = [serial for serial, identity in first.items() if second[serial] != identity]
    assert len(changed) == 1


def test_two_requests_a_second_can_be_enforced(suite: SimulatorSuite) -> None:
    cloud = Cloud(suite)
    suite.set_faults(["belimo:rate_limit=2:retry_after=1"])
    answers = [cloud.get("/devices/stats") for _ in range(4)]
    assert [answer.status_code for answer in answers].count(429) >= 1
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "1"


def test_a_write_is_refused_and_remembered(suite: SimulatorSuite) -> None:
    cloud, identity = Cloud(suite), device_id(suite, valve(suite))
    assert cloud.post(f"/devices/{identity}/data", {"evcloud.120": 1}).status_code in {403, 405}
    assert suite.simulator(BelimoSimulator).writes[-1].startswith("POST /api/v3/devices/")


def test_the_change_stream_sends_devices_and_heartbeats(suite: SimulatorSuite) -> None:
    cloud, identity = Cloud(suite), device_id(suite, valve(suite))
    opened = cloud.post("/devices/change-stream", {"includedDeviceIds": [identity]}).json()
    url = f"{suite.environment()['BELIMO_API_URL']}/devices/change-stream/{opened['token']}"
    headers = {"authorization": f"Bearer {token(suite).json()['access_token']}"}
    with HTTP.stream("GET", url, headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines) == ":heartbeat"
        event = next(line for line in lines if line.startswith("data:"))
    content = msgspec.json.decode(event.removeprefix("data:"))
    assert content["deviceId"] == identity
    assert content["device"]["state"]["datapoints"]
