"""The Wattics simulator behind a real server, and a client that pushes packets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from energy_platform.simulators.wattics import WatticsSimulator
from energy_platform_tests.simulators.wattics.pusher import GAS, METER, Pusher, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def wattics() -> WatticsSimulator:
    return WatticsSimulator(streams=(METER, GAS), clock=lambda: datetime(2026, 2, 1, tzinfo=UTC))


@pytest.fixture
def port(wattics: WatticsSimulator) -> Iterator[int]:
    with serving(wattics) as port:
        yield port


@pytest.fixture
def pusher(port: int) -> Iterator[Pusher]:
    with Pusher(port) as pusher:
        yield pusher
