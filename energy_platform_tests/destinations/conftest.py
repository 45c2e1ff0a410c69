"""A destination that is installed as a package of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform_tests.destinations import json_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path whose entry point names the destination ``json_lines``."""
    folder = tmp_path / "site-packages"
    with json_lines.installed_in(folder, monkeypatch):
        yield folder
