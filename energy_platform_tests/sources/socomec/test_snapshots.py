"""Customers and last values as snapshots: what lands, and what their absence costs."""

from __future__ import annotations

import threading
import weakref
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from energy_platform import schemas
from energy_platform.ingest.run import has_inventory, ingest_inventory
from energy_platform.lake.lake import Lake
from energy_platform.sources.http.errors import PermanentError
from energy_platform.sources.registry import get_source
from energy_platform.sources.socomec import SOURCE, pull
from energy_platform.sources.socomec.models import (
    CorporateAccount,
    Device,
    LastValue,
    Site,
    Variable,
)
from energy_platform.sources.socomec.tables import (
    RAW_SOCOMEC_CUSTOMERS,
    RAW_SOCOMEC_LAST_VALUES,
    RAW_SOCOMEC_SITES,
)
from energy_platform_tests.sources.http.loopback import Reply, reply_json

from .sodata import CA, GATEWAY, UPS, SoData, connected

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from energy_platform_tests.sources.http.loopback import Loopback, Seen

CUSTOMERS = RAW_SOCOMEC_CUSTOMERS
LAST_VALUES = RAW_SOCOMEC_LAST_VALUES


class Source:
    """The inventory as the platform's own source reads it."""

    def __init__(self, sodata: SoData, *, broken: dict[str, Reply] | None = None) -> None:
        self.sodata = sodata
        self.broken = broken or {}

    def check_login(self) -> None:
        """Need no login."""

    def inventory(self) -> dict[str, pl.DataFrame]:
        with connected(self.sodata, attempts=1) as (client, server):
            self._break(server)
            return pull.inventory(client)

    def days(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def _break(self, server: Loopback) -> None:
        def route(seen: Seen) -> Reply:
            for end, reply in self.broken.items():
                if seen.path.endswith(end):
                    return reply
            return self.sodata(seen)

        server.route = route


def complete() -> SoData:
    """A SoData whose variables have their units and titles, so that no last value is needed."""
    sodata = SoData()
    for number, one in enumerate(sodata.variables[UPS]["results"]):
        one["unit"] = one["unit"] or "NONE"
        one["serviceTranslations"] = {"en": {"title": f"Title {number}"}}
    return sodata


def test_last_values_keep_their_own_dates_texts_and_units() -> None:
    frame = Source(complete()).inventory()[LAST_VALUES.name]
    assert schemas.violations(frame, table=LAST_VALUES) == []
    assert frame.select("service_id", "at", "value", "value_text", "unit", "title").rows() == [
        (
            "140108",
            datetime(2022, 7, 28, 11, 19, 25, tzinfo=UTC),
            18.0,
            None,
            "AMPERE",
            "Demo current",
        ),
        ("150001", datetime(2022, 3, 1, tzinfo=UTC), None, "ACTIVE", None, "Demo alarm"),
    ]
    assert set(frame["serial_number"]) == {"SN000001"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"value": None}, (None, None)),
        ({"value": 17}, (17.0, None)),
        ({"value": True}, (None, "true")),
        ({"value": "NaN"}, (None, "NaN")),
        ({"value": ""}, (None, "")),
        ({"value": {"a": 1}}, (None, '{"a":1}')),
    ],
)
def test_a_last_value_of_any_type_lands(
    change: dict[str, Any], expected: tuple[float | None, str | None]
) -> None:
    sodata = complete()
    sodata.last_values[UPS]["devices"][0]["values"][0] |= change
    frame = Source(sodata).inventory()[LAST_VALUES.name]
    assert frame.select("value", "value_text").row(0) == expected


@pytest.mark.parametrize("date", [None, "", "yesterday", "2022-07-28T11:19:25.000"])
def test_a_date_that_is_no_instant_costs_no_other_its_date(date: str | None) -> None:
    sodata = complete()
    sodata.last_values[UPS]["devices"][0]["values"][0]["date"] = date
    frame = Source(sodata).inventory()[LAST_VALUES.name]
    assert frame["at"].to_list() == [None, datetime(2022, 3, 1, tzinfo=UTC)]


def test_customers_land_with_their_name_and_nothing_personal() -> None:
    sodata = SoData()
    named = "Works, ask Someone <someone@customer.example>, +33 3 88 00 00 00"
    sodata.listings["customers"].append({"uuid": "c2", "name": named, "emailTo": "x@y.example"})
    frame = Source(sodata).inventory()[CUSTOMERS.name]
    assert schemas.violations(frame, table=CUSTOMERS) == []
    assert frame.rows() == [
        ("21111111-0000-4000-8000-000000000001", CA, "Demo customer", 1),
        ("c2", CA, "Works, ask Someone <***>, ***", None),
    ]


FORBIDDEN = reply_json({"statusCode": 403, "message": "Forbidden resource"}, status=403)
NONSENSE = reply_json({"results": [{"name": "no uuid"}], "total": 1})


@pytest.mark.parametrize(
    "reply", [FORBIDDEN, NONSENSE, Reply(status=500), Reply(status=503), Reply(status=401)]
)
def test_who_may_not_read_customers_lacks_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    lake = Lake(tmp_path / "lake")
    landed = ingest_inventory(
        Source(complete(), broken={"/customers": reply}), vendor="socomec", lake=lake
    )
    assert landed.keys() == {table.name for table in SOURCE.inventory_tables}
    assert landed["raw_socomec__variables"].rows == 4
    assert landed[LAST_VALUES.name].rows == 2
    assert landed[CUSTOMERS.name].rows == 0
    assert "socomec customers" in caplog.text
    ingest_inventory(Source(complete()), vendor="socomec", lake=lake)
    assert lake.read(CUSTOMERS).height == 1
    ingest_inventory(Source(complete(), broken={"/customers": reply}), vendor="socomec", lake=lake)
    assert lake.read(CUSTOMERS).height == 1


