"""The vendors' clients, opened with their settings behind one interface."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, assert_never

from energy_platform.identity import with_names
from energy_platform.ingest.run import ingest_settings
from energy_platform.schemas import (
    RAW_BELIMO_DATAPROFILES,
    RAW_BELIMO_DEVICES,
    RAW_SKYCENTRICS_DEVICES,
    RAW_SOCOMEC_DEVICES,
    RAW_SOCOMEC_VARIABLES,
)
from energy_platform.settings import BelimoSettings, SkycentricsSettings, SocomecSettings
from energy_platform.sources.belimo import BelimoClient
from energy_platform.sources.belimo import pull as belimo_pull
from energy_platform.sources.skycentrics import Landing, SkycentricsClient
from energy_platform.sources.skycentrics import pull as skycentrics_pull
from energy_platform.sources.socomec import SocomecClient
from energy_platform.sources.socomec import pull as socomec_pull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import polars as pl

    from energy_platform.ingest.run import IngestSettings, Pulled, Source
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.schemas import Table, Vendor
    from energy_platform.sources.coverage import DeviceDay, Earlier, Reject
    from energy_platform.sources.http.errors import VendorError
    from energy_platform.sources.http.logins import RefusedLogins


@dataclass
class StreamedDay:
    """One SoData day whose rows are read while they are landed; the counts are of those so far."""

    day: str
    parts: InitVar[Iterator[socomec_pull.DayPull]]
    frame: Iterator[pl.DataFrame] = field(init=False)
    error: VendorError | None = None
    duplicates: int = 0
    conflicts: int = 0
    nulls: int = 0
    warnings: tuple[str, ...] = ()
    devices: tuple[DeviceDay, ...] = ()
    rejects: tuple[Reject, ...] = ()

    def __post_init__(self, parts: Iterator[socomec_pull.DayPull]) -> None:
        self.frame = self._frames(parts)

    def _frames(self, parts: Iterator[socomec_pull.DayPull]) -> Iterator[pl.DataFrame]:
        for part in parts:
            self.duplicates += part.duplicates
            self.conflicts += part.conflicts
            self.nulls += part.nulls
            self.warnings += part.warnings
            self.devices += part.devices
            self.rejects += part.rejects
            yield part.frame


@dataclass(frozen=True)
class SocomecSource:
    """SoData, day by day."""

    client: SocomecClient
    portfolio: Portfolio
    lake: Lake | None = None

    def inventory(self) -> dict[str, pl.DataFrame]:
        """Return the inventory frames by table name, each device under a name of its own."""
        frames = socomec_pull.inventory(self.client)
        return _told_apart(frames, RAW_SOCOMEC_DEVICES, own_id="uuid", lake=self.lake)

    def days(
        self,
        days: Sequence[str],
        *,
        until: datetime,
        inventory: Mapping[str, pl.DataFrame],
        earlier: Earlier,
    ) -> Iterator[Pulled]:
        """Yield every day once; its rows come as they are read."""
        self.client.patience.allow_days(len(days))
        for day in days:
            yield StreamedDay(
                day,
                socomec_pull.chunks(
                    self.client,
                    day=day,
                    until=until,
                    devices=inventory[RAW_SOCOMEC_DEVICES.name],
                    variables=inventory[RAW_SOCOMEC_VARIABLES.name],
                    left_out=self.portfolio.left_out("socomec"),
                    before=earlier(day),
                ),
            )


@dataclass(frozen=True)
class BelimoSource:
    """Belimo Cloud, many days in one stretch."""

    client: BelimoClient
    portfolio: Portfolio
    lake: Lake | None = None

    def inventory(self) -> dict[str, pl.DataFrame]:
        """Return the inventory frames by table name, each device under a name of its own.

        The id changes when a device is transferred; its production id does not (Belimo Cloud
        Client API, section 3.1).
        """
        frames = belimo_pull.inventory(self.client)
        return _told_apart(frames, RAW_BELIMO_DEVICES, own_id="production_id", lake=self.lake)

    def days(
        self,
        days: Sequence[str],
        *,
        until: datetime,
        inventory: Mapping[str, pl.DataFrame],
        earlier: Earlier,
    ) -> Iterator[Pulled]:
        """Yield every day once: its rows or its error."""
        self.client.patience.allow_days(len(days))
        return belimo_pull.days(
            self.client,
            days=days,
            until=until,
            devices=inventory[RAW_BELIMO_DEVICES.name],
            profiles=inventory[RAW_BELIMO_DATAPROFILES.name],
            wanted=self.portfolio.keys_of("belimo"),
            left_out=self.portfolio.left_out("belimo"),
            earlier=earlier,
        )


@dataclass(frozen=True)
class SkycentricsSource:
    """SkyCentrics: what polls landed, and history where the account has it."""

    client: SkycentricsClient
    landing: Landing
    portfolio: Portfolio

    def inventory(self) -> dict[str, pl.DataFrame]:
        """Return the inventory frames by table name."""
        return skycentrics_pull.inventory(self.client)

    def days(
        self,
        days: Sequence[str],
        *,
        until: datetime,
        inventory: Mapping[str, pl.DataFrame],
        earlier: Earlier,
    ) -> Iterator[Pulled]:
        """Yield every day once: its rows or its error."""
        self.client.patience.allow_days(len(days))
        return skycentrics_pull.days(
            self.client,
            landing=self.landing,
            days=days,
            until=until,
            device_ids=inventory[RAW_SKYCENTRICS_DEVICES.name]["id"].to_list(),
            poll_s=self.client.settings.poll_s,
            left_out=self.portfolio.left_out("skycentrics"),
            earlier=earlier,
        )


def _told_apart(
    frames: dict[str, pl.DataFrame], table: Table, *, own_id: str, lake: Lake | None
) -> dict[str, pl.DataFrame]:
    before = None if lake is None else lake.read(table)
    return frames | {table.name: with_names(frames[table.name], own_id=own_id, before=before)}


@contextmanager
def open_source(
    vendor: Vendor,
    *,
    portfolio: Portfolio,
    landing: Path,
    logins: RefusedLogins | None,
    lake: Lake | None = None,
    settings: IngestSettings | None = None,
) -> Iterator[Source]:
    """Open a vendor's client with the settings of the environment.

    Args:
        vendor: Which one.
        portfolio: Says which datapoints are wanted where a vendor has to be asked one by one.
        landing: Folder of the SkyCentrics polls.
        logins: What the installation knows of refused logins; None remembers until this ends.
        lake: Holds the inventory of before, by which devices keep their names.
        settings: In place of those of the environment.

    Raises:
        SettingsError: A credential is missing, or the trust store or proxy cannot be used; the
            message names the variable.
    """
    given = ingest_settings(vendor) if settings is None else settings
    match given:
        case SocomecSettings():
            with SocomecClient(given, logins=logins) as socomec:
                yield SocomecSource(socomec, portfolio, lake)
        case BelimoSettings():
            with BelimoClient(given, logins=logins) as belimo:
                yield BelimoSource(belimo, portfolio, lake)
        case SkycentricsSettings():
            with SkycentricsClient(given, logins=logins) as skycentrics:
                yield SkycentricsSource(skycentrics, landing_at(landing), portfolio)
        case _:
            assert_never(given)


@cache
def landing_at(folder: Path) -> Landing:
    """Return the landing folder; one object a process, which remembers what it has seen."""
    return Landing(folder)


def poll_skycentrics(
    lake: Lake,
    *,
    landing: Path,
    now: Callable[[], datetime],
    logins: RefusedLogins | None,
    left_out: frozenset[str] = frozenset(),
) -> skycentrics_pull.PollReport:
    """Poll every gateway once; when this returns, the answers are on disk.

    The gateways are those of the inventory, or of the account before there is one, without those
    that the portfolio leaves out.

    Args:
        lake: Holds the inventory.
        landing: Folder of the polls.
        now: The present.
        logins: What the installation knows of refused logins.
        left_out: Gateways that the portfolio leaves out.

    Raises:
        SettingsError: A credential is missing.
        VendorError: The account's gateways could not be listed.
        OSError: The disk refuses.
    """
    with SkycentricsClient(SkycentricsSettings(), logins=logins) as client:
        device_ids = lake.read(RAW_SKYCENTRICS_DEVICES)["id"].to_list() or client.device_ids()
        return skycentrics_pull.poll(
            client,
            landing=landing_at(landing),
            device_ids=[one for one in device_ids if one not in left_out],
            now=now,
        )
