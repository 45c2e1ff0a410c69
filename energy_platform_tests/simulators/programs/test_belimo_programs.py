"""Belimo's published programs run against the simulator as they run against the cloud."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from energy_platform.simulators.belimo import ACCOUNT as BELIMO
from energy_platform_tests.simulators.web import HTTP

from .belimo_sample import (
    Session,
    daily_kwh,
    descriptions,
    devices_called,
    log_in,
    node_red_log_in,
)

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite


def test_the_python_example_goes_from_the_login_to_daily_energies(suite: SimulatorSuite) -> None:
    session = log_in(suite)
    stats = session.get("/devices/stats")
    found = devices_called(session, "Heizung")
    assert 0 < len(found) < stats["totalDevices"]
    texts = descriptions(session, "energyvalve3/1.2")
    energies = {key: text for key, text in texts.items() if "Energy" in text}
    assert energies == {
        "evcloud.200": "Cooling Energy in J",
        "evcloud.210": "Heating Energy in J",
    }
    for device in found:
        state = session.get(f"/devices/{device['id']}")["state"]["datapoints"]
        assert all(state[datapoint]["value"] > 0 for datapoint in energies)
    first = found[0]
    window = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}
    daily = daily_kwh(session, first["id"], "evcloud.210", **window)
    assert len(daily) == 30
    key = f"belimo/{first['serialNumber']}/evcloud.210"
    for day, kwh in daily.items():
        start = datetime.fromisoformat(day).astimezone(UTC).timestamp()
        true_wh = suite.world.signals[key].true_energy_wh(start, start + 86_400)
        assert kwh == pytest.approx(true_wh / 1_000, rel=0.01)


def test_the_example_can_read_every_device_that_it_finds(suite: SimulatorSuite) -> None:
    session = log_in(suite)
    for device in devices_called(session, "Heizung"):
        assert descriptions(session, device["dataprofile"]["entityId"])
        window = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-04T00:00:00Z"}
        assert len(daily_kwh(session, device["id"], "evcloud.200", **window)) == 2


def test_a_datapoint_without_a_description_is_elsewhere(suite: SimulatorSuite) -> None:
    with pytest.raises(KeyError, match=r"default\.description"):
        descriptions(log_in(suite), "device.belimo.energy-valve-Version3/1.2.2")


def test_the_node_red_connector_reads_with_the_scopes_it_never_asked_for(
    suite: SimulatorSuite,
) -> None:
    granted = node_red_log_in(suite)
    session = Session(suite.environment()["BELIMO_API_URL"], granted["access_token"])
    listed = session.get("/devices", state="REGISTERED", limit="2000")
    assert listed["paging"]["total"] == len(listed["data"]) < listed["paging"]["limit"]
    device = next(one["id"] for one in listed["data"] if one["dataprofile"])
    assert session.get(f"/devices/{device}/data")["datapoints"]
    for resolution in ("1s", "5s", "15s", "30s", "1m", "5m", "15m", "30m", "1h", "6h"):
        window = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T02:00:00Z"}
        answer = session.get(
            f"/devices/{device}/data/history/timeseries",
            datapointIds="evcloud.200,evcloud.210",
            resolution=resolution,
            **window,
        )
        assert [one["datapointId"] for one in answer["series"]] == ["evcloud.200", "evcloud.210"]
    for resolution in ("12h", "1d", "7d", "200"):
        window = {"from": "2026-01-05T00:00:00Z", "to": "2026-01-19T00:00:00Z"}
        answer = session.get(
            f"/devices/{device}/data/history/timeseries",
            datapointIds="evcloud.210",
            resolution=resolution,
            **window,
        )
        assert len(answer["series"][0]["values"]) >= 2
    renewed = HTTP.post(
        suite.environment()["BELIMO_TOKEN_URL"],
        data={"grant_type": "refresh_token", "refresh_token": granted["refresh_token"]},
        auth=(BELIMO.client_id, BELIMO.client_secret),
    )
    assert Session(session.url, renewed.json()["access_token"]).get("/devices/stats")


def test_single_answers_have_the_types_of_the_vendors_own_description(
    suite: SimulatorSuite,
) -> None:
    session = log_in(suite)
    listed = session.get("/devices", state="REGISTERED", limit="100")["data"]
    texts = [one["health"].get("description", "") for one in listed]
    assert all(isinstance(text, str) for text in texts)
    assert any(texts)
    datapoint = session.get("/definitions/datapoints/evcloud.210/last")
    assert isinstance(datapoint["definedBy"], str)
