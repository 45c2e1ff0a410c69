"""The SkyCentrics client on the wire: signatures, devices, newest values, history."""

from __future__ import annotations

import gzip
import json
import logging
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.settings import SettingsError
from energy_platform.sources.http.errors import (
    AuthenticationError,
    ContractError,
    PermanentError,
    TransientError,
)
from energy_platform.sources.http.rate_limit import Clock
from energy_platform.sources.skycentrics import SkycentricsClient
from energy_platform.sources.skycentrics.models import record_of, records_of, unpacked
from energy_platform.sources.skycentrics.signature import token
from energy_platform_tests.sources.http.loopback import Reply, scripted
from energy_platform_tests.sources.skycentrics.cloud import (
    DATA,
    GATEWAY,
    NOW,
    Cloud,
    records,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud().running() as server:
        assert isinstance(server, Cloud)
        yield server


@pytest.mark.parametrize(
    ("method", "target", "content_type", "body", "signature"),
    [
        ("GET", "/api/devices/1000000001/", "", b"", "QrEisji8TSnYgQVoZla8MboQ7mU="),
        ("GET", "/api/devices/1000000001/data", "", b"", "avKoigVG179NGw0S0yUBACuDi/c="),
        (
            "GET",
            "/api/devices/1000000001/data?b=2026-01-01T00:00:00&e=2026-01-02T00:00:00&g=1",
            "",
            b"",
            "c2h8LCfVSJxwYN+K21bm/GTyx2I=",
        ),
        (
            "PUT",
            "/api/devices/1000000001/data",
            "application/json",
            b'{"s":1}',
            "LFMabE5x/vJIHeQ/IQhiCBUEYOs=",
        ),
    ],
)
def test_the_signature_equals_the_documents_test_vectors(
    method: str, target: str, content_type: str, body: bytes, signature: str
) -> None:
    made = token(
        client="demo-client",
        secret="demo-secret",
        method=method,
        target=target,
        date="Thu, 01 Jan 2026 00:00:00 GMT",
        content_type=content_type,
        body=body,
    )
    assert made == f"demo-client:{signature}"


def test_every_call_is_signed_as_it_leaves(cloud: Cloud) -> None:
    cloud.records = records(NOW - timedelta(hours=1), count=3, step=timedelta(minutes=1))
    with cloud.client() as client:
        assert [str(one.id) for one in client.devices()] == [GATEWAY]
        assert client.device(GATEWAY).name == "demo-gateway"
        assert client.newest(GATEWAY).record.sensors is not None
        assert len(client.history(GATEWAY, start=NOW - timedelta(hours=2), end=NOW)) == 3
    assert {seen.headers["date"] for seen in cloud.seen} == {"Thu, 01 Jan 2026 12:00:00 GMT"}


def test_a_repeated_attempt_is_signed_again_with_a_new_date(cloud: Cloud) -> None:
    ticks = count()
    good = Reply(body=(DATA / "newest.json").read_bytes())
    cloud.route = scripted(Reply(status=503), good)
    with cloud.client() as client:
        settings = client.settings
    clock = Clock(now=lambda: NOW + timedelta(seconds=next(ticks)))
    with SkycentricsClient(settings, clock=clock, backoff_s=0.001) as client:
        client.newest(GATEWAY)
    first, second = cloud.seen
    assert first.headers["date"] != second.headers["date"]
    assert first.headers["x-sc-api-token"] != second.headers["x-sc-api-token"]


def test_a_wrong_secret_is_asked_once_and_says_what_to_check(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with cloud.client(client_secret="another-Secret-1") as client:
        with pytest.raises(AuthenticationError) as caught:
            client.newest(GATEWAY)
        assert "SKYCENTRICS" in str(caught.value)
        assert GATEWAY in str(caught.value)
    (seen,) = cloud.seen
    shown = f"{caplog.text} {caught.value} {client!r}"
    assert "another-Secret-1" not in shown
    assert seen.headers["x-sc-api-token"].split(":")[1] not in shown


def test_a_missing_secret_names_its_variable(cloud: Cloud) -> None:
    with pytest.raises(SettingsError, match="SKYCENTRICS_CLIENT_SECRET"):
        cloud.client(client_secret=None)


def test_named_gateways_are_not_looked_up(cloud: Cloud) -> None:
    with cloud.client(device_ids=" 7 ,8,") as client:
        assert client.device_ids() == ["7", "8"]
    assert not cloud.seen


def test_values_of_every_type_keep_their_kind() -> None:
    sensors = record_of((DATA / "newest.json").read_bytes()).sensors
    assert sensors is not None
    assert [sensor.data for sensor in sensors] == [30.0, "active", 338_624_512.0, None, True]


def test_one_odd_sensor_does_not_cost_the_others_their_sample() -> None:
    body = json.dumps(
        {
            "sensors": [
                {"id": 5, "data": {"a": 1}, "time": "1767225600", "units": 3},
                None,
                {"data": 1},
                {"id": "Good", "data": 2, "time": 1767225600, "units": "kWh"},
            ],
            "time": "2026-01-01 00:00:01Z",
        }
    ).encode()
    sensors = record_of(body).sensors
    assert sensors is not None
    assert [(one.id, one.data, one.time) for one in sensors] == [
        ("5", '{"a":1}', 1767225600),
        ("Good", 2.0, 1767225600),
    ]


def test_an_answer_without_sensors_is_no_empty_poll(cloud: Cloud) -> None:
    cloud.newest[GATEWAY] = Reply(body=b'{"error":{"message":"busy"}}')
    with cloud.client() as client, pytest.raises(ContractError, match="sensors"):
        client.newest(GATEWAY)


def test_html_in_place_of_json_is_tried_again(cloud: Cloud) -> None:
    good = Reply(body=(DATA / "newest.json").read_bytes())
    cloud.route = scripted(Reply(body=b"<html>gateway</html>"), good)
    with cloud.client() as client:
        assert client.newest(GATEWAY).body == good.body
    assert len(cloud.seen) == 2


@pytest.mark.parametrize("packs", [True, False])
def test_history_is_read_as_a_gzip_file_or_as_json(cloud: Cloud, *, packs: bool) -> None:
    cloud.records = records(NOW - timedelta(hours=1), count=60, step=timedelta(minutes=1))
    cloud.packs = packs
    with cloud.client() as client:
        found = client.history(GATEWAY, start=NOW - timedelta(hours=1), end=NOW)
    assert len(found) == 60
    (seen,) = cloud.seen
    assert seen.query == {"b": "2026-01-01T11:00:00", "e": "2026-01-01T12:00:00", "g": "1"}
    assert seen.headers["accept"] == "application/gzip"


def test_a_cut_gzip_file_is_tried_again_not_half_read(cloud: Cloud) -> None:
    body = gzip.compress((DATA / "history.json").read_bytes())
    cloud.route = scripted(Reply(body=body[:-9]), Reply(body=body))
    with cloud.client() as client:
        found = client.history(GATEWAY, start=NOW - timedelta(hours=1), end=NOW)
    assert [one.time for one in found] == ["2026-01-01 00:00:00", "2026-01-01 00:59:59"]


def test_history_keyed_by_time_is_read_too() -> None:
    found = records_of(b'{"2026-01-01 00:00:00":{"sensors":[{"id":"a","data":1}]}}')
    assert [(one.time, len(one.sensors or ())) for one in found] == [("2026-01-01 00:00:00", 1)]


def test_long_windows_of_history_are_parted(cloud: Cloud) -> None:
    cloud.records = []
    with cloud.client(history_window_s=3600) as client:
        client.history(GATEWAY, start=NOW - timedelta(minutes=150), end=NOW)
    assert [seen.query["b"][11:] for seen in cloud.seen] == ["09:30:00", "10:30:00", "11:30:00"]
    assert cloud.seen[-1].query["e"] == "2026-01-01T12:00:00"


@pytest.mark.parametrize("status", [403, 404, 501])
def test_an_account_without_history_is_recognised_and_asked_once(cloud: Cloud, status: int) -> None:
    cloud.history_status = status
    with cloud.client(attempts=1) as client:
        assert [client.probe_history(GATEWAY) for _ in range(3)] == [False, False, False]
    assert len(cloud.seen) == 1


def test_a_busy_vendor_says_nothing_about_history(cloud: Cloud) -> None:
    cloud.history_status = 503
    with cloud.client() as client, pytest.raises(TransientError, match="SKYCENTRICS_HISTORY"):
        client.probe_history(GATEWAY)


def test_an_answer_that_is_no_history_means_no(cloud: Cloud) -> None:
    cloud.route = scripted(Reply(body=b'"off"'))
    with cloud.client() as client:
        assert client.probe_history(GATEWAY) is False


def test_an_id_cannot_reach_another_path(cloud: Cloud) -> None:
    with cloud.client() as client, pytest.raises(PermanentError):
        client.newest("..")
    assert not cloud.seen


@given(st.binary(max_size=200))
def test_a_damaged_gzip_file_never_reads_as_something_else(damage: bytes) -> None:
    whole = gzip.compress((DATA / "history.json").read_bytes(), mtime=0)
    broken = whole[: 20 + len(damage) % 60] + damage
    try:
        plain = unpacked(broken)
    except ValueError:
        return
    assert plain == (DATA / "history.json").read_bytes()
