"""Reads of SoData whose question stands in a body, and what the customers' listing shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from energy_platform.simulators.socomec import SocomecSimulator, uid
from energy_platform_tests.simulators.web import HTTP

from .soda import ACCOUNT, IMPORT, MAIN, Soda, series

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite

OTHER = uid("device", "SN000002")


def all_variables(soda: Soda, *, take: int, **search: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    total = 1
    while len(found) < total:
        body = {"take": take, "skip": len(found), **search}
        page = soda.post("/variables", body).raise_for_status().json()
        assert page["take"] == take
        assert page["results"]
        found += page["results"]
        total = page["total"]
    return found


@pytest.mark.parametrize("take", [7, 50])
def test_the_variables_of_an_account_come_page_by_page(suite: SimulatorSuite, take: int) -> None:
    soda = Soda(suite)
    found = all_variables(soda, take=take)
    of_devices = [
        variable
        for device in soda.listing("/devices", take=50)
        for variable in soda.get(f"/devices/{device['uuid']}/variables").json()["results"]
    ]
    uuids = [one["uuid"] for one in found]
    assert len(uuids) == len(set(uuids))
    assert {one["uuid"]: one for one in found} == {one["uuid"]: one for one in of_devices}


def test_a_search_among_the_variables(suite: SimulatorSuite) -> None:
    soda = Soda(suite)
    own = all_variables(soda, take=50, deviceUuids=[MAIN, OTHER])
    assert {one["deviceUuid"] for one in own} == {MAIN, OTHER}
    alarms = all_variables(soda, take=50, serviceType="Alarm")
    assert {one["serviceType"] for one in alarms} == {"Alarm"}
    (one,) = all_variables(soda, take=50, deviceUuid=MAIN, serviceId="130101")
    assert one["streamRef"] == "Global 0 130101"
    assert soda.post("/variables").json()["take"] == 50
    assert soda.post("/variables", {"take": 0}).status_code == 400
    assert soda.post("/variables", ["take"]).status_code == 400


@pytest.mark.parametrize("body", [{"deviceUuids": [MAIN, OTHER]}, {"devices": [MAIN, OTHER]}])
def test_last_values_of_several_devices_are_those_of_each(
    suite: SimulatorSuite, body: dict[str, Any]
) -> None:
    soda = Soda(suite)
    single = [soda.get(f"/devices/{one}/last-values").json()["devices"][0] for one in (MAIN, OTHER)]
    assert soda.put_json("/last-values", body).json() == {"devices": single}


def test_last_values_of_single_services(suite: SimulatorSuite) -> None:
    body = {"series": [series(MAIN, *IMPORT), series(OTHER, "Global", "0", "130001")]}
    devices = Soda(suite).put_json("/last-values", body).json()["devices"]
    assert [[one["serviceId"] for one in device["values"]] for device in devices] == [
        ["130101"],
        ["130001"],
    ]


def test_a_device_that_nobody_knows_has_no_last_values(suite: SimulatorSuite) -> None:
    body = {"deviceUuids": [MAIN, "nobody"]}
    known, unknown = Soda(suite).put_json("/last-values", body).json()["devices"]
    assert known["values"]
    assert unknown == {"deviceUuid": "nobody", "values": []}


@pytest.mark.parametrize("body", [{}, {"deviceUuids": [7]}, {"deviceUuids": MAIN}, [MAIN]])
def test_a_question_for_last_values_must_name_devices(suite: SimulatorSuite, body: Any) -> None:
    refused = Soda(suite).put_json("/last-values", body)
    assert refused.status_code == 400
    assert refused.json()["message"]


def test_questions_in_a_body_are_no_writes(suite: SimulatorSuite) -> None:
    soda = Soda(suite)
    before = list(suite.simulator(SocomecSimulator).writes)
    soda.post("/variables")
    soda.put_json("/last-values", {"deviceUuids": [MAIN]})
    assert suite.simulator(SocomecSimulator).writes == before
    assert soda.put_json(f"/devices/{MAIN}", {}).status_code == 403
    assert suite.simulator(SocomecSimulator).writes[-1] == f"PUT {ACCOUNT}/devices/{MAIN}"
    assert suite.simulator(SocomecSimulator).requests["POST variables", 200] == 1
    assert suite.simulator(SocomecSimulator).requests["PUT last-values", 200] == 1


def test_customers_with_their_sites_in_any_order(suite: SimulatorSuite) -> None:
    soda = Soda(suite)
    page = soda.get("/customers", take=1, detailsLevel="ALL", sortBy="sitesQuantity").json()
    assert (page["total"], page["take"], len(page["results"])) == (2, 1, 1)
    customers = soda.listing("/customers", take=1)
    for customer in customers:
        sites = soda.get("/sites", customerUuid=customer["uuid"]).json()["total"]
        assert sites == customer["sitesQuantity"] > 0
    assert page["results"][0]["sitesQuantity"] == min(one["sitesQuantity"] for one in customers)


def test_customers_can_be_forbidden_and_nothing_else_is(suite: SimulatorSuite) -> None:
    suite.simulator(SocomecSimulator).may_read_customers = False
    try:
        soda = Soda(suite)
        customer = uid("customer")
        refused = [soda.get(path) for path in ("/customers", f"/customers/{customer}")]
        assert [one.status_code for one in refused] == [403, 403]
        assert soda.get("/sites").status_code == 200
    finally:
        suite.simulator(SocomecSimulator).may_read_customers = True


def test_contacts_and_addresses_come_only_when_they_are_asked_for(suite: SimulatorSuite) -> None:
    soda = Soda(suite)
    plain = soda.get("/devices").json()["results"][0]
    full = soda.get("/devices", withContact="true", withAddress="true").json()["results"][0]
    assert (plain["contact"], plain["address"]) == ({}, {})
    assert full["contact"]["email"]
    assert full["address"]["city"]


def test_the_description_names_every_read_and_no_write(suite: SimulatorSuite) -> None:
    host = suite.url("socomec")
    soda = Soda(suite)
    page = HTTP.get(f"{host}/docs/swagger-ui/index.html")
    assert (page.status_code, "/swagger-api-json/v1" in page.text) == (200, True)
    assert HTTP.get(f"{host}/swagger-api-json/v1").status_code == 401
    document = soda.absolute(f"{host}/swagger-api-json/v1").json()
    assert document["info"] == {"title": "IoT API Gateway", "version": "3.0.0"}
    ids = {"corporateAccountUuid": ACCOUNT.rsplit("/", 1)[1], "deviceUuid": MAIN}
    ids |= {"siteUuid": uid("site", "paris"), "customerUuid": uid("customer")}
    ids["variableUuid"] = uid("variable", "socomec/SN000001/Global|0|130101")
    assert len(document["paths"]) == 16
    for path, operations in document["paths"].items():
        if "get" in operations:
            assert soda.absolute(host + path.format(**ids)).status_code == 200, path
