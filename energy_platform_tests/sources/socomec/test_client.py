"""The SoData client on the wire: paging, history requests, what it refuses to believe."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from energy_platform.sources.http.errors import ContractError, PermanentError, TransientError
from energy_platform.sources.socomec import SeriesKey
from energy_platform_tests.sources.http.loopback import Reply, Seen, reply_json
from energy_platform_tests.sources.socomec.sodata import (
    CA,
    END,
    GATEWAY,
    SITE,
    START,
    UPS,
    SoData,
    connected,
    payload,
)

CURRENT = SeriesKey(UPS, "Global", "0", "140108")


def test_every_endpoint_answers_typed() -> None:
    with connected(SoData()) as (client, server):
        (account,) = client.corporate_accounts()
        assert client.corporate_account(CA) == account
        (customer,) = client.customers(CA)
        (site,) = client.sites(CA)
        assert (site.uuid, site.customer_uuid) == (SITE, customer.uuid)
        assert (site.time_zone, site.devices_quantity) == ("Europe/Paris", 2)
        ups, gateway = client.devices(CA)
        assert (ups.uuid, gateway.uuid) == (UPS, GATEWAY)
        delta, current, alarm, battery = client.variables(CA, UPS)
        assert (delta.title, delta.triple) == ("Demo title", ("Global", "0", "141935"))
        assert (current.title, current.is_scaled, alarm.title) == ("Courant", True, None)
        assert battery.active is False
        amps, state = client.last_values(CA, UPS)
        assert (amps.number, amps.unit, amps.date) == (18, "AMPERE", "2022-07-28T11:19:25.000Z")
        assert (state.number, state.value) == (None, "ACTIVE")
        assert client.take_warnings() == []
        assert all("//" not in seen.target for seen in server.seen)


def test_personal_data_and_keys_of_the_answers_are_not_kept() -> None:
    with connected(SoData()) as (client, server):
        kept = repr([client.customers(CA), client.sites(CA), client.devices(CA)])
        for private in ("Private Person", "customer.example", "+33", "DEMO_KEY", "0000000000ff"):
            assert private not in kept
        asked = " ".join(seen.target for seen in server.seen)
        assert not any(word in asked for word in ("detailsLevel", "withContact", "withAddress"))


def test_all_pages_come_whatever_the_page_size_and_the_order() -> None:
    sodata = SoData()
    sodata.listings["devices"] = [{"uuid": f"d{n}"} for n in range(11)]
    for size in (1, 5, 11, 50):
        with connected(sodata, page_size=size) as (client, _):
            assert len({one.uuid for one in client.devices(CA)}) == 11


def drifting(sodata: SoData, *, times: int) -> None:
    """Move a record over the page boundary during the first listings."""
    pages, left = sodata.page, times

    def drift(kind: str, seen: Seen) -> Reply:
        nonlocal left
        reply = pages(kind, seen)
        if left and kind == "devices" and seen.query["skip"] == "0":
            left -= 1
            records = sodata.listings["devices"]
            records.insert(0, records.pop())
        return reply

    sodata.page = drift  # type: ignore[method-assign]


def test_a_record_that_moves_between_two_pages_is_found_by_listing_again() -> None:
    sodata = SoData()
    sodata.listings["devices"] = [{"uuid": f"d{n}"} for n in range(6)]
    drifting(sodata, times=1)
    with connected(sodata, page_size=3) as (client, server):
        assert {one.uuid for one in client.devices(CA)} == {f"d{n}" for n in range(6)}
        assert client.take_warnings() == []
        assert len([seen for seen in server.seen if seen.path.endswith("/devices")]) == 5


def test_a_total_that_counts_something_else_is_a_warning() -> None:
    sodata = SoData()
    sodata.page = lambda *_: reply_json(  # type: ignore[method-assign]
        {"total": 99, "results": [], "take": 1}
    )
    with connected(sodata) as (client, server):
        assert client.devices(CA) == []
        assert client.take_warnings() == ["devices: 0 found in two readings, 99 announced"]
        assert len(server.seen) < 7


def test_a_page_that_comes_again_and_again_is_an_error_not_a_short_inventory() -> None:
    sodata = SoData()
    sodata.page = lambda *_: reply_json(  # type: ignore[method-assign]
        {"total": 99, "results": [{"uuid": "d0"}], "take": 1}
    )
    with connected(sodata) as (client, server):
        with pytest.raises(TransientError, match="do not add up: 1 records found"):
            client.devices(CA)
        assert len(server.seen) < 7


def test_a_listing_without_its_total_is_another_api() -> None:
    sodata = SoData()
    sodata.page = lambda *_: reply_json({"results": []})  # type: ignore[method-assign]
    with connected(sodata) as (client, _), pytest.raises(ContractError, match="total"):
        client.devices(CA)


def test_unknown_keys_nulls_and_missing_keys_are_survived() -> None:
    sodata = SoData()
    sodata.listings["devices"] = [{"uuid": "d1", "serialNumber": None, "new": {"in": "v3.1"}}]
    sodata.variables["d1"] = {
        "results": [{"uuid": "v", "itemType": "G", "itemIndex": 0, "serviceId": 7, "x": None}]
    }
    with connected(sodata) as (client, _):
        assert client.devices(CA)[0].serial_number is None
        assert client.variables(CA, "d1")[0].triple == ("G", "0", "7")


def test_the_history_request_is_the_documented_one() -> None:
    with connected(SoData()) as (client, server):
        client.datapoints(CA, series=[CURRENT], start=START, end=END)
        request = next(seen for seen in server.seen if seen.path.endswith("/datapoints"))
        assert (request.method, request.path) == ("PUT", f"/api/v1/ca/{CA}/datapoints")
        assert request.headers["content-type"] == "application/json"
        assert request.json == {
            "from": "2026-01-01T00:00:00Z",
            "to": "2026-01-02T00:00:00Z",
            "timezone": "UTC",
            "useDeviceLocalTimezone": False,
            "granularity": "raw",
            "series": [
                {
                    "deviceUuid": UPS,
                    "itemType": "Global",
                    "itemIndex": "0",
                    "serviceId": "140108",
                }
            ],
        }


def test_a_bound_between_two_milliseconds_loses_no_point() -> None:
    with connected(SoData()) as (client, server):
        until = START + timedelta(seconds=1, microseconds=1500)
        client.datapoints(CA, series=[CURRENT], start=START, end=until)
        assert server.seen[-1].json["to"] == "2026-01-01T00:00:01.002Z"


def test_the_documented_answer_is_read_by_its_keys() -> None:
    sodata = SoData()
    sodata.datapoints = lambda *_: reply_json(payload("datapoints"))  # type: ignore[method-assign]
    series = [CURRENT, SeriesKey(UPS, "Global", "0", "141935")]
    with connected(sodata) as (client, _):
        reading = client.datapoints(CA, series=series, start=START, end=END)
    (chunk,) = reading.chunks
    assert chunk.key == series[1]
    assert chunk.at.view("datetime64[us]").astype(str).tolist() == [
        "2026-01-01T00:05:05.000000",
        "2026-01-01T00:10:14.000000",
    ]
    assert chunk.values == [4, 4.5]


def test_an_answer_without_its_series_is_loud() -> None:
    sodata = SoData()
    changed: dict[str, Any] = payload("datapoints")
    changed["rows"] = changed.pop("series")
    sodata.datapoints = lambda *_: reply_json(changed)  # type: ignore[method-assign]
    with connected(sodata) as (client, _), pytest.raises(ContractError, match="series"):
        client.datapoints(CA, series=[CURRENT], start=START, end=END)


def test_a_slow_gateway_is_asked_for_less_at_once_instead_of_waiting_it_out() -> None:
    sodata = SoData()
    sodata.max_window, sodata.too_large = timedelta(hours=6), 504
    sodata.points[CURRENT] = [(START + timedelta(hours=n), n) for n in range(24)]
    with connected(sodata) as (client, _):
        assert client.datapoints(CA, series=[CURRENT], start=START, end=END).points == 24
        assert client.stats.retries == 0
        assert len(sodata.asks) == 2 + 4


def test_the_smallest_request_is_still_tried_again() -> None:
    sodata = SoData()
    sodata.max_window, sodata.too_large = timedelta(0), 504
    with connected(sodata) as (client, _):
        with pytest.raises(TransientError, match="3 attempts"):
            client.datapoints(CA, series=[CURRENT], start=START, end=END)
        assert client.stats.retries == 2


def test_ids_of_the_vendor_cannot_leave_their_place_in_the_path() -> None:
    with connected(SoData()) as (client, server):
        with pytest.raises(PermanentError):
            client.variables(CA, "../../x?y=1")
        assert all(seen.path.startswith(f"/api/v1/ca/{CA}/devices/") for seen in server.seen[1:])
