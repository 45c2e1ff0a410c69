"""The Dagster resources: one for each outside system, and the installation that they belong to.

A resource says where a system is and which variables hold its secrets: each secret is a
``dg.EnvVar``, so that a snapshot, a run's configuration and the UI show its name and never its
value. What the settings say otherwise is read where it is used, by the one reader of the
environment. No rule belongs here, and no connection that outlives a step.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar, cast

import dagster as dg
import polars as pl
from pydantic import create_model
from pydantic_settings import BaseSettings

from energy_platform.defs.instance.secrets import secrets_of, set_variables
from energy_platform.delivery import Ledger, delivery_frame, open_ledger
from energy_platform.destinations.base import destination, destinations
from energy_platform.ingest.run import ingest_settings
from energy_platform.installation.origin import claim, own_origin
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.lake import Lake
from energy_platform.memory import default_memory
from energy_platform.portfolio import Portfolio, load_portfolio
from energy_platform.schemas import Vendor
from energy_platform.settings import (
    DestinationSettings,
    PlatformSettings,
    SourceSettings,
    settings_from,
    simulation_file,
    variables,
)
from energy_platform.sources.base import OpenSource
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.registry import (
    day_tables,
    get_source,
    landing_folder,
    open_source,
    sources,
)
from energy_platform.warehouse import Warehouse
from energy_platform.warehouse.dbt_project import folder_of

PLATFORM: Final = "platform"
"""Key of the installation's resource."""


class SystemResource(dg.ConfigurableResource["SystemResource"]):
    """An outside system whose secrets are variables of the environment."""

    section: ClassVar[type[BaseSettings]]
    """The settings of the system."""

    def read_settings(self) -> BaseSettings:
        """Return the system's settings, with the secrets that Dagster resolved for this resource.

        A resource that nobody initialised, and every one of a simulated installation, reads them
        where all other settings are read.

        Raises:
            SettingsError: A setting is wrong; the message names the variable.
        """
        given = {
            variable: value
            for field, variable in secrets_of(self.section).items()
            if isinstance(value := getattr(self, field), str) and not isinstance(value, dg.EnvVar)
        }
        if not given or simulation_file() is not None:
            return self.section()
        with settings_from(variables() | given):
            return self.section()


R = TypeVar("R", bound=SystemResource)


def system_resource(name: str, base: type[R], section: type[BaseSettings], **values: Any) -> R:
    """Return the resource of a system, with a field for each of its secrets that is set.

    Args:
        name: Name of its class, shown in the UI.
        base: What the resource can do.
        section: The system's settings.
        values: Its other fields.
    """
    fields = dict.fromkeys(secrets_of(section), (str | None, None))
    resource_class = cast(type[R], create_model(name, __base__=base, **fields))  # type: ignore[call-overload]
    resource_class.section = section
    resource_class.__doc__ = base.__doc__
    secrets = {field: dg.EnvVar(variable) for field, variable in set_variables(section).items()}
    return resource_class(**values, **secrets)


class SourceResource(SystemResource):
    """The cloud that a source is read from.

    Attributes:
        source: Name of the source.
    """

    source: str

    def open(self, platform: "Platform") -> AbstractContextManager[OpenSource]:
        """Open the source's client.

        Raises:
            SettingsError: A credential is missing; the message names the variable.
            PortfolioError: The portfolio cannot be used; the message names file and line.
        """
        return open_source(
            self.source,
            portfolio=platform.portfolio(),
            landing=platform.landing(self.source),
            logins=platform.logins,
            lake=platform.lake,
            settings=cast(SourceSettings, self.read_settings()),
        )


class DestinationResource(SystemResource):
    """Where packets go.

    Attributes:
        destination: Name of the destination.
    """

    destination: str

    def settings(self) -> DestinationSettings:
        """Return where packets go, by which credentials and at what pace.

        Raises:
            SettingsError: A setting is wrong; the message names the variable.
        """
        return cast(DestinationSettings, self.read_settings())


class LedgerResource(SystemResource):
    """The delivery ledger: SQLite in the data folder, or a database by URL."""

    def open(self) -> Ledger:
        """Open the ledger; a context manager.

        Raises:
            LedgerError: Its URL is unusable, or it is of a newer version of the platform.
        """
        return open_ledger(cast(PlatformSettings, self.read_settings()))


