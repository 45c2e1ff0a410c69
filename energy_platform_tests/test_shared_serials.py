"""Two meters that were never given a serial number: both are read, and never mixed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl
import pytest

from energy_platform.days import day_bounds, day_range
from energy_platform.discovery import propose
from energy_platform.ingest.run import ingest_days, ingest_inventory, read_inventory
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import parse_portfolio
from energy_platform.refresh import refresh
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS
from energy_platform.simulators.suite import SimulatorSuite
from energy_platform.sources.registry import open_source
from energy_platform.sources.socomec import SocomecClient
from energy_platform.sources.socomec.discovery import discover_socomec
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DEVICES

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.sources.socomec.models import Device

DAYS: Final = day_range("2026-03-02", "2026-03-03")
NOW: Final = datetime(2026, 3, 4, 6, tzinfo=UTC)
METERS: Final = ("SN000001", "SN000002")


def test_two_meters_with_one_serial_number_have_each_its_own_energy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = SocomecClient.devices

    def unset(client: SocomecClient, ca: str) -> list[Device]:
        """As if nobody had given the two meters a serial number."""
        return [
            msgspec.structs.replace(one, serial_number="000000")
            if one.serial_number in METERS
            else one
            for one in said(client, ca)
        ]

    monkeypatch.setattr(SocomecClient, "devices", unset)
    lake = Lake(tmp_path / "lake")
    with SimulatorSuite(clock=lambda: NOW, wattics_streams=()) as suite:
        for name, value in suite.environment().items():
            monkeypatch.setenv(name, value)
        with open_source(
            "socomec", portfolio=parse_portfolio(EMPTY), landing=tmp_path, logins=None, lake=lake
        ) as source:
            ingest_inventory(source, vendor="socomec", lake=lake)
            # Read again, both keep their names.
            ingest_inventory(source, vendor="socomec", lake=lake)
            found = discover_socomec(read_inventory(lake, vendor="socomec"))
            outcomes = list(ingest_days(source, vendor="socomec", lake=lake, days=DAYS, now=NOW))
        assert all(one.error is None for one in outcomes)
        portfolio = parse_portfolio(propose(None, {"socomec": found}, name="p.yaml").after)
        truth = {device.name: device for device in suite.world.devices}
    devices = lake.read(RAW_SOCOMEC_DEVICES)
    names = sorted(devices.filter(pl.col("serial_number").str.contains("000000"))["serial_number"])
    (second,) = (name for name in names if name != "000000")
    assert second.startswith("000000~")
    assert any(second in remark and "set the numbers right" in remark for remark in found.remarks)
    refresh(lake, portfolio=portfolio)
    readings = pl.concat([lake.read(CORE_READINGS, day=day) for day in DAYS])
    assert "shared_serial" not in readings["reason"]
    deltas = pl.concat([lake.read(CORE_ENERGY_DELTAS, day=day) for day in DAYS])
    energy = dict(deltas.group_by("point_id").agg(pl.col("energy_wh").sum()).iter_rows())
    start, end = (at.timestamp() for at in (day_bounds(DAYS[0])[0], day_bounds(DAYS[-1])[1]))
    compared = dict.fromkeys(names, 0)
    for name, called in devices.select("serial_number", "name").iter_rows():
        for signal in truth[called].signals if name in names else ():
            point = f"socomec/{name}/{signal.address}"
            if point not in energy or portfolio.points[point].kind != "register":
                continue
            values = signal.samples(start, end).values
            assert energy[point] == pytest.approx(values[-1] - values[0]), point
            compared[name] += 1
    assert all(compared.values())


EMPTY: Final = "version: 1\nsites: [{id: a, name: A, timezone: UTC}]\n"
