"""What the service manager is told."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from energy_platform.installation.readiness import SOCKET, notify

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("abstract", [False, True])
def test_a_service_manager_that_asks_for_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, abstract: bool
) -> None:
    name = f"@energy-platform-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0") if abstract else name)
        monkeypatch.setenv(SOCKET, name)
        assert notify("READY=1")
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("name", ["", "/nobody/listens", "elsewhere"])
def test_without_one_nobody_is_told_and_nothing_breaks(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(SOCKET, name)
    assert not notify("READY=1")
