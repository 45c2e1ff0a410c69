"""A ledger in each database there is, and a Wattics to deliver to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import sqlalchemy as sa

from energy_platform.delivery import Ledger
from energy_platform_tests.delivery.scenario import DeliveryHarness, open_harness, utc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POSTGRES = "ENERGY_PLATFORM_TEST_POSTGRES_URL"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty ledger in each database there is."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.sqlite"
        return
    server = os.environ.get(POSTGRES)
    if not server:
        pytest.skip(f"{POSTGRES} names no PostgreSQL server: the ledger was NOT tested on it")
    name = f"ledger_{uuid4().hex}"
    base = sa.make_url(server).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(base, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield base.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger(ledger_url) as opened:
        yield opened


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[DeliveryHarness]:
    """A harness on SQLite whose clock stands at noon of 5 March 2026."""
    with (
        Ledger.at(tmp_path / "harness.sqlite") as opened,
        open_harness(tmp_path, ledger=opened, now=utc("2026-03-05 12:00")) as found,
    ):
        yield found
