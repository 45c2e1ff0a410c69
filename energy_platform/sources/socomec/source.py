"""SoData as a source: opened, day by day, and what the platform asks of it besides."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from energy_platform.sources.base import Address
from energy_platform.sources.inventory import with_devices_named_apart
from energy_platform.sources.socomec import pull
from energy_platform.sources.socomec.client import SocomecClient
from energy_platform.sources.socomec.tables import (
    RAW_SOCOMEC_CUSTOMERS,
    RAW_SOCOMEC_DEVICES,
    RAW_SOCOMEC_LAST_VALUES,
    RAW_SOCOMEC_VARIABLES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.sources.base import PulledDay, SourceContext
    from energy_platform.sources.coverage import DeviceDay, Earlier, Reject
    from energy_platform.sources.http.errors import VendorError
    from energy_platform.sources.socomec.settings import SocomecSettings


@dataclass
class StreamedDay:
    """One SoData day whose rows are read while they are landed; the counts are of those so far."""

    day: str
    chunks: InitVar[Iterator[pull.PartPull]]
    frame: Iterator[pl.DataFrame] = field(init=False)
    error: VendorError | None = None
    duplicates: int = 0
    conflicts: int = 0
    nulls: int = 0
    warnings: tuple[str, ...] = ()
    devices: tuple[DeviceDay, ...] = ()
    rejects: tuple[Reject, ...] = ()

    def __post_init__(self, chunks: Iterator[pull.PartPull]) -> None:
        self.frame = self._frames(chunks)

    def _frames(self, chunks: Iterator[pull.PartPull]) -> Iterator[pl.DataFrame]:
        for chunk in chunks:
            self.duplicates += chunk.duplicates
            self.conflicts += chunk.conflicts
            self.nulls += chunk.nulls
            self.warnings += chunk.warnings
            self.devices += chunk.devices
            self.rejects += chunk.rejects
            yield chunk.frame


@dataclass(frozen=True)
class SocomecSource:
    """SoData, day by day."""

    client: SocomecClient
    portfolio: Portfolio
    lake: Lake | None = None

    def check_login(self) -> None:
        """List the corporate accounts."""
        self.client.corporate_accounts()

    def inventory(self) -> dict[str, pl.DataFrame]:
        """Return the inventory frames by table name, each device under a name of its own."""
        frames = pull.inventory(self.client)
        return with_devices_named_apart(frames, RAW_SOCOMEC_DEVICES, own_id="uuid", lake=self.lake)

    def days(
        self,
        days: Sequence[str],
        *,
        until: datetime,
        inventory: Mapping[str, pl.DataFrame],
        earlier: Earlier,
    ) -> Iterator[PulledDay]:
        """Yield every day once; its rows come as they are read."""
        self.client.patience.allow_days(len(days))
        for day in days:
            yield StreamedDay(
                day,
                pull.chunks(
                    self.client,
                    day=day,
                    until=until,
                    devices=inventory[RAW_SOCOMEC_DEVICES.name],
                    variables=inventory[RAW_SOCOMEC_VARIABLES.name],
                    left_out=self.portfolio.left_out("socomec"),
                    before=earlier(day),
                ),
            )


@contextmanager
def open_socomec(settings: SocomecSettings, context: SourceContext) -> Iterator[SocomecSource]:
    """Open SoData with a user's credentials.

    Raises:
        SettingsError: A credential is not set, or the trust store or proxy cannot be used.
    """
    with SocomecClient(settings, logins=context.logins) as client:
        yield SocomecSource(client, context.portfolio, context.lake)


def addresses(settings: SocomecSettings) -> list[Address]:
    """Return where SoData and its Keycloak are spoken to."""
    realm = f"{settings.keycloak_url.rstrip('/')}/realms/{settings.realm}"
    return [
        Address("socomec login", f"{realm}/.well-known/openid-configuration"),
        Address("socomec", f"{settings.api_url.rstrip('/')}/api/v1/ca"),
    ]


def keep(frames: Mapping[str, pl.DataFrame], lake: Lake) -> Mapping[str, pl.DataFrame]:
    """Return inventory frames with what could not be read this time as the lake has it.

    That is the customers of an account; and the variables and last values of a device that is
    listed but gave none, which may have been refused, and whose days must not become silently
    empty.
    """
    if RAW_SOCOMEC_DEVICES.name not in frames:
        return frames
    listed = frames[RAW_SOCOMEC_DEVICES.name]["uuid"].implode()
    kept = dict(frames)
    for table in (RAW_SOCOMEC_VARIABLES, RAW_SOCOMEC_LAST_VALUES):
        fresh = frames.get(table.name, table.empty())
        missing = lake.read(table).filter(
            pl.col("device_uuid").is_in(listed),
            ~pl.col("device_uuid").is_in(fresh["device_uuid"].implode()),
        )
        kept[table.name] = pl.concat([fresh, missing])
    if RAW_SOCOMEC_CUSTOMERS.name not in kept:
        kept[RAW_SOCOMEC_CUSTOMERS.name] = lake.read(RAW_SOCOMEC_CUSTOMERS)
    return kept
