"""One harness for all tests of faults: starting the simulators costs more than most cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform_tests.faults.harness import FaultHarness, open_harness

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultHarness]:
    with open_harness(tmp_path_factory.mktemp("faults")) as opened:
        yield opened
