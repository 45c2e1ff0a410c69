"""What holds of every registered source, tried on each: a new one is tried by being registered."""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import polars as pl
import pytest

from energy_platform.days import day_bounds
from energy_platform.identity import name_of
from energy_platform.ingest.run import (
    ingest_days,
    ingest_inventory,
    is_configured,
    read_inventory,
)
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import Portfolio, parse_portfolio
from energy_platform.schemas import violations
from energy_platform.settings import ApiSettings, SettingsError
from energy_platform.sources.base import SourceContext, SourceSpec
from energy_platform.sources.coverage import nothing_before
from energy_platform.sources.http.errors import AuthenticationError, VendorError
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.http.masking import without_contacts
from energy_platform.sources.registry import faults, open_source, poll_source, sources
from energy_platform_tests.sources.cases import Case, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from energy_platform.ingest.landing_days import DayOutcome


PERSONAL: Final = re.compile(r"mail|phone|owner|contact|first_name|last_name|birth")
"""Parts of the names of columns that are somebody's own matter, not a building's."""


@dataclass
class Tried:
    """A registered source that answers, and the data folder of this try."""

    spec: SourceSpec[Any]
    case: Case
    folder: Path

    def open(
        self,
        lake: Lake,
        *,
        landing: str = "landing",
        portfolio: Portfolio | None = None,
        logins: RefusedLogins | None = None,
    ) -> Any:
        return open_source(
            self.spec.name,
            portfolio=portfolio or self.case.portfolio,
            landing=self.folder / landing,
            logins=logins,
            lake=lake,
        )

    def read(
        self, name: str, *, portfolio: Portfolio | None = None, now: datetime | None = None
    ) -> tuple[Lake, DayOutcome]:
        """Read the inventory and the day into a lake of its own, as an asset does."""
        data = self.folder / name
        data.mkdir()
        lake = Lake(data / "lake")
        with (
            self.open(lake, portfolio=portfolio) as opened,
            Catalogue(data) as catalogue,
        ):
            ingest_inventory(opened, vendor=self.spec.name, lake=lake)
            (outcome,) = ingest_days(
                opened,
                vendor=self.spec.name,
                lake=lake,
                days=[self.case.day],
                now=now or self.case.now,
                catalogue=catalogue,
            )
        return lake, outcome

    def rows_by_device(self, lake: Lake) -> dict[str, int]:
        """Return how many rows of the day each device has."""
        rows = lake.read(self.spec.day_table, day=self.case.day)
        return dict(rows.group_by(self.spec.device_column).len().rows())

    def without(self, serial: str) -> Portfolio:
        """Return the portfolio with a device that is not to be read."""
        device = {"vendor": self.spec.name, "serial": serial, "site": "s", "name": serial}
        text = json.dumps(
            {
                "version": 1,
                "sites": [{"id": "s", "name": "S", "timezone": "UTC"}],
                "devices": [{**device, "read": False}],
            }
        )
        known = self.case.portfolio
        return replace(known, devices={**known.devices, **parse_portfolio(text).devices})


@contextmanager
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """Note method and path of every call that leaves this process meanwhile."""
    asked: list[tuple[str, str]] = []
    send = httpx.HTTPTransport.handle_request

    def noted(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path))
        return send(self, request)

    with monkeypatch.context() as patched:
        patched.setattr(httpx.HTTPTransport, "handle_request", noted)
        yield asked


def secret_settings(spec: SourceSpec[Any]) -> list[str]:
    """Return the settings of a source's login that are secrets."""
    return [name for name in spec.login if name in spec.secrets]


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
    counted = tried.rows_by_device(lake)
    assert {name: said[name].rows for name in said if said[name].rows} == counted
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


def test_days_come_each_once_and_in_order(tried: Tried) -> None:
    day = date.fromisoformat(tried.case.day)
    asked = [(day - timedelta(days=1)).isoformat(), tried.case.day]
    lake = Lake(tried.folder / "two" / "lake")
    with tried.open(lake) as opened:
        ingest_inventory(opened, vendor=tried.spec.name, lake=lake)
        pulled = opened.days(
            asked,
            until=tried.case.now,
            inventory=read_inventory(lake, vendor=tried.spec.name),
            earlier=nothing_before,
        )
        assert [one.day for one in pulled] == asked


