"""A day of Belimo valves: what lands, what is quarantined, what makes a day partial."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from energy_platform.days import day_range
from energy_platform.identity import with_names
from energy_platform.schemas import violations
from energy_platform.sources.belimo import pull
from energy_platform.sources.http.errors import AuthenticationError, VendorError
from energy_platform.sources.registry import tables
from energy_platform_tests.sources.belimo.cloud import (
    DATA,
    DEVICE,
    PROFILE,
    SERIAL,
    Cloud,
    at,
    device,
    said,
)
from energy_platform_tests.sources.http.loopback import Reply, Seen, reply_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from energy_platform.sources.base import DayPull
    from energy_platform.sources.belimo import BelimoClient

LATER = at("2026-06-01T00:00:00+00:00")
WANTED = {SERIAL: frozenset({"evcloud.210"})}
SAMPLES = tables()["raw_belimo__samples"]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud().running() as server:
        assert isinstance(server, Cloud)
        yield server


def read(
    client: BelimoClient,
    *,
    days: Sequence[str],
    until: datetime = LATER,
    wanted: Mapping[str, frozenset[str]] | None = WANTED,
) -> list[DayPull]:
    frames = pull.inventory(client)
    return list(
        pull.days(
            client,
            days=days,
            until=until,
            devices=frames["raw_belimo__devices"],
            profiles=frames["raw_belimo__dataprofiles"],
            wanted=wanted,
        )
    )


def frame_of(pulled: DayPull) -> pl.DataFrame:
    assert pulled.frame is not None
    assert violations(pulled.frame, table=SAMPLES) == []
    return pulled.frame


def test_the_inventory_keeps_its_contract_and_no_personal_data(cloud: Cloud) -> None:
    cloud.route = lambda seen: (
        Reply(body=(DATA / "devices.json").read_bytes())
        if seen.path.endswith("/devices")
        else cloud.answer(seen)
    )
    with cloud.client() as client:
        frames = pull.inventory(client)
    for name, frame in frames.items():
        assert violations(frame, table=tables()[name]) == []
        assert "example.com" not in frame.write_csv()
    assert frames["raw_belimo__devices"]["dataprofile"].to_list() == [PROFILE, None]
    units = dict(frames["raw_belimo__dataprofiles"].select("datapoint_id", "unit").iter_rows())
    assert units == {
        "default.1": None,
        "evcloud.140": "W",
        "evcloud.150": "K",
        "evcloud.200": "J",
        "evcloud.210": "J",
    }


def test_a_range_is_split_into_whole_utc_days(cloud: Cloud) -> None:
    cloud.fill(first="2026-01-01", days=5)
    days = day_range("2026-01-02", "2026-01-04")
    with cloud.client() as client:
        pulled = read(client, days=days)
    assert [one.day for one in pulled] == days
    for one in pulled:
        frame = frame_of(one)
        assert frame.height == 24
        assert frame["at"].min() == at(f"{one.day}T00:00:00+00:00")
        assert frame["serial_number"].unique().to_list() == [SERIAL]


def test_a_long_range_asks_in_stretches_and_misses_no_day(cloud: Cloud) -> None:
    cloud.fill(first="2026-01-01", days=40)
    days = day_range("2026-01-01", "2026-02-09")
    with cloud.client() as client:
        pulled = read(client, days=days)
    assert [one.day for one in pulled] == days
    assert sum(frame_of(one).height for one in pulled) == 40 * 24
    assert len(cloud.calls("/history/")) == 4, "two days to learn the cadence, then 14 at once"


def test_a_day_without_samples_is_an_empty_frame_not_a_failure(cloud: Cloud) -> None:
    cloud.fill(first="2026-01-01", days=1)
    with cloud.client() as client:
        _, second = read(client, days=["2026-01-01", "2026-01-02"])
    assert frame_of(second).is_empty()


def test_an_open_day_ends_at_the_present(cloud: Cloud) -> None:
    cloud.fill(first="2026-01-01", days=3)
    now = at("2026-01-02T06:00:00+00:00")
    with cloud.client() as client:
        first, second, third = read(client, days=day_range("2026-01-01", "2026-01-03"), until=now)
    assert frame_of(first).height == 24
    assert frame_of(second)["at"].max() == at("2026-01-02T05:00:00+00:00")
    assert frame_of(third).is_empty()


@pytest.mark.parametrize("status", [400, 500])
def test_one_refused_day_of_thirty_leaves_the_other_twenty_nine(cloud: Cloud, status: int) -> None:
    cloud.fill(first="2026-01-01", days=30)
    cloud.bad_days = {"2026-01-17": status}
    with cloud.client() as client:
        pulled = read(client, days=day_range("2026-01-01", "2026-01-30"))
    (failed,) = [one for one in pulled if one.error is not None]
    assert failed.day == "2026-01-17"
    message = str(failed.error)
    assert all(part in message for part in ("belimo", "raw samples", "2026-01-17", str(status)))
    assert DEVICE in message
    good = [one for one in pulled if one.error is None]
    assert all(frame_of(one).height == 24 for one in good)
    assert len(good) == 29


def test_a_refused_day_is_refused_for_each_datapoint_by_itself(cloud: Cloud) -> None:
    for point in ("evcloud.140", "evcloud.210"):
        cloud.fill(first="2026-01-01", days=4, datapoint_id=point)
    cloud.bad_days = {"2026-01-02": 400}
    wanted = {SERIAL: frozenset({"evcloud.140", "evcloud.210"})}
    with cloud.client(max_in_flight=1) as client:
        pulled = read(client, days=day_range("2026-01-01", "2026-01-04"), wanted=wanted)
    assert [one.day for one in pulled if one.error] == ["2026-01-02"]
    assert [frame_of(one).height for one in pulled if not one.error] == [48, 48, 48]
    assert len(cloud.calls("/history/")) < 12


def test_a_vendor_that_is_down_fails_every_day_without_hammering_it(cloud: Cloud) -> None:
    cloud.fill(first="2026-01-01", days=60)
    with cloud.client(attempts=1) as client:
        frames = pull.inventory(client)
        cloud.is_down = True
        before = len(cloud.seen)
        pulled = list(
            pull.days(
                client,
                days=day_range("2026-01-01", "2026-03-01"),
                until=LATER,
                devices=frames["raw_belimo__devices"],
                profiles=frames["raw_belimo__dataprofiles"],
                wanted={SERIAL: frozenset({"evcloud.210", "evcloud.200", "evcloud.140"})},
            )
        )
    assert all(isinstance(one.error, VendorError) for one in pulled)
    assert [one.error.day for one in pulled if one.error] == [one.day for one in pulled]
    assert len(cloud.seen) - before < 25


def test_refused_credentials_end_the_pull_at_once(cloud: Cloud) -> None:
    cloud.fill(first="2026-01-01", days=3)
    with cloud.client() as client:
        frames = pull.inventory(client)
        cloud.valid.clear()
        cloud.is_refresh_good = cloud.is_login_good = False
        with pytest.raises(AuthenticationError):
            list(
                pull.days(
                    client,
                    days=day_range("2026-01-01", "2026-01-03"),
                    until=LATER,
                    devices=frames["raw_belimo__devices"],
                    profiles=frames["raw_belimo__dataprofiles"],
                )
            )
    assert len(cloud.grants) == 3


def test_a_device_the_portfolio_does_not_know_is_read_for_energy_and_power(cloud: Cloud) -> None:
    for point in ("evcloud.140", "evcloud.150", "evcloud.200", "evcloud.210"):
        cloud.fill(first="2026-01-01", days=1, datapoint_id=point)
    with cloud.client() as client:
        (pulled,) = read(client, days=["2026-01-01"], wanted={})
    assert sorted(frame_of(pulled)["datapoint_id"].unique()) == [
        "evcloud.140",
        "evcloud.200",
        "evcloud.210",
    ]


def test_the_portfolio_decides_which_datapoints_are_read(cloud: Cloud) -> None:
    for point in ("evcloud.150", "evcloud.210"):
        cloud.fill(first="2026-01-01", days=1, datapoint_id=point)
    with cloud.client() as client:
        (pulled,) = read(client, days=["2026-01-01"], wanted={SERIAL: frozenset({"evcloud.150"})})
    assert frame_of(pulled)["datapoint_id"].unique().to_list() == ["evcloud.150"]


def test_devices_that_cannot_be_read_are_named(cloud: Cloud) -> None:
    cloud.fill(first="2026-01-01", days=1)
    cloud.devices.append(device("id-2", serial="no-profile", profile=None))
    with cloud.client() as client:
        (pulled,) = read(
            client, days=["2026-01-01"], wanted={**WANTED, "sold": frozenset({"evcloud.210"})}
        )
    assert frame_of(pulled).height == 24
    assert any("no-profile" in warning for warning in pulled.warnings)
    assert any("sold" in warning for warning in pulled.warnings)


def test_a_device_transferred_after_the_inventory_is_followed_by_its_serial_number(
    cloud: Cloud,
) -> None:
    cloud.fill(first="2026-01-01", days=2, device_id="new-id")
    with cloud.client() as client:
        frames = pull.inventory(client)
        cloud.devices = [device("new-id", serial=SERIAL)]
        pulled = list(
            pull.days(
                client,
                days=["2026-01-01", "2026-01-02"],
                until=LATER,
                devices=frames["raw_belimo__devices"],
                profiles=frames["raw_belimo__dataprofiles"],
                wanted=WANTED,
            )
        )
    for one in pulled:
        frame = frame_of(one)
        assert frame.height == 24
        assert frame["device_id"].unique().to_list() == ["new-id"]
        assert frame["serial_number"].unique().to_list() == [SERIAL]
        assert any("transferred" in warning for warning in one.warnings)


def test_valves_that_share_a_serial_number_are_followed_apart(cloud: Cloud) -> None:
    def shared(device_id: str, own: str) -> dict[str, Any]:
        return device(device_id, serial="000000") | {"productionId": own}

    cloud.fill(first="2026-01-01", days=1, device_id="new-a")
    cloud.fill(first="2026-01-01", days=1, device_id="new-b")
    cloud.devices = [shared("a", "P1"), shared("b", "P2")]
    with cloud.client() as client:
        frames = pull.inventory(client)
        devices = with_names(frames["raw_belimo__devices"], own_id="production_id")
        # Both are transferred while they are read; the account lists them the other way round.
        cloud.devices = [shared("new-b", "P2"), shared("new-a", "P1")]
        (pulled,) = pull.days(
            client,
            days=["2026-01-01"],
            until=LATER,
            devices=devices,
            profiles=frames["raw_belimo__dataprofiles"],
            wanted=dict.fromkeys(["000000", "000000~P2"], WANTED[SERIAL]),
        )
    found = frame_of(pulled).select("serial_number", "device_id").unique().sort("serial_number")
    assert found.rows() == [("000000", "new-a"), ("000000~P2", "new-b")]


def test_a_device_gone_from_the_account_is_a_warning_not_a_lost_day(cloud: Cloud) -> None:
    cloud.devices.append(device("id-2", serial="s-2"))
    cloud.fill(first="2026-01-01", days=1)
    with cloud.client() as client:
        frames = pull.inventory(client)
        cloud.devices.pop()
        (pulled,) = pull.days(
            client,
            days=["2026-01-01"],
            until=LATER,
            devices=frames["raw_belimo__devices"],
            profiles=frames["raw_belimo__dataprofiles"],
            wanted={**WANTED, "s-2": frozenset({"evcloud.210"})},
        )
    assert frame_of(pulled).height == 24
    assert any("s-2" in warning and "visible" in warning for warning in pulled.warnings)


def test_a_datapoint_that_does_not_exist_is_a_warning_but_one_of_the_profile_is_missing(
    cloud: Cloud,
) -> None:
    cloud.fill(first="2026-01-01", days=1)
    with cloud.client() as client:
        (odd,) = read(
            client,
            days=["2026-01-01"],
            wanted={SERIAL: frozenset({"evcloud.210", "evcloud.999"})},
        )
        (bad,) = read(
            client,
            days=["2026-01-01"],
            wanted={SERIAL: frozenset({"evcloud.210", "evcloud.200"})},
        )
    assert frame_of(odd).height == frame_of(bad).height == 24
    assert any("evcloud.999" in warning for warning in odd.warnings)
    assert odd.devices[0].why_partial == ""
    assert bad.devices[0].why_partial.startswith("evcloud.200: HTTP 404")


def test_repeated_and_conflicting_samples_leave_one_row_and_are_counted(cloud: Cloud) -> None:
    when = at("2026-01-01T01:00:00+00:00")
    cloud.samples[DEVICE, "evcloud.210"] = [(when, 50), (when, 0), (when, 40), (when, 50)]
    with cloud.client() as client:
        (pulled,) = read(client, days=["2026-01-01"])
    assert frame_of(pulled)["value"].to_list() == [40.0]
    assert (pulled.duplicates, pulled.conflicts) == (1, 2)


def test_two_ids_of_one_transferred_device_are_counted_once(cloud: Cloud) -> None:
    cloud.devices.append(device("new-id", serial=SERIAL))
    cloud.fill(first="2026-01-01", days=1, device_id="new-id")
    with cloud.client() as client:
        frames = pull.inventory(client)
        cloud.devices.pop(0)
        (pulled,) = pull.days(
            client,
            days=["2026-01-01"],
            until=LATER,
            devices=frames["raw_belimo__devices"],
            profiles=frames["raw_belimo__dataprofiles"],
            wanted=WANTED,
        )
    assert frame_of(pulled).height == 24
    assert pulled.duplicates == 24


def test_samples_the_vendor_sends_in_any_order_are_sorted(cloud: Cloud) -> None:
    cloud.fill(first="2026-01-01", days=1)
    cloud.samples[DEVICE, "evcloud.210"].reverse()
    with cloud.client() as client:
        (pulled,) = read(client, days=["2026-01-01"])
    assert frame_of(pulled)["at"].is_sorted()


def test_reading_a_day_twice_gives_equal_frames(cloud: Cloud) -> None:
    for point in ("evcloud.140", "evcloud.200", "evcloud.210"):
        cloud.fill(first="2026-01-01", days=3, datapoint_id=point)
    days = day_range("2026-01-01", "2026-01-03")
    with cloud.client(max_in_flight=4) as client:
        whole = read(client, days=days, wanted={})
        alone = [read(client, days=[day], wanted={})[0] for day in days]
    for one, other in zip(whole, alone, strict=True):
        assert frame_of(one).equals(frame_of(other))


def test_the_provisional_bucket_of_a_timeseries_is_left_out(cloud: Cloud) -> None:
    start = at("2026-01-01T00:00:00+00:00")

    def route(seen: Seen) -> Reply:
        if not seen.path.endswith("/timeseries"):
            return cloud.answer(seen)
        assert seen.query["resolution"] == "1h"
        values = [
            {"timestamp": said(start + timedelta(hours=n)), "value": n}
            for n in range(-1, 24)
            if at(seen.query["from"]) <= start + timedelta(hours=n) < at(seen.query["to"])
        ]
        return reply_json({"series": [{"datapointId": "evcloud.210", "values": values}]})

    cloud.route = route
    with cloud.client(history_mode="timeseries", resolution="1h", max_points=4) as client:
        (pulled,) = read(client, days=["2026-01-01"], until=at("2026-01-01T06:30:00+00:00"))
    frame = frame_of(pulled)
    assert frame["value"].to_list() == [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    ends = [start + timedelta(hours=n) for n in range(7)]
    assert frame["at"].to_list() == ends, "a bucket holds its newest value at its end"
    assert len(cloud.calls("/timeseries")) == 2, "never more points than allowed per request"
