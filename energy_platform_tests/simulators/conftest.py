from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from energy_platform.simulators.fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON: Final = datetime(2026, 3, 3, 12, tzinfo=UTC)
"""What time it is in every test that does not say otherwise."""


@pytest.fixture(scope="module")
def running_fleet() -> Iterator[Fleet]:
    with Fleet() as fleet:
        yield fleet


@pytest.fixture
def fleet(running_fleet: Fleet) -> Iterator[Fleet]:
    """A fleet without faults and events, at noon; counters start at zero."""
    running_fleet.set_clock(NOON)
    running_fleet.socomec.requests.clear()
    running_fleet.belimo.requests.clear()
    yield running_fleet
    running_fleet.clear_faults()
    running_fleet.world.clear_events()
