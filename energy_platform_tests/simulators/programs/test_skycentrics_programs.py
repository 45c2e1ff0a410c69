"""A public data pipeline for SkyCentrics: signed calls, one day of history at a time, gzip."""

from __future__ import annotations

import gzip
import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from energy_platform.simulators.skycentrics import SkycentricsSimulator
from energy_platform_tests.simulators.skycentrics.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from energy_platform.simulators.suite import SimulatorSuite


@pytest.fixture
def caller(suite: SimulatorSuite) -> Iterator[Caller]:
    suite.simulator(SkycentricsSimulator).behaviour.history = True
    with Caller(urlsplit(suite.url("skycentrics")).port or 0) as caller:
        yield caller
    suite.simulator(SkycentricsSimulator).behaviour.history = False


def days_of(caller: Caller, device: int, *, first: date, days: int) -> dict[str, dict[str, Any]]:
    """Pivot records to a table as the pipeline does: a row per record, a column per sensor."""
    table: dict[str, dict[str, Any]] = {}
    for day in (first + timedelta(days=number) for number in range(days)):
        window = f"b={day}T00:00:00&e={day + timedelta(days=1)}T00:00:00&g=1"
        reply = caller.get(f"/api/devices/{device}/data?{window}", accept="application/gzip")
        assert reply.status == 200
        for record in json.loads(gzip.decompress(reply.body)):
            row = table.setdefault(record["time"], {})
            row.update({sensor["id"]: sensor["data"] for sensor in record["sensors"]})
    return table


def test_the_pipeline_lists_devices_and_reads_two_days_of_them(
    suite: SimulatorSuite, caller: Caller
) -> None:
    listed = caller.get("/api/devices/").json
    for device in listed:
        assert caller.get(f"/api/devices/{device['id']}/").json == device
        assert caller.get(f"/api/devices/?mac={device['mac']}").json == [device]
    first = listed[0]["id"]
    table = days_of(caller, first, first=date(2026, 1, 1), days=2)
    assert len(table) == 2 * 1_440 + 1
    energy = [row["E30A_3_kWh_Energy:_3ph_Total"] for _, row in sorted(table.items())]
    signal = suite.world.signals[f"skycentrics/{first}/E30A_3_kWh_Energy:_3ph_Total"]
    start = 1_767_225_600
    truth_kwh = signal.true_energy_wh(start, start + 2 * 86_400) / 1_000
    assert energy[-1] - energy[0] == pytest.approx(truth_kwh, abs=0.02)
