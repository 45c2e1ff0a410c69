"""Empty databases for tests: a SQLite file, or a database of its own on a real PostgreSQL."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from energy_platform.installation.dagster_database import SETTING as DAGSTER_URL

if TYPE_CHECKING:
    from collections.abc import Iterator

POSTGRES: Final = "ENERGY_PLATFORM_TEST_POSTGRES_URL"
"""Variable with the URL of a server; ``python -m energy_platform_tests.delivery.postgres`` sets it
for the command that it runs."""


EACH: Final = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
"""Parameters of what runs in each database there is."""


@contextmanager
def dagster_records(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretStr | None]:
    """Let the settings put Dagster's records into SQLite or an empty database of PostgreSQL.

    The server's time zone is one of its own, as many have.
    """
    if kind == "sqlite":
        monkeypatch.delenv(DAGSTER_URL, raising=False)
        yield None
        return
    with postgresql_database("dagster") as url:
        name = sa.make_url(url).database
        _as_admin(url, f"ALTER DATABASE {name} SET timezone TO 'America/St_Johns'")
        monkeypatch.setenv(DAGSTER_URL, url)
        yield SecretStr(url)


@contextmanager
def postgresql_database(what: str) -> Iterator[str]:
    """Give the URL of an empty database; skips the test where there is no server."""
    server = os.environ.get(POSTGRES)
    if not server:
        pytest.skip(f"{POSTGRES} names no PostgreSQL server: the {what} was NOT tested on it")
    url = sa.make_url(server).set(database=f"{what}_{uuid4().hex}")
    create_database(url)
    try:
        yield url.set(drivername="postgresql").render_as_string(hide_password=False)
    finally:
        drop_database(url)


def create_database(url: str | sa.URL) -> None:
    """Make the database that a URL names."""
    _as_admin(url, f"CREATE DATABASE {sa.make_url(url).database}")


def drop_database(url: str | sa.URL) -> None:
    """Drop the database that a URL names, whoever is connected."""
    _as_admin(url, f"DROP DATABASE IF EXISTS {sa.make_url(url).database} WITH (FORCE)")


def end_sessions(url: str | sa.URL) -> int:
    """End every session with the database that a URL names; return how many there were."""
    name = sa.make_url(url).database
    return _as_admin(
        url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )


def _as_admin(url: str | sa.URL, statement: str) -> int:
    base = sa.make_url(url).set(database="postgres", drivername="postgresql+psycopg")
    admin = sa.create_engine(base, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            found = connection.execute(sa.text(statement))
            return len(found.all()) if found.returns_rows else 0
    finally:
        admin.dispose()
