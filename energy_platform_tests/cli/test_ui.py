"""``energy-platform ui`` before Dagster starts, and what of its log is shown."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from energy_platform.cli.run_lines import RunLines
from energy_platform.cli.ui import socket_folder
from energy_platform_tests.cli.test_app import typed

if TYPE_CHECKING:
    from pathlib import Path

RUN = "93a032d4-d88f-46b9-acd7-d63e2566f5f9 - 23039"


@pytest.mark.parametrize("port", ["0", "99999", "-1", "65536"])
def test_a_port_that_cannot_be_is_one_sentence_and_nothing_is_started(
    tmp_path: Path, port: str
) -> None:
    said = typed("ui", "--port", port, folder=tmp_path)
    assert said.returncode == 2
    assert f"--port {port}: expected a number from 1 to 65535" in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_port_in_use_is_one_sentence_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = typed("ui", "--port", str(port), folder=tmp_path)
    assert said.returncode == 2
    assert f"127.0.0.1:{port} cannot be used (Address already in use)" in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [["ui"], ["demo"]])
def test_a_data_folder_that_is_a_file_is_one_sentence(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "data").touch()
    said = typed(*command, folder=tmp_path)
    assert said.returncode == 2
    assert "it is a file" in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_json_that_is_none_is_one_sentence_of_every_command(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WATTICS_CREDENTIALS={oops\n", encoding="utf-8")
    for command in ("status", "ui"):
        said = typed(command, folder=tmp_path)
        assert said.returncode == 2
        assert "WATTICS_CREDENTIALS: expected JSON" in said.stderr
        assert len(said.stderr.splitlines()) == 1
    said = typed("doctor", folder=tmp_path)
    assert said.returncode == 1
    assert said.stdout.count("WATTICS_CREDENTIALS") == 1


def test_the_terminal_shows_how_runs_end_and_errors_of_dagster_and_nothing_else(
    tmp_path: Path,
) -> None:
    log = tmp_path / "ui.log"
    log.write_text(f"2026-11-25 21:00:00 +0000 - dagster - DEBUG - old - {RUN} - RUN_SUCCESS - x\n")
    lines = RunLines(log)
    with log.open("a", encoding="utf-8") as file:
        file.write(
            f"2026-11-25 21:43:32 +0000 - dagster - DEBUG - refresh - {RUN} - RUN_START - Started\n"
            f"2026-11-25 21:43:35 +0000 - dagster - DEBUG - refresh - {RUN} - RUN_SUCCESS - Done\n"
            f"\x1b[32m2026-11-25 21:43:36 +0000\x1b[0m - dagster - ERROR - push - {RUN} - "
            "RUN_FAILURE - Execution failed\n"
            "Traceback (most recent call last):\n"
            "2026-11-25 21:43:37 +0000 - dagster.daemon.SensorDaemon - ERROR - a sensor failed\n"
            "2026-11-25 21:43:38 +0000 - dagster.daemon - INFO - half a li"
        )
    assert list(lines.new()) == [
        "21:43:35 refresh: done (run 93a032d4)",
        "21:43:36 push: FAILED (run 93a032d4)",
        "21:43:37 dagster.daemon.SensorDaemon: a sensor failed",
    ]
    log.write_text(f"2026-11-25 22:00:00 +0000 - dagster - DEBUG - new - {RUN} - RUN_SUCCESS - x\n")
    assert list(lines.new()) == ["22:00:00 new: done (run 93a032d4)"]


def test_a_ui_that_was_killed_leaves_no_folder_behind_the_next_one(tmp_path: Path) -> None:
    killed = socket_folder(tmp_path)
    left = killed.__enter__()
    (left / "workspace.yaml").touch()
    with socket_folder(tmp_path) as folder:
        assert not left.exists()
        assert folder.exists()
    assert not folder.exists()
    assert [*tmp_path.iterdir()] == []
