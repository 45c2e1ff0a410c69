from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform_tests.faults.harness import Rig, open_rig

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with open_rig(tmp_path_factory.mktemp("faults")) as opened:
        yield opened
