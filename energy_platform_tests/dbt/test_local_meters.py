"""Meters that know local days, from raw rows to the published file, where the clock changes.

A counter that starts again at each local midnight, quarter-hours stamped at their start, and totals
of local days: each local day has its own energy.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest

from energy_platform.portfolio import parse_portfolio
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.published import publish
from energy_platform_tests.zones import QUARTER

if TYPE_CHECKING:
    from collections.abc import Iterator

CHANGES: Final = [
    ("Europe/Paris", date(2026, 3, 27)),
    ("Europe/Paris", date(2026, 10, 23)),
    ("America/Los_Angeles", date(2026, 3, 6)),
    ("America/Los_Angeles", date(2026, 10, 30)),
]
"""A zone, and the first of four local days around a change of its clock."""

STEPS: Final = (100.0, 250.0, 50.0, 200.0)
"""Wh per quarter-hour between 8 and 17 h, day by day; nothing at night."""

KINDS: Final = {
    "learned": "max_power_w: none",
    "limited": "max_power_w: 10000",
    "quarters": "kind: increment, stamp: start, width: 15m",
    "totals": "kind: increment, stamp: start, width: 1d",
}


def midnights(zone: str, first: date) -> list[datetime]:
    days = [first + timedelta(days=n) for n in range(len(STEPS) + 1)]
    return [
        datetime.combine(day, datetime.min.time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for day in days
    ]


def samples(kind: str, zone: str, first: date) -> Iterator[tuple[datetime, float]]:
    """Yield what a meter says; the register of a day is 0 again from its midnight on."""
    edges = midnights(zone, first)
    for (low, high), step in zip(pairwise(edges), STEPS, strict=True):
        register = 0.0
        for n in range((high - low) // QUARTER):
            at = low + n * QUARTER
            runs = 8 <= at.astimezone(ZoneInfo(zone)).hour < 17
            if kind in {"learned", "limited"}:
                yield at, register
            elif kind == "quarters":
                yield at, step if runs else 0.0
            register += step if runs else 0.0
        if kind == "totals":
            yield low, register
    if kind in {"learned", "limited"}:
        # The next day begins; three readings settle what came last.
        yield from ((edges[-1] + n * QUARTER, 0.0) for n in range(32))
        yield from ((edges[-1] + n * QUARTER, 100.0 * (n - 31)) for n in range(32, 36))


def serial(zone: str, first: date) -> str:
    return f"{zone.replace('/', '-')}-{first}"


@pytest.fixture(scope="module")
def published(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[tuple[str, date], tuple[float, str]]:
    folder = tmp_path_factory.mktemp("local")
    points = "".join(
        f"\n      - {{key: Global|0|{kind}, name: {kind}, quantity: active_energy_import, "
        f"unit: Wh, {how}}}"
        for kind, how in KINDS.items()
    )
    sites = "".join(
        f"  - {{id: {zone.replace('/', '-')}, name: {zone}, timezone: {zone}}}\n"
        for zone in dict.fromkeys(zone for zone, _ in CHANGES)
    )
    devices = "".join(
        f"\n  - vendor: socomec\n    serial: {serial(*one)}\n    site: {one[0].replace('/', '-')}\n"
        f"    name: Meter\n    type: meter"
        for one in CHANGES
    )
    portfolio = parse_portfolio(
        f"version: 1\nsites:\n{sites}device_types:\n  meter:\n    points:{points}\n"
        f"devices:{devices}\n"
    )
    rows = [
        {
            "device_uuid": serial(*one),
            "item_type": "Global",
            "item_index": "0",
            "service_id": kind,
            "at": at,
            "value": value,
            "serial_number": serial(*one),
        }
        for one in CHANGES
        for kind in KINDS
        for at, value in samples(kind, *one)
    ]
    frame = pl.DataFrame(rows, schema=RAW_SOCOMEC_DATAPOINTS.schema)
    published_file = publish(folder, frame, portfolio=portfolio)
    with duckdb.connect(str(published_file), read_only=True) as db:
        found = db.execute(
            "select point_id, local_day, energy_wh, status from fct_energy_daily"
        ).fetchall()
    return {(point, day): (energy, status) for point, day, energy, status in found}


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", CHANGES, ids=lambda one: f"{one[0]} {one[1]}")
def test_each_local_day_has_its_own_energy(
    published: dict[tuple[str, date], tuple[float, str]], kind: str, change: tuple[str, date]
) -> None:
    point = f"socomec/{serial(*change)}/Global|0|{kind}"
    days = [change[1] + timedelta(days=n) for n in range(len(STEPS))]
    found = [published[point, day] for day in days]
    assert [round(energy, 6) for energy, _ in found] == [36 * step for step in STEPS]
    # Nobody saw the last quarter-hour before a counter began again: a hundredth of the day.
    is_counter = kind in {"learned", "limited"}
    assert {status for _, status in found} == {"partial" if is_counter else "final"}
