"""The SkyCentrics simulator behind a real server, and a caller that signs its requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.simulators.skycentrics import SkycentricsSimulator
from energy_platform_tests.simulators.skycentrics.caller import Caller, calling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class SetClock:
    """A clock the test turns."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def skycentrics(clock: Callable[[], datetime]) -> SkycentricsSimulator:
    return SkycentricsSimulator(clock=clock)


@pytest.fixture
def caller(skycentrics: SkycentricsSimulator) -> Iterator[Caller]:
    with calling(skycentrics) as caller:
        yield caller
