"""History of the Belimo Cloud: raw pages, buckets, CSV, and what may go wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from energy_platform.simulators.belimo import BelimoSimulator
from energy_platform.simulators.world import Event, World
from energy_platform_tests.simulators.web import HTTP

from .cloud import DAY, HEAT, Cloud, device_id, valve

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def samples_of(answer: dict[str, Any]) -> list[tuple[int, Any]]:
    return [
        (int(datetime.fromisoformat(one["timestamp"]).timestamp()), one["value"])
        for one in answer["data"]
    ]


def heat(suite: SimulatorSuite, *, traits: tuple[str, ...] = ()) -> tuple[str, str]:
    """Device id and point id of a valve's heat register."""
    serial = valve(suite, *traits)
    return device_id(suite, serial), f"belimo/{serial}/{HEAT}"


def test_raw_samples_are_what_the_world_measured_in_whole_joules(suite: SimulatorSuite) -> None:
    identity, key = heat(suite)
    found = samples_of(Cloud(suite).raw(identity))
    start = MIDNIGHT.timestamp()
    truth = World().signals[key].samples(start, start + 86_400)
    assert found == list(zip(truth.at.tolist(), truth.values.tolist(), strict=True))
    assert all(value == int(value) for _, value in found)


@pytest.mark.parametrize("limit", [1, 20, 50, 2000])
def test_pages_join_without_loss_or_duplicate(suite: SimulatorSuite, limit: int) -> None:
    identity, _ = heat(suite)
    cloud = Cloud(suite)
    window = {"to": "2026-01-01T04:00:00Z"}
    joined: list[tuple[int, Any]] = []
    while True:
        page = cloud.raw(identity, limit=limit, offset=len(joined), **window)
        joined += samples_of(page)
        if not page["data"] or len(joined) >= page["paging"]["total"]:
            break
    assert joined == samples_of(cloud.raw(identity, **window))
    assert len(joined) == page["paging"]["total"] > 20


def test_from_is_inclusive_to_exclusive_and_both_are_echoed(suite: SimulatorSuite) -> None:
    identity, _ = heat(suite)
    cloud = Cloud(suite)
    stamps = [one["timestamp"] for one in cloud.raw(identity)["data"]]
    window = cloud.raw(identity, **{"from": stamps[5], "to": stamps[9]})
    assert [one["timestamp"] for one in window["data"]] == stamps[5:9]
    assert window["filter"]["datapointId"] == HEAT
    assert window["sorting"] == {"field": "time", "direction": "ASC"}


def test_without_a_limit_a_page_holds_twenty_and_descending_begins_with_the_newest(
    suite: SimulatorSuite,
) -> None:
    identity, _ = heat(suite)
    cloud = Cloud(suite)
    path = f"/devices/{identity}/data/history/datapoints/{HEAT}"
    page = cloud.get(path, **DAY, sortDirection="DESC").json()
    assert len(page["data"]) == 20
    assert samples_of(page)[0] == samples_of(cloud.raw(identity))[-1]


def test_both_stamp_formats_occur(suite: SimulatorSuite) -> None:
    cloud = Cloud(suite)
    lengths = {
        len(cloud.raw(device_id(suite, valve(suite, number=n)))["data"][0]["timestamp"])
        for n in range(2)
    }
    assert lengths == {20, 24}


@pytest.mark.parametrize(
    ("datapoint", "kind"),
    [("default.1", str), ("evcloud.300", bool), ("evcloud.120", int), ("evcloud.150", float)],
)
def test_values_have_the_type_of_their_datapoint(
    suite: SimulatorSuite, datapoint: str, kind: type
) -> None:
    identity, _ = heat(suite)
    found = samples_of(Cloud(suite).raw(identity, datapoint))
    assert {type(value) for _, value in found} == {kind}


def test_an_unknown_datapoint_has_no_samples(suite: SimulatorSuite) -> None:
    identity, _ = heat(suite)
    assert Cloud(suite).raw(identity, "evcloud.999")["data"] == []


