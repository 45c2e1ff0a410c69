"""The settings of the platform itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from energy_platform.ingest.intraday import refusal
from energy_platform.installation.env_file import home_folder
from energy_platform.settings.section import CA_FILE_IS, Section
from energy_platform.settings.values import CaFile, Day, Memory, Url, as_written
from energy_platform.web.hosts import parse_hosts, parse_prefix


def beside_or_in_package(folder: str) -> Path:
    """Return a folder of the checkout, or of the installed package, which carries it inside."""
    package = Path(__file__).parents[1]
    checkout = package.parent / folder
    return checkout if checkout.is_dir() else package / folder


class PlatformSettings(Section):
    """The platform itself (variables ``ENERGY_PLATFORM_*``)."""

    model_config = SettingsConfigDict(env_prefix="ENERGY_PLATFORM_")

    data_dir: Path = Field(Path("data"), description="Folder for all that a run leaves.")
    portfolio: Path = Field(Path("portfolio.yaml"), description="The portfolio file.")
    dbt_project_dir: Path = Field(
        default_factory=lambda: beside_or_in_package("dbt_models"), description="The dbt project."
    )
    docs_url: Url | None = Field(
        None,
        description="Where the site of `make docs` is served, for links in the UI; empty: the "
        "pages' path here.",
    )
    ledger_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the delivery ledger; empty: SQLite in data_dir."
    )
    catalogue_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the lake's catalogue; empty: SQLite in data_dir."
    )
    dagster_url: SecretStr | None = Field(
        None,
        description="SQLAlchemy URL of a PostgreSQL database for Dagster alone: runs, events, "
        "ticks; empty: SQLite in data_dir.",
    )
    ca_file: CaFile | None = Field(None, description=CA_FILE_IS)
    memory: Memory | None = Field(
        None,
        description="Memory that a refresh or a build may use, such as 2.5GB; empty: a third of "
        "the machine's, at least 1 GB.",
    )
    backup_folder: Path | None = Field(
        None,
        description="Folder of backups, best on another machine; set, one is taken each night.",
    )
    backup_keep: int = Field(14, ge=1, le=10_000, description="Backups that are kept.")
    partitions_from: Day | None = Field(
        None, description="First day Dagster shows, where data begin later; empty: their first."
    )
    intraday_minutes: int = Field(15, ge=5, le=720, description="Minutes between intraday runs.")
    autostart: bool = Field(
        default=True, description="Whether schedules and sensors start with the daemon."
    )
    ui_hosts: Annotated[str, AfterValidator(as_written(parse_hosts))] = Field(
        "",
        description="Names by which the UI may be called besides localhost and 127.0.0.1, "
        "separated by commas: what people type, when a proxy with a login stands before it.",
    )
    ui_path_prefix: Annotated[str, AfterValidator(as_written(parse_prefix))] = Field(
        "",
        description="Path that all addresses of the UI begin with, such as /energy; empty: none.",
    )

    @field_validator("intraday_minutes")
    @classmethod
    def _exact(cls, minutes: int) -> int:
        if reason := refusal(minutes):
            raise ValueError(reason)
        return minutes

    @field_validator("data_dir", "portfolio", "dbt_project_dir", "backup_folder")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        try:
            return home_folder() / path.expanduser()
        except RuntimeError as error:  # ~somebody, who does not exist
            raise ValueError(str(error)) from None

    @field_validator("ledger_url", "catalogue_url")
    @classmethod
    def _absolute_sqlite(cls, url: SecretStr | None) -> SecretStr | None:
        """Resolve a relative SQLite file like the other paths: processes differ in their folder."""
        scheme, found, file = url.get_secret_value().partition(":///") if url else ("", "", "")
        if not found or not scheme.startswith("sqlite") or file.startswith(("/", ":", "file:")):
            return url
        return SecretStr(f"{scheme}:///{home_folder() / file}")

    @field_validator("dagster_url")
    @classmethod
    def _on_a_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and _place(url) is None:
            # Without the URL: it may hold a password.
            raise ValueError("expected a SQLAlchemy URL such as postgresql://user@host/name")
        return url

    @model_validator(mode="after")
    def _dagster_has_its_own_database(self) -> Self:
        if self.dagster_url is None or self.ledger_url is None:
            return self
        # Both have a table of runs and one of the schema's version.
        if _place(self.dagster_url) == _place(self.ledger_url):
            raise ValueError(
                "ENERGY_PLATFORM_DAGSTER_URL: names the database of ENERGY_PLATFORM_LEDGER_URL; "
                "give Dagster one of its own, made by CREATE DATABASE"
            )
        return self


def _place(url: SecretStr) -> tuple[object, ...] | None:
    """Return which PostgreSQL database a URL names; None when it names none."""
    import sqlalchemy as sa  # noqa: PLC0415 - slow to import, and seldom needed here

    try:
        parsed = sa.make_url(url.get_secret_value())
    except (sa.exc.ArgumentError, ValueError):
        return None
    if parsed.get_backend_name() != "postgresql":
        return None
    schema = parsed.query.get("options")
    name = parsed.database or parsed.username
    return (parsed.host or "localhost", parsed.port or 5432, name, schema)
