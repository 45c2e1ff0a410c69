"""Belimo Cloud as a source: opened, many days in one stretch, and what else is asked of it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from energy_platform.sources.base import Address
from energy_platform.sources.belimo import pull
from energy_platform.sources.belimo.client import BelimoClient
from energy_platform.sources.belimo.tables import RAW_BELIMO_DATAPROFILES, RAW_BELIMO_DEVICES
from energy_platform.sources.inventory import with_devices_named_apart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    import polars as pl

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.sources.base import PulledDay, SourceContext
    from energy_platform.sources.belimo.settings import BelimoSettings
    from energy_platform.sources.coverage import Earlier


@dataclass(frozen=True)
class BelimoSource:
    """Belimo Cloud, many days in one stretch."""

    client: BelimoClient
    portfolio: Portfolio
    lake: Lake | None = None

    def check_login(self) -> None:
        """Ask for the counts of devices."""
        self.client.device_stats()

    def inventory(self) -> dict[str, pl.DataFrame]:
        """Return the inventory frames by table name, each device under a name of its own.

        The id changes when a device is transferred; its production id does not (Belimo Cloud
        Client API, section 3.1).
        """
        frames = pull.inventory(self.client)
        return with_devices_named_apart(
            frames, RAW_BELIMO_DEVICES, own_id="production_id", lake=self.lake
        )

    def days(
        self,
        days: Sequence[str],
        *,
        until: datetime,
        inventory: Mapping[str, pl.DataFrame],
        earlier: Earlier,
    ) -> Iterator[PulledDay]:
        """Yield every day once: its rows or its error."""
        self.client.patience.allow_days(len(days))
        return pull.days(
            self.client,
            days=days,
            until=until,
            devices=inventory[RAW_BELIMO_DEVICES.name],
            profiles=inventory[RAW_BELIMO_DATAPROFILES.name],
            wanted=self.portfolio.keys_of("belimo"),
            left_out=self.portfolio.left_out("belimo"),
            earlier=earlier,
        )


@contextmanager
def open_belimo(settings: BelimoSettings, context: SourceContext) -> Iterator[BelimoSource]:
    """Open Belimo Cloud with a user's credentials.

    Raises:
        SettingsError: A credential is not set, or the trust store or proxy cannot be used.
    """
    with BelimoClient(settings, logins=context.logins) as client:
        yield BelimoSource(client, context.portfolio, context.lake)


def addresses(settings: BelimoSettings) -> list[Address]:
    """Return where Belimo Cloud and its login are spoken to."""
    return [
        Address("belimo login", settings.token_url),
        Address("belimo", f"{settings.api_url.rstrip('/')}/api-info"),
    ]