def test_buckets_are_stamped_with_their_start_and_hold_their_last_value(
    suite: SimulatorSuite,
) -> None:
    identity, _ = heat(suite)
    cloud = Cloud(suite)
    path = f"/devices/{identity}/data/history/timeseries"
    answer = cloud.get(path, **DAY, datapointIds=f"{HEAT},evcloud.999", resolution="1h").json()
    assert [one["datapointId"] for one in answer["series"]] == [HEAT]
    buckets = answer["series"][0]["values"]
    assert [one["timestamp"] for one in buckets[:2]] == [
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00Z",
    ]
    assert len(buckets) == 24
    raw = samples_of(cloud.raw(identity))
    last = [value for at, value in raw if at < MIDNIGHT.timestamp() + 3_600][-1]
    assert buckets[0]["value"] == last


def test_empty_buckets_are_absent(suite: SimulatorSuite) -> None:
    identity, _ = heat(suite, traits=("quiet",))
    path = f"/devices/{identity}/data/history/timeseries"
    answer = Cloud(suite).get(path, **DAY, datapointIds=HEAT, resolution="15m").json()
    assert len(answer["series"][0]["values"]) == 4


def test_a_number_of_points_is_a_resolution_too(suite: SimulatorSuite) -> None:
    identity, _ = heat(suite)
    path = f"/devices/{identity}/data/history/timeseries"
    found = Cloud(suite).get(path, **DAY, datapointIds=HEAT).json()["series"][0]["values"]
    assert len(found) == 100


@pytest.mark.parametrize(
    "change",
    [
        {"resolution": "5s"},
        {"resolution": "10001"},
        {"resolution": "soon"},
        {"aggregation": "avg"},
        {"datapointIds": ""},
        {"to": DAY["from"]},
        {"from": "yesterday"},
    ],
)
def test_a_wrong_timeseries_query_is_refused(suite: SimulatorSuite, change: dict[str, str]) -> None:
    identity, _ = heat(suite)
    query = {**DAY, "datapointIds": HEAT, "resolution": "1h", **change}
    path = f"/devices/{identity}/data/history/timeseries"
    assert Cloud(suite).get(path, **query).status_code == 400


def test_a_device_without_profile_has_raw_samples_but_no_timeseries(suite: SimulatorSuite) -> None:
    identity, _ = heat(suite, traits=("no_profile",))
    cloud = Cloud(suite)
    path = f"/devices/{identity}/data/history/timeseries"
    assert cloud.get(path, **DAY, datapointIds=HEAT).status_code == 404
    assert cloud.raw(identity)["data"]


def test_the_bucket_of_now_is_provisional(suite: SimulatorSuite) -> None:
    identity, _ = heat(suite)
    path = f"/devices/{identity}/data/history/timeseries"
    query = {
        "from": "2026-03-03T11:00:00Z",
        "to": "2026-03-03T13:00:00Z",
        "datapointIds": HEAT,
        "resolution": "1h",
    }
    cloud = Cloud(suite)
    suite.set_clock(datetime(2026, 3, 3, 11, 30, tzinfo=UTC))
    early = cloud.get(path, **query).json()["series"][0]["values"]
    suite.set_clock(datetime(2026, 3, 3, 12, tzinfo=UTC))
    late = cloud.get(path, **query).json()["series"][0]["values"]
    assert early[-1]["timestamp"] == late[-1]["timestamp"] == "2026-03-03T11:00:00Z"
    assert early[-1]["value"] < late[-1]["value"]


def test_the_csv_is_sparse_unsorted_and_has_one_timestamp_twice(suite: SimulatorSuite) -> None:
    identity, _ = heat(suite)
    query = {**DAY, "datapointIds": f"evcloud.200,{HEAT}"}
    table = Cloud(suite).get(f"/devices/{identity}/data/download", **query)
    assert table.headers["content-type"].startswith("text/csv")
    lines = table.text.split("\r\n")
    assert lines[0] == f"timestamp;evcloud.200;{HEAT}"
    stamps = [line.split(";")[0] for line in lines[1:-1]]
    assert stamps != sorted(stamps)
    assert len(set(stamps)) == len(stamps) / 2
    assert all(line.count(";") == 2 for line in lines[:-1])


