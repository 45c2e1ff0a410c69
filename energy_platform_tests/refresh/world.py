"""A small lake to refresh: one meter, one valve, one gateway, days of a few samples."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
import yaml

from energy_platform.days import day_bounds, day_range
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import RawDayResult, land_day
from energy_platform.portfolio import Portfolio, parse_portfolio
from energy_platform.refresh import Refreshed, refresh
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_TABLES
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform.sources.skycentrics.tables import RAW_SKYCENTRICS_SAMPLES
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from energy_platform.schemas import Table

DAYS: Final = day_range("2026-03-01", "2026-03-08")
"""Days the tests speak of."""

METER: Final = "socomec/M1/Global|0|1"
VALVE: Final = "belimo/V1/evcloud.1"
WATER: Final = "belimo/V1/evcloud.2"
SOLAR: Final = "skycentrics/G1/solar"
BATTERY: Final = "skycentrics/G1/battery"
STEP: Final = "skycentrics/G1/step"

PORTFOLIO: Final = """
version: 1
sites:
  - {id: mill, name: Mill, timezone: Europe/Paris}
devices:
  - vendor: socomec
    serial: M1
    site: mill
    name: Main meter
    max_power_w: 100000
    points:
      - {key: "Global|0|1", name: Import, quantity: active_energy_import, unit: Wh}
  - vendor: belimo
    serial: V1
    site: mill
    name: Valve
    max_power_w: none
    points:
      - {key: evcloud.1, name: Heat, quantity: heating_energy, unit: J}
      - {key: evcloud.2, name: Water, quantity: temperature, unit: K}
  - vendor: skycentrics
    serial: G1
    site: mill
    name: Gateway
    points:
      - {key: solar, name: Solar, quantity: generation_energy, unit: kWh, max_power_w: 50000}
      - {key: battery, name: Battery, quantity: active_power, unit: kW, energy_from_power: true}
      - {key: step, name: Step, quantity: active_energy_import, unit: Wh, kind: increment,
         max_power_w: none}
"""

Sample = tuple[str, str, int, float]
"""Point id, day, minute of the day, value as the vendor says it."""

_TABLES: Final[dict[str, Table]] = {
    "socomec": RAW_SOCOMEC_DATAPOINTS,
    "belimo": RAW_BELIMO_SAMPLES,
    "skycentrics": RAW_SKYCENTRICS_SAMPLES,
}


def portfolio(text: str = PORTFOLIO, *, more: str = "") -> Portfolio:
    """Return the portfolio, with further text at its end."""
    return parse_portfolio(text + more)


def only(text: str, serial: str) -> str:
    """Return a portfolio's text with one of its devices."""
    content = yaml.safe_load(text)
    content["devices"] = [one for one in content["devices"] if one["serial"] == serial]
    return yaml.safe_dump(content, sort_keys=False)


def raw_frame(vendor: str, samples: Iterable[Sample]) -> pl.DataFrame:
    """Return samples of one vendor in the shape of its raw table."""
    rows = []
    for point_id, day, minute, value in samples:
        _, serial, key = point_id.split("/")
        row: dict[str, object] = {
            "at": day_bounds(day)[0] + timedelta(minutes=minute),
            "value": value,
            "serial_number": serial,
        }
        if vendor == "socomec":
            kind, index, service = key.split("|")
            row |= {"item_type": kind, "item_index": index, "service_id": service}
            row |= {"device_uuid": f"uuid-{serial}", "data_type": "double", "ca_uuid": "ca"}
        elif vendor == "belimo":
            row |= {"device_id": f"scope-{serial}", "datapoint_id": key, "dataprofile": "p/1"}
        else:
            units = {"solar": "kWh", "battery": "kW", "step": "Wh"}.get(key, "")
            row |= {"device_id": serial, "sensor_id": key, "units": units, "source": "history"}
        rows.append(row)
    return pl.DataFrame(rows, schema=_TABLES[vendor].schema)


def land(lake: Lake, samples: Iterable[Sample], *, days: Iterable[str] = ()) -> list[RawDayResult]:
    """Land samples in their days' files; ``days`` also get one where they have no samples."""
    every = list(samples)
    wanted = {(point_id.split("/")[0], day) for point_id, day, _, _ in every}
    wanted |= {("belimo", day) for day in days}
    return [
        land_day(
            lake,
            _TABLES[vendor],
            day=day,
            frame=raw_frame(
                vendor, [s for s in every if s[0].startswith(f"{vendor}/") and s[1] == day]
            ),
            complete_until=day_bounds(day)[1],
            closed=True,
        )
        for vendor, day in sorted(wanted)
    ]


def steady(days: Iterable[str] = DAYS, *, every: int = 60) -> list[Sample]:
    """Return registers that rise evenly, a temperature and a battery's power."""
    samples: list[Sample] = []
    for day in days:
        first = DAYS.index(day) * 1440
        for minute in range(0, 1440, every):
            past = first + minute
            samples += [
                (METER, day, minute, 5_000.0 + 10 * past),
                (VALVE, day, minute, 7_200_000.0 + 3_600 * past),
                (WATER, day, minute, 300.0 + minute % 7),
                (SOLAR, day, minute, 12.5 + past / 64),
                (BATTERY, day, minute, 2.0 if minute < 720 else -1.0),
                (STEP, day, minute, float(every)),
            ]
    return samples


def energy_by_point(lake: Lake) -> dict[str, float]:
    """Return what all steps of each point add up to, Wh."""
    steps = lake.scan(CORE_ENERGY_DELTAS).group_by("point_id").agg(pl.col("energy_wh").sum())
    return dict(steps.collect().iter_rows())


def content_ids(lake: Lake) -> dict[tuple[str, str], str]:
    """Return the content id of every derived file."""
    return {
        (table.name, day): footer.content_id
        for table in CORE_TABLES
        for day, footer in lake.footers(table).items()
    }


def core_bytes(lake: Lake) -> dict[tuple[str, str], bytes]:
    """Return every derived file, byte for byte."""
    return {
        (table.name, day): lake.path(table, day=day).read_bytes()
        for table in CORE_TABLES
        for day in lake.days(table)
    }


def rewritten(refreshed: Refreshed) -> dict[str, set[str]]:
    """Return, by day, the tables whose files were replaced."""
    return {
        day.day: {name for name, table in day.tables.items() if table.written}
        for day in refreshed.days
    }


def changed(refreshed: Refreshed) -> dict[str, set[str]]:
    """Return, by day, the tables whose rows differ from before; days without any are left out."""
    found = {
        day.day: {name for name, table in day.tables.items() if table.changed}
        for day in refreshed.days
    }
    return {day: names for day, names in found.items() if names}


def copied(lake: Lake, root: Path) -> Lake:
    """Return a copy of a lake, to change at will."""
    shutil.copytree(lake.root, root)
    return Lake(root)


def fresh_lake(lake: Lake, samples: Iterable[Sample], *, of: Portfolio | None = None) -> Lake:
    """Land everything and refresh once: the lake every other history must end in."""
    land(lake, samples)
    refresh(lake, portfolio=of or portfolio())
    return lake
