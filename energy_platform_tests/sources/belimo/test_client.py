"""The Belimo client on the wire: paging, samples, what it refuses to believe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from energy_platform.sources.belimo.models import Datapoint
from energy_platform.sources.http.errors import PermanentError, TransientError
from energy_platform_tests.sources.belimo.cloud import DATA, DEVICE, Cloud, at, device
from energy_platform_tests.sources.http.loopback import Reply, Seen, reply_json

if TYPE_CHECKING:
    from collections.abc import Iterator


START, END = at("2026-01-01T00:00:00+00:00"), at("2026-01-02T00:00:00+00:00")


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud().running() as server:
        assert isinstance(server, Cloud)
        yield server


def serve(cloud: Cloud, name: str) -> None:
    """Answer every API call with a payload of the data folder."""
    body = (DATA / name).read_bytes()
    cloud.route = lambda seen: (
        cloud.token(seen) if seen.path == "/oauth/token" else Reply(body=body)
    )


def test_devices_of_the_vendors_shape_are_read_with_nulls_and_unknown_keys(cloud: Cloud) -> None:
    serve(cloud, "devices.json")
    with cloud.client() as client:
        first, second = client.devices()
    assert (first.serial, first.profile_id) == ("11111-22222-333-444", "energyvalve3/1.2")
    assert second.profile_id is None
    assert second.health is not None
    assert second.health.last_seen is None
    assert "example.com" not in repr((first, second)), "an owner may be an e-mail address"


def test_all_devices_come_although_a_page_holds_twenty_by_default(cloud: Cloud) -> None:
    cloud.devices = [device(f"id-{n:03}", serial=f"s-{n:03}") for n in range(102)]
    with cloud.client(page_size=50) as client:
        found = client.devices()
    assert [one.id for one in found] == [f"id-{n:03}" for n in range(102)]
    assert [call.query["offset"] for call in cloud.calls("/devices")] == ["0", "50", "100", "102"]
    assert all(call.query["state"] == "REGISTERED" for call in cloud.calls("/devices"))


def test_a_device_removed_between_two_pages_does_not_hide_another(cloud: Cloud) -> None:
    cloud.devices = [device(f"id-{n:03}", serial=f"s-{n:03}") for n in range(8)]
    # The third request (after the login) is the second page: the first device goes before it.
    cloud.meanwhile = {2: lambda: cloud.devices.pop(0)}
    with cloud.client(page_size=4) as client:
        found = client.devices()
    assert [one.id for one in found] == [f"id-{n:03}" for n in range(1, 8)]


def test_a_server_that_repeats_its_first_page_fails_instead_of_looping(cloud: Cloud) -> None:
    body = {"data": [device(f"id-{n}", serial=str(n)) for n in range(3)], "paging": {"total": 9}}
    cloud.route = lambda seen: cloud.token(seen) if "token" in seen.path else reply_json(body)
    with cloud.client(page_size=3) as client, pytest.raises(TransientError, match="same page"):
        client.devices()


def test_fewer_elements_than_announced_are_an_error_not_a_short_list(cloud: Cloud) -> None:
    def route(seen: Seen) -> Reply:
        if "token" in seen.path:
            return cloud.token(seen)
        data = [device("id-1", serial="1")] if seen.query["offset"] == "0" else []
        return reply_json({"data": data, "paging": {"total": 5}})

    cloud.route = route
    with cloud.client() as client, pytest.raises(TransientError, match="5 elements announced, 1"):
        client.devices()


def test_samples_of_every_type_keep_what_the_vendor_said(cloud: Cloud) -> None:
    serve(cloud, "samples.json")
    with cloud.client() as client:
        frame = client.history(DEVICE, "evcloud.210", start=START, end=END).frame
    assert frame["value"].to_list() == [1.0, 2.5, None, None, None, 0.0]
    assert frame["value_text"].to_list() == [None, None, "OPEN", "false", None, None]
    assert frame["at"][1] == at("2026-01-01T10:08:30.250+00:00")
    assert frame.schema["at"] == pl.Datetime("us", "UTC")


def test_sample_bounds_and_order_are_always_sent(cloud: Cloud) -> None:
    cloud.fill(first="2026-01-01", days=1)
    with cloud.client(sample_page_size=10) as client:
        frame = client.history(DEVICE, "evcloud.210", start=START, end=END).frame
    assert frame.height == 24
    calls = cloud.calls("/history/")
    assert [call.query["offset"] for call in calls] == ["0", "10", "20"]
    assert {(call.query["from"], call.query["to"]) for call in calls} == {
        ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    }
    assert {(call.query["sortBy"], call.query["sortDirection"]) for call in calls} == {
        ("time", "ASC")
    }


def test_a_late_sample_between_two_pages_is_not_lost(cloud: Cloud) -> None:
    cloud.fill(first="2026-01-01", days=1)
    rows = cloud.samples[DEVICE, "evcloud.210"]
    cloud.meanwhile = {2: lambda: rows.insert(1, (at("2026-01-01T00:30:00+00:00"), 7))}
    with cloud.client(sample_page_size=10) as client:
        frame = client.history(DEVICE, "evcloud.210", start=START, end=END).frame
    assert frame.height == 25
    assert frame["at"].n_unique() == 25
    assert 7.0 in frame["value"]


def test_a_sample_value_that_is_an_object_does_not_cost_the_page(cloud: Cloud) -> None:
    body = {
        "data": [
            {"timestamp": "2026-01-01T00:00:00Z", "value": {"mode": [1, 2]}},
            {"timestamp": "2026-01-01T00:01:00Z", "value": 5},
        ],
        "paging": {"total": 2},
    }
    cloud.route = lambda seen: cloud.token(seen) if "token" in seen.path else reply_json(body)
    with cloud.client() as client:
        frame = client.history(DEVICE, "evcloud.210", start=START, end=END).frame
    assert frame["value_text"].to_list() == ['{"mode":[1,2]}', None]
    assert frame["value"].to_list() == [None, 5.0]


def test_a_timestamp_of_another_form_is_set_aside_as_it_came(cloud: Cloud) -> None:
    body = {"data": [{"timestamp": "yesterday", "value": 1}], "paging": {"total": 1}}
    cloud.route = lambda seen: cloud.token(seen) if "token" in seen.path else reply_json(body)
    with cloud.client() as client:
        answer = client.history(DEVICE, "evcloud.210", start=START, end=END, day="2026-01-01")
    assert answer.frame.is_empty()
    assert [odd.stamp_text for odd in answer.odd] == ["yesterday"]


def test_a_datapoint_missing_from_a_timeseries_is_empty_not_shifted(cloud: Cloud) -> None:
    serve(cloud, "timeseries.json")
    with cloud.client() as client:
        found = client.buckets(
            DEVICE, ["evcloud.200", "evcloud.210"], start=START, end=END, resolution="1h"
        )
    assert found["evcloud.200"].frame.is_empty()
    assert found["evcloud.210"].frame["value"].to_list() == [987_654_321.0, 987_700_000.0]


def test_a_profile_path_keeps_its_slash_and_is_asked_for_once(cloud: Cloud) -> None:
    with cloud.client() as client:
        first = client.dataprofile("energyvalve3/1.2")
        again = client.dataprofile("energyvalve3/1.2")
    assert first is again
    (call,) = cloud.calls("/definitions/")
    assert call.path == "/api/v3/definitions/dataprofiles/energyvalve3/1.2"
    assert call.query == {"expanded": "true"}


@pytest.mark.parametrize(
    ("features", "unit"),
    [
        ({"default.unit": "J", "default.description": "in W"}, "J"),
        ({"default.description": "Cooling Energy in J"}, "J"),
        ({"default.description": "Absolute flow in m3/s."}, "m3/s"),
        ({"default.description": "Position in closed loop"}, None),
        ({"default.unit": "", "default.description": "Main in"}, None),
        ({}, None),
    ],
)
def test_a_unit_is_taken_from_the_profile_or_the_end_of_its_description(
    features: dict[str, str | int | float | bool | None], unit: str | None
) -> None:
    assert Datapoint("x", features).unit == unit


def test_the_version_is_had_without_a_login(cloud: Cloud) -> None:
    with cloud.client() as client:
        assert client.api_info().version == "3.5.0"
    assert not cloud.grants
    assert "authorization" not in cloud.seen[0].headers


def test_the_devices_are_counted(cloud: Cloud) -> None:
    answer = {"totalDevices": 4, "connection": {"offline": 1, "online": 3}, "health": None}
    cloud.route = lambda seen: cloud.token(seen) if "token" in seen.path else reply_json(answer)
    with cloud.client() as client:
        assert client.device_stats().total_devices == 4
    assert cloud.seen[-1].path == "/api/v3/devices/stats"


def test_an_id_cannot_reach_a_writing_path(cloud: Cloud) -> None:
    with cloud.client() as client:
        with pytest.raises(PermanentError):
            client.history("../jobs", "evcloud.210", start=START, end=END)
        with pytest.raises(PermanentError):
            client.history("..", "evcloud.210", start=START, end=END)
    assert not [call for call in cloud.seen if "jobs" in call.path and "%2F" not in call.target]
