"""Inventory of SoData: pages, rights, and what a listing may do to a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform.simulators.socomec import SocomecSimulator
from energy_platform_tests.simulators.web import HTTP

from .soda import ACCOUNT, MAIN, Soda, login

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite


def uuids(records: list[dict[str, str]]) -> list[str]:
    return [record["uuid"] for record in records]


@pytest.mark.parametrize("take", [1, 4, 15, 25, 50])
def test_every_page_size_lists_the_same_devices(suite: SimulatorSuite, take: int) -> None:
    devices = Soda(suite).listing("/devices", take=take)
    assert len(devices) == 15
    assert len(set(uuids(devices))) == 15


def test_take_is_fifty_and_skip_zero_unless_told(suite: SimulatorSuite) -> None:
    page = Soda(suite).get("/devices").json()
    assert (page["take"], page["total"], len(page["results"])) == (50, 15, 15)


def test_devices_hang_on_gateways_that_are_devices_themselves(suite: SimulatorSuite) -> None:
    soda = Soda(suite)
    devices = {one["uuid"]: one for one in soda.listing("/devices", take=50)}
    behind = [one for one in devices.values() if one["gatewayUuid"] is not None]
    assert len(behind) == 12
    assert all(one["gatewayUuid"] in devices for one in behind)
    gateway = soda.get(f"/devices/{MAIN}/gateway").json()
    assert gateway["uuid"] == devices[MAIN]["gatewayUuid"]
    assert soda.get(f"/devices/{gateway['uuid']}/variables").json() == {"results": [], "total": 0}


def test_devices_can_be_asked_for_by_site(suite: SimulatorSuite) -> None:
    soda = Soda(suite)
    sites = soda.listing("/sites", take=50)
    assert {site["timeZone"] for site in sites} == {
        "Europe/Paris",
        "America/Los_Angeles",
        "Asia/Kolkata",
    }
    found = [soda.get("/devices", siteUuid=site["uuid"]).json()["total"] for site in sites]
    assert found == [site["devicesQuantity"] for site in sites]
    assert sum(found) == 15


def test_variables_come_all_at_once_and_without_take(suite: SimulatorSuite) -> None:
    answer = Soda(suite).get(f"/devices/{MAIN}/variables", take=2).json()
    assert set(answer) == {"results", "total"}
    assert answer["total"] == len(answer["results"]) > 2
    one = answer["results"][0]
    assert one["streamRef"] == f"{one['itemType']} {one['itemIndex']} {one['serviceId']}"
    assert isinstance(one["serviceId"], str)


def test_last_values_are_texts_some_old_some_without_a_unit_one_an_alarm(
    suite: SimulatorSuite,
) -> None:
    soda = Soda(suite)
    ups = next(one for one in soda.listing("/devices", take=50) if "UPS" in one["name"])
    answer = soda.get(f"/devices/{ups['uuid']}/last-values").json()
    values = answer["devices"][0]["values"]
    assert all(isinstance(one["value"], str) for one in values)
    assert any("unit" not in one for one in values)
    alarms = {one["value"] for one in values if one["serviceType"] == "Alarm"}
    assert alarms
    assert alarms <= {"ACTIVE", "INACTIVE"}
    assert min(one["date"] for one in values) < "2023"
    assert max(one["date"] for one in values).startswith("2026-03-03T11:5")
    assert {one["unit"] for one in values if "unit" in one} >= {"AMPERE", "PERCENTAGE"}


def test_single_records_and_counts_are_there(suite: SimulatorSuite) -> None:
    soda = Soda(suite)
    customer = soda.listing("/customers", take=50)[0]["uuid"]
    site = soda.listing("/sites", take=50)[0]["uuid"]
    variable = soda.get(f"/devices/{MAIN}/variables").json()["results"][0]["uuid"]
    for path in (
        "",
        f"/customers/{customer}",
        f"/sites/{site}",
        f"/devices/{MAIN}",
        f"/devices/{MAIN}/variables/{variable}",
    ):
        assert soda.get(path).json()["uuid"]
    assert soda.get("/sites/count").json() == {"count": 3}


@pytest.mark.parametrize("path", ["/devices/nobody", "/sites/nowhere", "/devices/nobody/variables"])
def test_an_unknown_uuid_is_not_found(suite: SimulatorSuite, path: str) -> None:
    assert Soda(suite).get(path).status_code == 404


def test_another_corporate_account_is_not_found(suite: SimulatorSuite) -> None:
    token = login(suite).json()["access_token"]
    url = suite.url("socomec") + "/api/v1/ca/other/sites"
    assert HTTP.get(url, headers={"authorization": f"Bearer {token}"}).status_code == 404


def test_without_rights_the_lists_are_empty_not_refused(suite: SimulatorSuite) -> None:
    suite.set_faults(["socomec:no_rights"])
    page = Soda(suite).get("/devices").json()
    assert (page["total"], page["results"]) == (0, [])


def test_a_drifting_page_repeats_one_record_and_loses_another(suite: SimulatorSuite) -> None:
    suite.set_faults(["socomec:page_drift=1:path=/devices"])
    soda = Soda(suite)
    drifted = uuids(soda.listing("/devices", take=10))
    assert len(drifted) == 16
    assert drifted[9] == drifted[10]
    assert len(set(uuids(soda.listing("/devices", take=10)))) == 15


def test_repeated_endless_and_miscounted_listings(suite: SimulatorSuite) -> None:
    soda = Soda(suite)
    suite.set_faults(["socomec:repeated_page"])
    first, second = (soda.get("/devices", take=5, skip=skip).json() for skip in (0, 5))
    assert uuids(first["results"]) == uuids(second["results"])
    suite.clear_faults()
    suite.set_faults(["socomec:endless_pages"])
    page = soda.get("/devices", take=5, skip=5_000).json()
    assert page["results"]
    assert page["total"] > 5_005
    suite.clear_faults()
    suite.set_faults(["socomec:wrong_total"])
    assert soda.get("/devices").json()["total"] == 16


def test_unknown_keys_may_appear(suite: SimulatorSuite) -> None:
    suite.set_faults(["socomec:extra_keys"])
    assert "revision" in Soda(suite).get("/devices").json()


def test_a_write_is_refused_and_remembered(suite: SimulatorSuite) -> None:
    assert Soda(suite).post("/devices").status_code == 403
    assert suite.simulator(SocomecSimulator).writes[-1] == f"POST {ACCOUNT}/devices"


def test_requests_are_counted_by_endpoint_without_ids(suite: SimulatorSuite) -> None:
    soda = Soda(suite)
    soda.get("/devices")
    soda.get(f"/devices/{MAIN}")
    soda.get(f"/devices/{MAIN}/last-values")
    soda.get("/sites/count")
    assert suite.simulator(SocomecSimulator).requests == {
        ("POST token", 200): 1,
        ("GET devices", 200): 1,
        ("GET devices/one", 200): 1,
        ("GET devices/last-values", 200): 1,
        ("GET sites/count", 200): 1,
    }
