"""What holds of every registered source, tried on each: a new one is tried by being registered."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from energy_platform.identity import name_of
from energy_platform.ingest.run import ingest_days, ingest_inventory, is_configured
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.lake import Lake
from energy_platform.schemas import violations
from energy_platform.settings import SettingsError
from energy_platform.sources.base import SourceContext, SourceSpec
from energy_platform.sources.http.errors import VendorError
from energy_platform.sources.registry import faults, open_source, poll_source, sources
from energy_platform_tests.sources.cases import Case, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.ingest.landing_days import DayOutcome


@dataclass
class Tried:
    """A registered source that answers, and the data folder of this try."""

    spec: SourceSpec[Any]
    case: Case
    folder: Path

    def open(self, lake: Lake, *, landing: str = "landing") -> Any:
        return open_source(
            self.spec.name,
            portfolio=self.case.portfolio,
            landing=self.folder / landing,
            logins=None,
            lake=lake,
        )

    def read(self, name: str) -> tuple[Lake, DayOutcome]:
        """Read the inventory and the day into a lake of its own, as an asset does."""
        data = self.folder / name
        data.mkdir()
        lake = Lake(data / "lake")
        with self.open(lake) as opened, Catalogue(data) as catalogue:
            ingest_inventory(opened, vendor=self.spec.name, lake=lake)
            (outcome,) = ingest_days(
                opened,
                vendor=self.spec.name,
                lake=lake,
                days=[self.case.day],
                now=self.case.now,
                catalogue=catalogue,
            )
        return lake, outcome


@pytest.fixture(params=list(sources()))
def tried(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tried]:
    served = tmp_path / "served"
    served.mkdir()
    with serve(request.param, served) as case:
        yield Tried(sources()[request.param], case, tmp_path)


def test_a_source_has_every_part(tried: Tried) -> None:
    assert list(faults(tried.spec)) == []


def test_without_its_credentials_a_source_is_left_alone_and_says_what_is_missing(
    tried: Tried, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_configured(tried.spec.name)
    for name in list(os.environ):
        if name.startswith(f"{tried.spec.name}_".upper()):
            monkeypatch.delenv(name)
    assert not is_configured(tried.spec.name)
    missing = tried.spec.missing(tried.spec.settings())
    with pytest.raises(SettingsError) as raised, tried.open(Lake(tried.folder)) as opened:
        opened.check_login()
    assert any(variable in str(raised.value) for variable in missing)


def test_inventory_and_day_keep_the_contracts_of_their_tables(tried: Tried) -> None:
    lake, outcome = tried.read("one")
    assert outcome.error is None
    day = lake.read(tried.spec.day_table, day=tried.case.day)
    assert day.height > 0
    assert violations(day, table=tried.spec.day_table) == []
    with tried.open(lake) as opened:
        frames = opened.inventory()
    tables = {table.name: table for table in tried.spec.inventory_tables}
    assert frames.keys() <= tables.keys()
    for name, frame in frames.items():
        assert frame.schema == tables[name].schema, name


def test_a_day_read_twice_is_the_same_file(tried: Tried) -> None:
    paths = [
        lake.path(tried.spec.day_table, day=tried.case.day)
        for lake, _ in (tried.read("one"), tried.read("two"))
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_each_device_says_whether_its_day_is_whole(tried: Tried) -> None:
    lake, outcome = tried.read("one")
    assert outcome.state == "whole", outcome.why
    said = {device.device: device for device in outcome.devices}
    rows = lake.read(tried.spec.day_table, day=tried.case.day)
    counted = rows.group_by(tried.spec.device_column).len()
    assert {name: said[name].rows for name in said if said[name].rows} == dict(counted.rows())
    assert all(one.answered <= one.asked for one in outcome.devices)


def test_a_day_without_readings_is_a_file_without_rows(tried: Tried) -> None:
    tried.case.silence_it()
    lake, outcome = tried.read("silent")
    assert outcome.error is None
    assert outcome.landed is not None
    assert outcome.landed.rows == 0
    day = lake.read(tried.spec.day_table, day=tried.case.day)
    assert day.schema == tried.spec.day_table.schema


def test_a_day_that_fails_is_reported_and_never_whole(tried: Tried) -> None:
    known_lake, _ = tried.read("one")
    lake = Lake(tried.folder / "failing" / "lake")
    for table in tried.spec.inventory_tables:
        lake.write(table, known_lake.read(table))
    tried.case.break_it()
    opened_source = tried.open(lake, landing="nothing landed")
    with opened_source as opened, Catalogue(lake.root.parent) as catalogue:
        with suppress(VendorError):
            for outcome in ingest_days(
                opened,
                vendor=tried.spec.name,
                lake=lake,
                days=[tried.case.day],
                now=tried.case.now,
                catalogue=catalogue,
            ):
                assert outcome.why
        known = catalogue.days(tried.spec.name)[tried.case.day]
    assert known.state != "whole"
    assert known.why


def test_readings_belong_to_points_of_devices_that_discovery_finds(tried: Tried) -> None:
    lake, _ = tried.read("one")
    with tried.open(lake) as opened:
        found = tried.spec.discover(opened.inventory())
    assert found.devices
    readings = tried.spec.readings(lake.read(tried.spec.day_table, day=tried.case.day))
    assert readings.select("point_id", "at").null_count().row(0) == (0, 0)
    for point_id in readings["point_id"].unique():
        name = name_of(point_id)
        assert name.vendor == tried.spec.name
        device = found.devices[name.serial]
        assert device.vendor == tried.spec.name
        if device.keys_known:
            assert name.key in {one.key for one in device.points} | set(device.left_out)


def test_nothing_that_is_shown_holds_a_secret(tried: Tried) -> None:
    lake = Lake(tried.folder / "lake")
    settings = tried.spec.settings()
    context = SourceContext(portfolio=tried.case.portfolio, landing=tried.folder, lake=lake)
    with tried.open(lake) as opened:
        opened.check_login()
        shown = [repr(one) for one in (tried.spec, settings, context, opened)]
        shown += [str(vars(opened)) if hasattr(opened, "__dict__") else ""]
    for secret in tried.case.secrets:
        assert not [text for text in shown if secret in text]


def test_a_source_only_reads(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    send = httpx.HTTPTransport.handle_request

    def noted(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path))
        return send(self, request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", noted)
    lake, _ = tried.read("one")
    with tried.open(lake) as opened:
        opened.check_login()
    others = {path for method, path in asked if method not in {"GET", "HEAD"}}
    allowed = re.compile("|".join(tried.case.other_calls) or "nothing")
    assert not {path for path in others if not allowed.fullmatch(path)}


@pytest.mark.parametrize(
    "tried", [name for name, spec in sources().items() if spec.poll is not None], indirect=True
)
def test_a_polled_source_keeps_its_answers(tried: Tried) -> None:
    assert tried.spec.poll is not None
    lake, folder = Lake(tried.folder / "polled" / "lake"), tried.folder / "polled" / "landing"
    assert tried.spec.poll.polled_at(folder) is None
    report = poll_source(
        tried.spec.name,
        lake=lake,
        portfolio=tried.case.portfolio,
        landing=folder,
        now=lambda: tried.case.now,
        logins=None,
    )
    assert report.landed
    assert not report.failed
    assert tried.spec.poll.polled_at(folder) is not None
    assert tried.spec.poll.days(folder)