class LakeResource(SystemResource):
    """The Parquet lake, and its catalogue: SQLite in the data folder, or a database by URL.

    Attributes:
        data_dir: Folder for all that a run leaves.
    """

    data_dir: str

    def lake(self) -> Lake:
        """Return the day files.

        Raises:
            SettingsError: A setting is wrong; the message names the variable.
        """
        settings = cast(PlatformSettings, self.read_settings())
        return Lake(Path(self.data_dir) / "lake", catalogue_url=settings.catalogue_url)

    def catalogue(self) -> Catalogue:
        """Open what is known of each source's days; a context manager.

        Raises:
            CatalogueError: The disk or the server refuses.
        """
        Path(self.data_dir).mkdir(parents=True, exist_ok=True)
        return Catalogue.of(self.lake())


class WarehouseResource(dg.ConfigurableResource["WarehouseResource"]):
    """The dbt build's work file and the published file.

    Attributes:
        lake: What the marts are built from.
        dbt_project_dir: The dbt project.
    """

    lake: dg.ResourceDependency[LakeResource]
    dbt_project_dir: str

    def warehouse(self) -> Warehouse:
        """Return the warehouse, with late days and memory as the settings have them now."""
        return Warehouse(
            data_dir=Path(self.lake.data_dir),
            lake=self.lake.lake(),
            dbt_project_dir=folder_of(
                Path(self.dbt_project_dir), data_dir=Path(self.lake.data_dir)
            ),
            late_days={vendor: ingest_settings(vendor).late_days for vendor in day_tables()},
            memory=PlatformSettings().memory or default_memory(),
        )


class Platform(dg.ConfigurableResource["Platform"]):
    """This installation: its portfolio, its data and the systems that keep them.

    Attributes:
        data_dir: Folder for all that a run leaves.
        portfolio_path: The portfolio file.
        lake_system: The lake.
        warehouse_system: The warehouse.
        ledger_system: The delivery ledger.
    """

    data_dir: str
    portfolio_path: str
    lake_system: dg.ResourceDependency[LakeResource]
    warehouse_system: dg.ResourceDependency[WarehouseResource]
    ledger_system: dg.ResourceDependency[LedgerResource]

    @classmethod
    def of(cls, settings: PlatformSettings) -> "Platform":
        """Build the resource from the settings."""
        lake = system_resource(
            "LakeResource", LakeResource, PlatformSettings, data_dir=str(settings.data_dir)
        )
        return cls(
            data_dir=str(settings.data_dir),
            portfolio_path=str(settings.portfolio),
            lake_system=lake,
            warehouse_system=WarehouseResource(
                lake=lake, dbt_project_dir=str(settings.dbt_project_dir)
            ),
            ledger_system=system_resource("LedgerResource", LedgerResource, PlatformSettings),
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
        return self.lake_system.lake()

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
        return self.warehouse_system.warehouse()

    def catalogue(self) -> Catalogue:
        """Open what is known of each source's days; a context manager.

        Raises:
            CatalogueError: The disk or the server refuses.
        """
        return self.lake_system.catalogue()

    def portfolio(self) -> Portfolio:
        """Read the portfolio as it is now.

        Raises:
            PortfolioError: Names file and line.
        """
        return load_portfolio(Path(self.portfolio_path))

    def ledger(self) -> Ledger:
        """Open the delivery ledger; a context manager.

        Raises:
            LedgerError: Its URL is unusable, or it is of a newer version of the platform.
        """
        return self.ledger_system.open()

    def delivered(self, portfolio: Portfolio) -> pl.DataFrame:
        """Return what the ledger says of each stream, for ``mart_delivery``."""
        with self.ledger() as ledger:
            return delivery_frame(ledger, self.lake, portfolio)

    def now(self) -> datetime:
        """Return the present instant."""
        return datetime.now(tz=UTC)


def build_resources(settings: PlatformSettings) -> Mapping[str, dg.ConfigurableResource[Any]]:
    """Return every resource by its key; a source's or a destination's is its name.

    Args:
        settings: Those of the platform; the secrets that are set are named in the others.

    Raises:
        SettingsError: A setting is wrong; the message names the variable.
    """
    platform = Platform.of(settings)
    return {
        PLATFORM: platform,
        "lake": platform.lake_system,
        "warehouse": platform.warehouse_system,
        "ledger": platform.ledger_system,
        **{name: destination_resource(name) for name in destinations()},
        **{name: source_resource(name) for name in sources()},
    }


def source_resource(source: Vendor) -> SourceResource:
    """Return the resource of a source."""
    section = get_source(source).settings
    return system_resource(_class_name(source), SourceResource, section, source=source)


def destination_resource(name: str) -> DestinationResource:
    """Return the resource of a destination."""
    section = destination(name).settings
    return system_resource(_class_name(name), DestinationResource, section, destination=name)


def _class_name(system: str) -> str:
    return f"{system.title().replace('_', '')}Resource"
