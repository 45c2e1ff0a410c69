"""A day of Socomec meters: what lands, what is quarantined, what makes a day partial."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_platform import schemas
from energy_platform.sources.http.errors import PermanentError, TransientError
from energy_platform.sources.registry import tables as tables_of_all
from energy_platform.sources.socomec import SOURCE, SeriesKey, pull
from energy_platform.sources.socomec.tables import (
    RAW_SOCOMEC_DATAPOINTS,
    RAW_SOCOMEC_DEVICES,
    RAW_SOCOMEC_VARIABLES,
)
from energy_platform_tests.sources.http.loopback import Reply, Seen, reply_json
from energy_platform_tests.sources.socomec.sodata import (
    CA,
    DAY,
    END,
    GATEWAY,
    START,
    UPS,
    SoData,
    connected,
    pull_day,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CURRENT = SeriesKey(UPS, "Global", "0", "140108")
DELTA = SeriesKey(UPS, "Global", "0", "141935")
ALARM = SeriesKey(UPS, "Global", "0", "150001")
LATER = END + timedelta(days=3)


def read_day(sodata: SoData, *, until: datetime = LATER, **changes: Any) -> pull.PartPull:
    with connected(sodata, **changes) as (client, _):
        return pull_day(client, until=until)


def only_current(data: Sequence[Any]) -> SoData:
    """A SoData that gives these rows for one series, whatever the window, and no others."""
    sodata = SoData()

    def answer(request: dict[str, Any]) -> Reply:
        current = CURRENT.service_id
        said = [
            {**one, "data": data if one["serviceId"] == current else []}
            for one in request["series"]
        ]
        return reply_json({"series": said})

    sodata.datapoints = answer  # type: ignore[method-assign]
    return sodata


def rows(frame: pl.DataFrame) -> list[tuple[str, float | None]]:
    return [
        (f"{service}@{at:%H:%M}", value)
        for service, at, value in frame.select("service_id", "at", "value").iter_rows()
    ]


def suite(points: Mapping[SeriesKey, Sequence[tuple[datetime, Any]]]) -> SoData:
    """A SoData with these series and a device for each UUID they name."""
    sodata = SoData()
    sodata.listings["devices"] = [
        {"uuid": uuid, "serialNumber": f"SN-{uuid}"} for uuid in {key.device_uuid for key in points}
    ]
    for key in points:
        known = sodata.variables.setdefault(key.device_uuid, {"results": []})
        triple = {"itemType": key[1], "itemIndex": key[2], "serviceId": key[3]}
        known["results"].append({"uuid": "|".join(key), "serviceType": "Measure", **triple})
    sodata.points = {key: list(values) for key, values in points.items()}
    return sodata


def test_the_inventory_keeps_the_contract_and_lends_units_from_last_values() -> None:
    with connected(SoData()) as (client, _):
        tables = pull.inventory(client)
    assert set(tables) == {table.name for table in SOURCE.inventory_tables}
    for name, frame in tables.items():
        assert schemas.violations(frame, table=tables_of_all()[name]) == []
    variables = tables["raw_socomec__variables"]
    assert variables.select("service_id", "unit", "title", "is_scaled", "polling_time").rows() == [
        ("140300", "PERCENT", "Charge", False, None),
        ("140108", "AMPERE", "Courant", True, 60),
        ("141935", None, "Demo title", False, 3600),
        ("150001", None, "Demo alarm", False, None),
    ]
    devices = tables["raw_socomec__devices"]
    assert devices.select("uuid", "serial_number", "gateway_uuid", "ca_uuid").rows() == [
        (UPS, "SN000001", GATEWAY, CA),
        (GATEWAY, "SN0000B1", None, CA),
    ]


@pytest.mark.parametrize("listing", ["", "devices"])
def test_a_lost_right_does_not_replace_the_inventory_by_nothing(listing: str) -> None:
    sodata = SoData()
    sodata.listings[listing] = []
    with connected(sodata) as (client, _), pytest.raises(PermanentError, match="Data Access"):
        pull.inventory(client)


def test_a_chosen_account_is_read_alone() -> None:
    with connected(SoData(), ca_uuid=CA) as (client, server):
        pull.inventory(client)
        assert f"/api/v1/ca/{CA}" in {seen.path for seen in server.seen}
        assert "/api/v1/ca" not in {seen.path for seen in server.seen}


def test_a_device_that_goes_away_in_between_takes_no_other_with_it() -> None:
    sodata = SoData()
    del sodata.variables[GATEWAY]
    with connected(sodata) as (client, _):
        assert pull.inventory(client)["raw_socomec__variables"].height == 4


def test_a_refused_login_in_between_is_not_taken_for_a_missing_device() -> None:
    sodata = SoData()

    def lock_out(seen: Seen) -> Reply:
        sodata.token_faults = [Reply(status=403)] * 9
        return Reply(status=401)

    with connected(sodata) as (client, server):
        server.route = lambda seen: (
            lock_out(seen) if seen.path.endswith("/variables") else sodata(seen)
        )
        with pytest.raises(PermanentError, match="Keycloak refused"):
            pull.inventory(client)


def test_a_day_holds_its_points_from_start_to_end_and_no_more() -> None:
    sodata = SoData()
    hours = range(-1, 26)
    sodata.points[CURRENT] = [(START + timedelta(hours=h), float(h)) for h in hours]
    pulled = read_day(sodata)
    assert schemas.violations(pulled.frame, table=RAW_SOCOMEC_DATAPOINTS) == []
    assert rows(pulled.frame) == [(f"140108@{h:02}:00", float(h)) for h in range(24)]
    assert pulled.frame.row(0, named=True) == {
        "device_uuid": UPS,
        "item_type": "Global",
        "item_index": "0",
        "service_id": "140108",
        "at": START,
        "value": 0.0,
        "value_text": None,
        "data_type": "number",
        "device_time_zone": "UTC",
        "ca_uuid": CA,
        "serial_number": "SN000001",
    }
    # The inactive battery variable is not asked for; the others without points are silent.
    (ups,) = pulled.devices
    assert (ups.asked, ups.answered) == (3, 1)


def test_an_open_day_ends_at_the_present() -> None:
    sodata = SoData()
    sodata.points[CURRENT] = [(START + timedelta(hours=h), float(h)) for h in range(24)]
    until = START + timedelta(hours=5)
    assert read_day(sodata, until=until).frame["at"].max() == until - timedelta(hours=1)
    before = read_day(sodata, until=START)
    assert before.frame.schema == RAW_SOCOMEC_DATAPOINTS.schema
    assert before.frame.is_empty()


def test_a_day_without_points_is_an_empty_frame_of_the_full_schema() -> None:
    frame = read_day(SoData()).frame
    assert schemas.violations(frame, table=RAW_SOCOMEC_DATAPOINTS) == []
    assert frame.is_empty()


def test_repeated_points_count_once_and_conflicts_keep_the_smallest_that_is_not_zero() -> None:
    at = [START + timedelta(minutes=m) for m in range(4)]
    sodata = SoData()
    sodata.points[CURRENT] = [
        (at[2], 9.0),
        (at[0], 5.0),
        (at[0], 5.0),
        (at[1], 0.0),
        (at[1], 7.0),
        (at[1], 6.0),
        (at[3], None),
    ]
    pulled = read_day(sodata)
    assert rows(pulled.frame) == [
        ("140108@00:00", 5.0),
        ("140108@00:01", 6.0),
        ("140108@00:02", 9.0),
        ("140108@00:03", None),
    ]
    assert (pulled.duplicates, pulled.conflicts, pulled.nulls) == (1, 2, 1)


def test_values_that_are_not_numbers_are_kept_as_said() -> None:
    said = [1, "ACTIVE", True, 2.5, "3"]
    sodata = SoData()
    sodata.points[ALARM] = [(START + timedelta(minutes=n), v) for n, v in enumerate(said)]
    frame = read_day(sodata).frame
    assert frame.select("value", "value_text").rows() == [
        (1.0, None),
        (None, "ACTIVE"),
        (None, "true"),
        (2.5, None),
        (None, "3"),
    ]


def test_stamps_with_decimals_or_an_offset_are_the_same_instants() -> None:
    stamps = ["2026-01-01T00:05:05.250Z", "2026-01-01T02:10:00+02:00", "2026-01-01T00:15:00Z"]
    sodata = only_current([{"at": text, "value": 1} for text in stamps])
    assert read_day(sodata).frame["at"].to_list() == [
        datetime(2026, 1, 1, 0, 5, 5, 250_000, tzinfo=UTC),
        datetime(2026, 1, 1, 0, 10, tzinfo=UTC),
        datetime(2026, 1, 1, 0, 15, tzinfo=UTC),
    ]


def test_a_day_of_which_no_row_can_be_read_fails_and_shows_one() -> None:
    sodata = only_current([{"at": "yesterday", "value": 1}])
    with pytest.raises(PermanentError, match=r"day 2026-01-01.*yesterday"):
        read_day(sodata)


def test_points_outside_the_window_are_counted_and_left_to_their_own_day() -> None:
    sodata = only_current([{"at": f"2026-01-0{d}T12:00:00Z", "value": d} for d in (1, 2)])
    pulled = read_day(sodata)
    assert pulled.frame["value"].to_list() == [1.0]
    assert "1 rows outside the window" in pulled.warnings[0]


def test_gateways_are_asked_only_when_they_measure_something() -> None:
    sodata = SoData()
    alarm = {"uuid": "a", "itemType": "G", "itemIndex": "0", "serviceId": "1"}
    sodata.variables[GATEWAY] = {"results": [{**alarm, "serviceType": "Alarm"}]}
    read_day(sodata)
    asked = {one["deviceUuid"] for request in sodata.asks for one in request["series"]}
    assert asked == {UPS}
    sodata.variables[GATEWAY] = {"results": [{**alarm, "serviceType": "Measure"}]}
    read_day(sodata)
    asked = {one["deviceUuid"] for request in sodata.asks for one in request["series"]}
    assert asked == {UPS, GATEWAY}


def test_an_empty_inventory_is_no_empty_day() -> None:
    sodata = SoData()
    with connected(sodata) as (client, _):
        with pytest.raises(PermanentError, match=r"day 2026-01-01.*inventory"):
            pull_day(
                client,
                until=LATER,
                devices=RAW_SOCOMEC_DEVICES.empty(),
                variables=RAW_SOCOMEC_VARIABLES.empty(),
            )
        assert sodata.asks == []


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_a_device_that_is_refused_is_named_and_costs_no_other_its_day(status: int) -> None:
    keys = [SeriesKey(f"device-{n}", "Global", "0", str(s)) for n in range(5) for s in range(3)]
    minutes = [(START + timedelta(minutes=m), float(m)) for m in range(1440)]
    sodata = suite(dict.fromkeys(keys, minutes))
    answer = sodata.datapoints

    def refuse(request: dict[str, Any]) -> Reply:
        is_refused = any(one["deviceUuid"] == "device-3" for one in request["series"])
        return reply_json({"message": "no"}, status=status) if is_refused else answer(request)

    sodata.datapoints = refuse  # type: ignore[method-assign]
    pulled = read_day(sodata, max_series=4)

    assert set(pulled.frame["device_uuid"]) == {f"device-{n}" for n in (0, 1, 2, 4)}
    assert pulled.frame.height == 12 * 1440
    partial = {one.device: one.why_partial for one in pulled.devices if one.why_partial}
    assert list(partial) == ["SN-device-3"]
    assert f"refuses the device with HTTP {status}" in partial["SN-device-3"]
    assert (pulled.devices[3].asked, pulled.devices[3].answered) == (3, 0)


def test_a_stray_refusal_costs_no_device_its_day() -> None:
    keys = [SeriesKey(f"device-{n}", "Global", "0", "1") for n in range(2)]
    minutes = [(START + timedelta(minutes=m), float(m)) for m in range(1440)]
    sodata = suite(dict.fromkeys(keys, minutes))
    answer, left = sodata.datapoints, [1]

    def refuse_once(request: dict[str, Any]) -> Reply:
        return Reply(status=400) if left and left.pop() else answer(request)

    sodata.datapoints = refuse_once  # type: ignore[method-assign]
    pulled = read_day(sodata, max_series=1)
    assert pulled.frame.height == 2 * 1440
    assert not any(one.why_partial for one in pulled.devices)


@pytest.mark.parametrize("devices", [1, 2, 9])
def test_a_vendor_that_refuses_every_device_has_failed(devices: int) -> None:
    sodata = suite({SeriesKey(f"device-{n}", "Global", "0", "1"): [] for n in range(devices)})
    asked: list[int] = []

    def refuse(request: dict[str, Any]) -> Reply:
        asked.append(1)
        return reply_json({"message": "no"}, status=403)

    sodata.datapoints = refuse  # type: ignore[method-assign]
    with pytest.raises(PermanentError, match=r"SN-device-\d, day 2026-01-01, HTTP 403"):
        read_day(sodata, max_series=1)
    assert len(asked) <= 12


def test_a_day_the_vendor_cannot_serve_fails_naming_the_day() -> None:
    sodata = SoData()

    def down(request: dict[str, Any]) -> Reply:
        return Reply(status=503)

    sodata.datapoints = down  # type: ignore[method-assign]
    with pytest.raises(TransientError, match=r"day 2026-01-01, HTTP 503.*3 attempts"):
        read_day(sodata)


def test_faults_on_the_way_leave_the_day_as_without_them() -> None:
    rng = random.Random(7)  # noqa: S311 - invented load
    points = {
        SeriesKey(f"d{n % 5}", "Global", "0", f"{n:03}"): [
            (START + timedelta(seconds=s), float(rng.randrange(9)))
            for s in sorted(rng.sample(range(86_400), 30))
        ]
        for n in range(40)
    }
    clean = read_day(suite(points), max_series=7)
    assert clean.frame.height == 1200
    faulty = suite(points)
    faulty.max_window, faulty.max_series = timedelta(hours=7), 3
    answer = faulty.datapoints
    bad = (
        Reply(status=429, headers={"Retry-After": "0.001"}),
        Reply(status=502),
        Reply(body=b'{"series": [', cut=5),
        Reply(body=b"<html>", headers={"Content-Type": "text/html"}),
    )
    attempts: dict[str, int] = {}

    def hiccup(request: dict[str, Any]) -> Reply:
        attempt = attempts[str(request)] = attempts.get(str(request), 0) + 1
        nth = list(attempts).index(str(request))
        if attempt == 1 and nth % 5 == 4:
            faulty.access.clear()
        # Every request fails up to three times in its own way, whatever the threads do meanwhile.
        return bad[(nth + attempt) % 4] if attempt <= nth % 4 else answer(request)

    faulty.datapoints = hiccup  # type: ignore[method-assign]
    pulled = read_day(faulty, max_series=7, attempts=4)
    assert len(attempts) > 20
    assert pulled.frame.equals(clean.frame)
    assert (pulled.duplicates, pulled.conflicts) == (0, 0)


def test_a_large_day_comes_in_parts_that_a_larger_day_does_not_make_larger() -> None:
    points = {
        SeriesKey("d", "Global", "0", f"s{n}"): [
            (START + timedelta(seconds=10 * at), float(at)) for at in range(8_640)
        ]
        for n in range(7)
    }
    whole = read_day(suite(points), max_series=100)
    with connected(suite(points), max_series=1) as (client, _):
        tables = pull.inventory(client)
        chunks = list(
            pull.chunks(
                client,
                day=DAY,
                until=LATER,
                devices=tables["raw_socomec__devices"],
                variables=tables["raw_socomec__variables"],
            )
        )
    assert [chunk.frame.height // 8_640 for chunk in chunks] == [0, 2, 2, 2, 1]
    assert pl.concat(chunk.frame for chunk in chunks).equals(whole.frame)


@settings(max_examples=12, deadline=None)
@given(
    minutes=st.dictionaries(
        st.tuples(st.integers(0, 3), st.integers(0, 3)),
        st.lists(st.integers(0, 1439), max_size=12),
        min_size=1,
        max_size=8,
    ),
    at_once=st.integers(1, 5),
)
def test_parts_written_one_after_the_other_are_the_sorted_day(
    minutes: dict[tuple[int, int], list[int]], at_once: int
) -> None:
    points = {
        SeriesKey(f"d{device}", "Global", "0", f"s{service}"): [
            (START + timedelta(minutes=m), float(m)) for m in stamps
        ]
        for (device, service), stamps in minutes.items()
    }
    pulled = read_day(suite(points), max_series=at_once)
    assert schemas.violations(pulled.frame, table=RAW_SOCOMEC_DATAPOINTS) == []
    unique = {(key, at) for key, values in points.items() for at, _ in values}
    assert pulled.frame.height == len(unique)
    assert pulled.duplicates == sum(map(len, points.values())) - len(unique)
