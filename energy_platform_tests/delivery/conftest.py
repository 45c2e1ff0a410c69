"""A ledger in each database there is, and a Wattics to deliver to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform.delivery import Ledger
from energy_platform_tests.databases import postgresql_database
from energy_platform_tests.delivery.scenario import DeliveryHarness, open_harness, utc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty ledger in each database there is."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.sqlite"
        return
    with postgresql_database("ledger") as url:
        yield url


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
