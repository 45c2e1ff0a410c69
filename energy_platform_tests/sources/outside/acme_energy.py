"""A source of a package of its own: one meter behind a key, its day in memory.

All that a source needs, in one module; ``test_outside`` installs it and runs it.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
from pydantic import SecretStr  # noqa: TC002 - pydantic reads it
from pydantic_settings import SettingsConfigDict

from energy_platform.days import day_bounds
from energy_platform.discovery.vendor_inventory import (
    ProposedDevice,
    ProposedPoint,
    ProposedSite,
    VendorInventory,
)
from energy_platform.identity import serial_segments
from energy_platform.schemas import RAW_VALUE, Table, column, instant_column, key_column
from energy_platform.settings import SourceSettings, required
from energy_platform.sources.base import DayPull, SourceSpec
from energy_platform.sources.coverage import DeviceDay

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from energy_platform.sources.base import SourceContext
    from energy_platform.sources.coverage import Earlier

STEP: Final = timedelta(minutes=15)
STEP_WH: Final = 250.0

SAMPLES: Final = Table(
    name="raw_acme__samples",
    description="Samples of Acme meters.",
    columns=(
        key_column("meter", "Serial number of the meter."),
        key_column("register", "Name of the register."),
        instant_column("at", "The meter's own time."),
        *RAW_VALUE,
    ),
    sort_key=("meter", "register", "at"),
)
METERS: Final = Table(
    name="raw_acme__meters",
    description="Newest snapshot of the Acme meters.",
    columns=(key_column("meter", "Serial number."), column("name", pl.String(), "Name.")),
    sort_key=("meter",),
    partitioned=False,
)


class AcmeSettings(SourceSettings):
    """Acme (variables ``ACME_*``)."""

    model_config = SettingsConfigDict(env_prefix="ACME_")

    api_key: SecretStr | None = None


class Acme:
    """The meter M/1, which counts 250 Wh each quarter of an hour."""

    def check_login(self) -> None:
        """Have no login to check."""

    def inventory(self) -> dict[str, pl.DataFrame]:
        """Return the one meter."""
        return {METERS.name: pl.DataFrame([{"meter": "M/1", "name": "Main"}], METERS.schema)}

    def days(
        self,
        days: Sequence[str],
        *,
        until: datetime,
        inventory: Mapping[str, pl.DataFrame],
        earlier: Earlier,
    ) -> Iterator[DayPull]:
        """Yield each day whole."""
        del earlier
        for day in days:
            frames = [_samples(meter, day, until) for meter in inventory[METERS.name]["meter"]]
            frame = pl.concat([SAMPLES.empty(), *frames])
            at: list[datetime] = frame["at"].to_list()
            came = DeviceDay("M/1", 1, 1, len(at), min(at, default=None), max(at, default=None))
            yield DayPull(day, frame, devices=(came,))


def _samples(meter: str, day: str, until: datetime) -> pl.DataFrame:
    start, end = day_bounds(day)
    at = pl.datetime_range(start, min(end, until) - STEP, STEP, time_unit="us", eager=True)
    count = (at.dt.epoch("s") // STEP.seconds).cast(pl.Float64)
    return pl.DataFrame(
        {
            "meter": pl.repeat(meter, len(at), eager=True),
            "register": pl.repeat("energy", len(at), eager=True),
            "at": at,
            "value": (count - 1_900_000) * STEP_WH,
            "value_text": pl.repeat(None, len(at), dtype=pl.String(), eager=True),
        },
        SAMPLES.schema,
    )


@contextmanager
def open_acme(settings: AcmeSettings, _context: SourceContext) -> Iterator[Acme]:
    """Open Acme with its key."""
    required(settings.api_key, variable="ACME_API_KEY", why="Acme opens for a key")
    yield Acme()


def to_readings(raw: pl.DataFrame) -> pl.DataFrame:
    """Return raw rows as ``point_id, at, value, text, unit``."""
    return raw.select(
        pl.format("acme/{}/{}", serial_segments(raw["meter"]), "register").alias("point_id"),
        "at",
        "value",
        pl.col("value_text").alias("text"),
        pl.lit("Wh", pl.String()).alias("unit"),
    )


def discover(inventory: Mapping[str, pl.DataFrame]) -> VendorInventory:
    """Return each meter as a site's main one."""
    energy = ProposedPoint(
        key="energy",
        name="Energy",
        quantity="active_energy_import",
        unit="Wh",
        kind="register",
        confidence="high",
        why="Acme meters count energy",
    )
    devices = {
        row["meter"]: ProposedDevice(
            vendor="acme",
            serial=row["meter"],
            site="works",
            name=row["name"],
            model="acme meter",
            points=(energy,),
            carrier="electricity",
            role="main",
            needs_power=True,
        )
        for row in inventory[METERS.name].iter_rows(named=True)
    }
    return VendorInventory(
        sites={"works": ProposedSite(key="works", name="Works", timezone="Europe/Paris")},
        devices=devices,
    )


SOURCE: Final = SourceSpec(
    name="acme",
    title="Acme",
    settings=AcmeSettings,
    login=("api_key",),
    day_table=SAMPLES,
    device_column="meter",
    inventory_tables=(METERS,),
    open=open_acme,
    readings=to_readings,
    discover=discover,
)
