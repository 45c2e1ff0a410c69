"""The Dagster resource: a thin owner of folders, settings and connections.

Secrets are read from the environment where they are used; none is ever part of a resource's
configuration, which Dagster shows.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from energy_platform.delivery import Ledger, delivery_frame, open_ledger
from energy_platform.ingest.run import ingest_settings
from energy_platform.installation.origin import claim, own_origin
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import Portfolio, load_portfolio
from energy_platform.settings import PlatformSettings
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.registry import day_tables, landing_folder, open_source
from energy_platform.warehouse import Warehouse

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import polars as pl

    from energy_platform.schemas import Vendor
    from energy_platform.sources.base import OpenSource


class Platform(dg.ConfigurableResource["Platform"]):
    """Where this installation keeps its data and its portfolio.

    Attributes:
        data_dir: Folder for all that a run leaves.
        portfolio_path: The portfolio file.
        dbt_project_dir: The dbt project.
    """

    data_dir: str
    portfolio_path: str
    dbt_project_dir: str

    @classmethod
    def of(cls, settings: PlatformSettings) -> Platform:
        """Build the resource from the settings."""
        return cls(
            data_dir=str(settings.data_dir),
            portfolio_path=str(settings.portfolio),
            dbt_project_dir=str(settings.dbt_project_dir),
        )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Hold, in the process that writes, what the command line held when it started.

        Raises:
            OriginError: The data folder holds data of the other origin.
            DataFolderError: It cannot be written.
        """
        del context
        claim(self.data, origin=own_origin())

    @property
    def data(self) -> Path:
        """The data folder."""
        return Path(self.data_dir)

    @property
    def lake(self) -> Lake:
        """The Parquet lake."""
        return Lake(self.data / "lake")

    def landing(self, vendor: Vendor) -> Path:
        """Return the folder for files of a source's own, such as polls."""
        return landing_folder(self.data, source=vendor)

    @property
    def logins(self) -> RefusedLogins:
        """What is known of refused logins."""
        return RefusedLogins.of(self.data)

    @property
    def warehouse(self) -> Warehouse:
        """The dbt build's work file and the published file."""
        return Warehouse(
            data_dir=self.data,
            lake=self.lake,
            dbt_project_dir=Path(self.dbt_project_dir),
            late_days={vendor: ingest_settings(vendor).late_days for vendor in day_tables()},
        )

    def catalogue(self) -> Catalogue:
        """Open what is known of each source's days; a context manager.

        Raises:
            CatalogueError: The file is not a catalogue, or the disk refuses.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        return Catalogue.of(self.data)

    def portfolio(self) -> Portfolio:
        """Read the portfolio as it is now.

        Raises:
            PortfolioError: Names file and line.
        """
        return load_portfolio(Path(self.portfolio_path))

    def source(self, vendor: Vendor) -> AbstractContextManager[OpenSource]:
        """Open a vendor's client."""
        return open_source(
            vendor,
            portfolio=self.portfolio(),
            landing=self.landing(vendor),
            logins=self.logins,
            lake=self.lake,
        )

    def ledger(self) -> Ledger:
        """Open the delivery ledger; a context manager.

        Raises:
            LedgerError: Its URL is unusable, or it is of a newer version of the platform.
        """
        return open_ledger(PlatformSettings())

    def delivered(self, portfolio: Portfolio) -> pl.DataFrame:
        """Return what the ledger says of each stream, for ``mart_delivery``."""
        with self.ledger() as ledger:
            return delivery_frame(ledger, self.lake, portfolio)

    def now(self) -> datetime:
        """Return the present instant."""
        return datetime.now(tz=UTC)
