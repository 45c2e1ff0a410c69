"""A lake of the simulated world's own samples, landed without the vendors' HTTP between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.days import day_bounds
from energy_platform.lake.raw_days import land_day
from energy_platform.portfolio import Portfolio, parse_portfolio
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform.sources.registry import day_tables
from energy_platform.sources.skycentrics.tables import RAW_SKYCENTRICS_SAMPLES
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from energy_platform.lake.lake import Lake
    from energy_platform.schemas import Vendor
    from energy_platform.simulators.world import Signal, World

TABLES: Final = {
    "socomec": RAW_SOCOMEC_DATAPOINTS,
    "belimo": RAW_BELIMO_SAMPLES,
    "skycentrics": RAW_SKYCENTRICS_SAMPLES,
}


def portfolio_of(world: World, *, more: str = "") -> Portfolio:
    """Return the demo's portfolio, with further text at its end."""
    return parse_portfolio(demo_portfolio(world) + more)


def land_signals(lake: Lake, signals: Iterable[Signal], *, days: Iterable[str]) -> None:
    """Land what the signals' sensors report on some days."""
    every = list(signals)
    for day in days:
        for vendor in sorted({signal.vendor for signal in every}):
            rows = [_raw(one, day=day) for one in every if one.vendor == vendor]
            land_day(
                lake,
                day_tables()[vendor],
                day=day,
                frame=pl.concat(rows),
                complete_until=day_bounds(day)[1],
                closed=True,
            )


def _raw(signal: Signal, *, day: str) -> pl.DataFrame:
    start, end = day_bounds(day)
    samples = signal.samples(start.timestamp(), end.timestamp())
    values = pl.DataFrame({"at": samples.at * 1_000_000, "value": samples.values})
    values = values.with_columns(pl.col("value").fill_nan(None))  # absent, as JSON null says it
    own = _columns(signal.vendor, signal)
    frame = values.with_columns(
        pl.col("at").cast(pl.Datetime("us", "UTC")),
        *(pl.lit(value).alias(name) for name, value in own.items()),
    )
    schema = TABLES[signal.vendor].schema
    absent = [name for name in schema if name not in frame.columns]
    return frame.with_columns(pl.lit(None).alias(name) for name in absent).select(
        pl.col(name).cast(dtype) for name, dtype in schema.items()
    )


def _columns(vendor: Vendor, signal: Signal) -> dict[str, str]:
    if vendor == "socomec":
        kind, index, service = signal.address.split("|")
        return {
            "device_uuid": f"uuid-{signal.device}",
            "serial_number": signal.device,
            "item_type": kind,
            "item_index": index,
            "service_id": service,
            "data_type": "double",
            "ca_uuid": "ca",
        }
    if vendor == "belimo":
        return {
            "device_id": f"scope-{signal.device}",
            "serial_number": signal.device,
            "datapoint_id": signal.address,
            "dataprofile": "p/1",
        }
    return {
        "device_id": signal.device,
        "sensor_id": signal.address,
        "units": signal.unit,
        "source": "history",
    }