def test_a_download_link_needs_no_token(suite: SimulatorSuite) -> None:
    identity, _ = heat(suite)
    cloud = Cloud(suite)
    query = {**DAY, "datapointIds": HEAT}
    link = cloud.get(f"/devices/{identity}/data/requestDownload", **query).json()
    assert HTTP.get(link["downloadUrl"]).text == (
        cloud.get(f"/devices/{identity}/data/download", **query).text
    )
    assert HTTP.get(link["downloadUrl"] + "x").status_code == 403


def test_resets_gaps_and_late_samples_show_in_the_history(suite: SimulatorSuite) -> None:
    identity, key = heat(suite)
    cloud = Cloud(suite)
    clean = samples_of(cloud.raw(identity))
    noon = MIDNIGHT + timedelta(hours=12)
    suite.world.add_event(Event(key, "gap", noon - timedelta(hours=6), noon))
    suite.world.add_event(Event(key, "reset", noon))
    found = samples_of(cloud.raw(identity))
    assert len(found) < len(clean)
    assert found[-1][1] < 1e9 < found[0][1]
    suite.world.clear_events()
    suite.set_faults(["belimo:late_points=6"])
    early = samples_of(cloud.raw(identity))
    assert early == [one for one in clean if one[0] < (MIDNIGHT + timedelta(hours=18)).timestamp()]
    suite.clear_faults()
    assert samples_of(cloud.raw(identity)) == clean


def test_listings_of_samples_may_lie(suite: SimulatorSuite) -> None:
    identity, _ = heat(suite)
    cloud = Cloud(suite)
    clean = samples_of(cloud.raw(identity))
    suite.set_faults(["belimo:page_drift"])
    assert samples_of(cloud.raw(identity, limit=10, offset=10))[0] == clean[9]
    suite.clear_faults()
    suite.set_faults(["belimo:repeated_page"])
    assert samples_of(cloud.raw(identity, limit=10, offset=10)) == clean[:10]
    suite.clear_faults()
    suite.set_faults(["belimo:endless_pages"])
    page = cloud.raw(identity, limit=10, offset=9_000)
    assert page["data"]
    assert page["paging"]["total"] > 9_010
    suite.clear_faults()
    suite.set_faults(["belimo:truncate=100"])
    page = cloud.raw(identity)
    assert (len(page["data"]), page["paging"]["total"]) == (100, 100)
    suite.clear_faults()
    suite.set_faults(["belimo:null_value", "belimo:extra_keys"])
    spoiled = cloud.raw(identity)["data"]
    assert spoiled[0]["value"] is None
    assert all("quality" in one for one in spoiled)


@pytest.mark.parametrize(
    ("from_start", "stamps"),
    [
        (False, ["2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
        (True, ["2025-12-31T23:00:00Z", "2026-01-01T23:00:00Z"]),
    ],
)
def test_local_days_are_buckets_only_where_these_begin_with_the_window(
    suite: SimulatorSuite, from_start: bool, stamps: list[str]
) -> None:
    """Which of both the vendor does is not documented; a program may meet either."""
    suite.simulator(BelimoSimulator).history.buckets_from_start = from_start
    try:
        path = f"/devices/{device_id(suite, valve(suite))}/data/history/timeseries"
        window = {"from": "2026-01-01T00:00:00+01:00", "to": "2026-01-03T00:00:00+01:00"}
        answer = Cloud(suite).get(path, datapointIds=HEAT, resolution="1d", **window).json()
    finally:
        suite.simulator(BelimoSimulator).history.buckets_from_start = False
    assert [one["timestamp"] for one in answer["series"][0]["values"]] == stamps