def test_a_day_that_is_not_over_holds_nothing_of_after_the_present(tried: Tried) -> None:
    start, end = day_bounds(tried.case.day)
    noon = start + (end - start) / 2
    lake, outcome = tried.read("today", now=noon)
    assert outcome.error is None
    assert outcome.landed is not None
    assert not outcome.landed.closed
    at = lake.read(tried.spec.day_table, day=tried.case.day)["at"]
    assert at.len() > 0
    assert at.filter((at < start) | (at >= noon)).to_list() == []


def test_a_device_that_the_portfolio_leaves_out_is_not_read(tried: Tried) -> None:
    lake, _ = tried.read("all")
    rows = tried.rows_by_device(lake)
    left_out = min(rows)
    others = {name: count for name, count in rows.items() if name != left_out}
    try:
        lake, _ = tried.read("some", portfolio=tried.without(left_out))
    except VendorError:
        # Nothing is left to be read, which a source may refuse.
        assert not others
    else:
        assert tried.rows_by_device(lake) == others


def test_an_inventory_that_lost_its_devices_makes_no_empty_day_whole(tried: Tried) -> None:
    lake = Lake(tried.folder / "lost" / "lake")
    for table in tried.spec.inventory_tables:
        lake.write(table, table.empty())
    with tried.open(lake) as opened, Catalogue.of(lake) as catalogue:
        with suppress(VendorError):
            list(
                ingest_days(
                    opened,
                    vendor=tried.spec.name,
                    lake=lake,
                    days=[tried.case.day],
                    now=tried.case.now,
                    catalogue=catalogue,
                )
            )
        known = catalogue.days(tried.spec.name)[tried.case.day]
    assert known.state != "whole" or tried.rows_by_device(lake)


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
    settings = tried.spec.settings()
    logins = {getattr(settings, name).get_secret_value() for name in secret_settings(tried.spec)}
    assert logins <= set(tried.case.secrets), "the case keeps a secret of the login to itself"
    lake = Lake(tried.folder / "lake")
    context = SourceContext(portfolio=tried.case.portfolio, landing=tried.folder, lake=lake)
    with tried.open(lake) as opened:
        opened.check_login()
        shown = [repr(one) for one in (tried.spec, settings, context, opened)]
        shown += [str(vars(opened)) if hasattr(opened, "__dict__") else ""]
    for secret in tried.case.secrets:
        assert not [text for text in shown if secret in text]


@pytest.mark.parametrize(
    "tried", [name for name, spec in sources().items() if secret_settings(spec)], indirect=True
)
def test_a_refused_login_is_tried_once_and_shows_no_secret(
    tried: Tried, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "wrong-0f4b7d1e"
    for name in secret_settings(tried.spec):
        monkeypatch.setenv(f"{tried.spec.name}_{name}".upper(), wrong)
    logins, lake = RefusedLogins.of(tried.folder), Lake(tried.folder / "lake")
    said: list[str] = []
    counts: list[int] = []
    for _ in range(2):
        with (
            calls(monkeypatch) as asked,
            pytest.raises(AuthenticationError) as raised,
            tried.open(lake, logins=logins) as opened,
        ):
            opened.check_login()
        counts.append(len(asked))
        said.append(f"{raised.value} {raised.value!r}")
    assert counts == [1, 0], "the second one must not be asked: accounts are locked"
    assert not [text for text in said if wrong in text]


def test_inventories_keep_nothing_by_which_a_person_is_reached(tried: Tried) -> None:
    lake, _ = tried.read("one")
    for table in tried.spec.inventory_tables:
        assert not [one.name for one in table.columns if PERSONAL.search(one.name)]
        frame = lake.read(table)
        for name, dtype in frame.schema.items():
            texts = frame[name].drop_nulls().to_list() if dtype == pl.String() else []
            assert not [one for one in texts if without_contacts(one) != one], name


def test_a_source_behind_http_says_where_it_is_spoken_to(tried: Tried) -> None:
    found = tried.spec.addresses(tried.spec.settings())
    assert found or not issubclass(tried.spec.settings, ApiSettings)
    for address in found:
        assert address.subject.split()[0] == tried.spec.name
        assert httpx.get(address.url).status_code < 500


def test_a_source_only_reads(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    with calls(monkeypatch) as asked:
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
