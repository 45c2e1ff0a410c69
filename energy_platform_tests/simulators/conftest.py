"""A suite of simulators that the tests of a module share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from energy_platform.simulators.belimo import BelimoSimulator
from energy_platform.simulators.socomec import SocomecSimulator
from energy_platform.simulators.suite import SimulatorSuite

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON: Final = datetime(2026, 3, 3, 12, tzinfo=UTC)
"""What time it is in every test that does not say otherwise."""


@pytest.fixture(scope="module")
def running_suite() -> Iterator[SimulatorSuite]:
    with SimulatorSuite() as suite:
        yield suite


@pytest.fixture
def suite(running_suite: SimulatorSuite) -> Iterator[SimulatorSuite]:
    """A suite without faults and events, at noon; counters start at zero."""
    running_suite.set_clock(NOON)
    running_suite.simulator(SocomecSimulator).requests.clear()
    running_suite.simulator(BelimoSimulator).requests.clear()
    yield running_suite
    running_suite.clear_faults()
    running_suite.world.clear_events()