@pytest.mark.parametrize("reply", [FORBIDDEN, Reply(status=503), reply_json({"devices": [7]})])
def test_last_values_that_cannot_be_read_cost_no_variable(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    lake = Lake(tmp_path / "lake")
    ingest_inventory(Source(complete()), vendor="socomec", lake=lake)
    before = lake.read(LAST_VALUES)
    sodata = complete()
    sodata.variables[UPS]["results"].pop()
    sodata.variables[UPS]["total"] -= 1
    landed = ingest_inventory(
        Source(sodata, broken={"/last-values": reply}), vendor="socomec", lake=lake
    )
    assert landed["raw_socomec__variables"].rows == 3
    assert lake.read(LAST_VALUES).equals(before)
    assert f"device {UPS}" in caplog.text


def test_a_device_that_is_gone_takes_its_last_values_along(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    ingest_inventory(Source(complete()), vendor="socomec", lake=lake)
    sodata = complete()
    sodata.listings["devices"] = [
        one for one in sodata.listings["devices"] if one["uuid"] == GATEWAY
    ]
    sodata.variables[GATEWAY] = sodata.variables.pop(UPS)
    ingest_inventory(Source(sodata), vendor="socomec", lake=lake)
    assert lake.read(LAST_VALUES).is_empty()


def test_units_that_only_last_values_tell_are_not_lost_when_these_are_refused() -> None:
    """As before: a device whose variables lack a unit keeps what the lake knows of it."""
    with pytest.raises(PermanentError, match="last values"):
        Source(
            SoData(), broken={f"{UPS}/last-values": FORBIDDEN, "b1/variables": FORBIDDEN}
        ).inventory()


def test_a_lake_without_these_snapshots_still_has_its_inventory(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    ingest_inventory(Source(complete()), vendor="socomec", lake=lake)
    for table in (CUSTOMERS, LAST_VALUES):
        lake.path(table).unlink()
    assert has_inventory(lake, vendor="socomec")
    lake.path(RAW_SOCOMEC_SITES).unlink()
    assert not has_inventory(lake, vendor="socomec")


@pytest.mark.parametrize("cut_at", range(len(get_source("socomec").inventory_tables)))
def test_an_inventory_that_was_cut_short_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    """As after a kill: the next run must read it again, not go on with what is there."""
    lake = Lake(tmp_path / "lake")
    written: list[str] = []
    write = Lake.write

    def cut(self: Lake, table: schemas.Table, frame: pl.DataFrame, **options: Any) -> Any:
        if len(written) == cut_at:
            raise KeyboardInterrupt
        written.append(table.name)
        return write(self, table, frame, **options)

    monkeypatch.setattr(Lake, "write", cut)
    with pytest.raises(KeyboardInterrupt):
        ingest_inventory(Source(complete()), vendor="socomec", lake=lake)
    assert len(written) == cut_at
    assert not has_inventory(lake, vendor="socomec")


class ManyDevices:
    """An account of many devices, which counts the variables that are objects at once."""

    def __init__(self, *, devices: int, variables: int) -> None:
        self.settings = SimpleNamespace(ca_uuid="", max_in_flight=2)
        self._devices = [Device(uuid=f"u{n:05d}", serial_number=f"SN{n}") for n in range(devices)]
        self._variables = variables
        self._lock = threading.Lock()
        self.alive = self.most = 0

    def corporate_accounts(self) -> list[CorporateAccount]:
        return [CorporateAccount(uuid=CA, name="A")]

    def sites(self, ca: str) -> list[Site]:
        del ca
        return []

    def customers(self, ca: str) -> list[Any]:
        del ca
        return []

    def devices(self, ca: str) -> list[Device]:
        del ca
        return self._devices

    def take_warnings(self) -> list[str]:
        return []

    def variables(self, ca: str, device: str) -> list[Variable]:
        del ca
        return [
            self._counted(
                CountedVariable(
                    uuid=f"{device}-{n}",
                    item_type="Global",
                    item_index="0",
                    service_id=str(n),
                    device_uuid=device,
                    # Every second device has to be asked for what its variables lack.
                    unit="WATT_HOUR" if int(device[1:]) % 2 else None,
                )
            )
            for n in range(self._variables)
        ]

    def last_values(self, ca: str, device: str) -> list[LastValue]:
        del ca, device
        return [
            self._counted(
                CountedValue(
                    item_type="Global",
                    item_index="0",
                    service_id=str(n),
                    value="1",
                    date="2026-03-04T08:00:00.000Z",
                    unit="WATT_HOUR",
                )
            )
            for n in range(self._variables)
        ]

    def _counted(self, one: Any) -> Any:
        with self._lock:
            self.alive += 1
            self.most = max(self.most, self.alive)
        weakref.finalize(one, self._gone)
        return one

    def _gone(self) -> None:
        with self._lock:
            self.alive -= 1


class CountedVariable(Variable, frozen=True, weakref=True):
    """A variable whose end is noticed."""


class CountedValue(LastValue, frozen=True, weakref=True):
    """A last value whose end is noticed."""


def test_a_large_account_is_read_without_holding_all_answers() -> None:
    """What was read of some devices becomes columns before the next ones are asked."""
    client = ManyDevices(devices=1_000, variables=6)
    tables = pull.inventory(client)  # type: ignore[arg-type]
    variables = tables["raw_socomec__variables"]
    assert variables.height == tables["raw_socomec__last_values"].height == 6_000
    assert variables["unit"].null_count() == 0
    assert client.most < 0.5 * 2 * 6_000
