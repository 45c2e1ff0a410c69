"""The command line as typed: messages, exit codes, output a pipe can take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

import energy_platform

if TYPE_CHECKING:
    from pathlib import Path

ROOT = str(energy_platform.__path__[0]).removesuffix("/energy_platform")
"""The command line of this tree, wherever another one is installed."""


def typed(
    *words: str, folder: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", "from energy_platform.cli import main; main()", *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "120", "PYTHONPATH": ROOT, **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_names_every_command(tmp_path: Path) -> None:
    said = typed("--help", folder=tmp_path)
    assert said.returncode == 0
    for command in ("backfill", "demo", "discover", "doctor", "simulate", "sql", "status", "ui"):
        assert command in said.stdout


@pytest.mark.parametrize("command", ["ui", "demo", "status"])
def test_a_wrong_setting_is_one_message_and_nothing_runs(tmp_path: Path, command: str) -> None:
    said = typed(command, folder=tmp_path, env={"ENERGY_PLATFORM_INTRADAY_MINUTES": "soon"})
    assert said.returncode == 2
    assert "ENERGY_PLATFORM_INTRADAY_MINUTES" in said.stderr
    assert "soon" in said.stderr
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "data" / "lake").exists()


def test_a_broken_portfolio_stops_the_ui_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "portfolio.yaml").write_text(
        "version: 1\nsites:\n  - {id: a, name: A, timezone: Mars/Base}\n", encoding="utf-8"
    )
    said = typed("ui", "--live", folder=tmp_path)
    assert said.returncode == 2
    assert "portfolio.yaml:3: sites.0.timezone" in said.stderr
    assert "Traceback" not in said.stderr


def test_sql_answers_from_the_published_file_as_csv(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with duckdb.connect(str(tmp_path / "data" / "energy.duckdb")) as connection:
        connection.execute("create table t as select 'Main' as name, 1.5 as kwh")
    said = typed("sql", "--csv", "select * from t", folder=tmp_path)
    assert (said.returncode, said.stdout) == (0, "name,kwh\nMain,1.5\n")
    shown = typed("sql", "select * from t", folder=tmp_path)
    assert "Main" in shown.stdout
    assert "\x1b[" not in shown.stdout, "a pipe gets no colour"


def test_sql_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with duckdb.connect(str(tmp_path / "data" / "energy.duckdb")) as connection:
        connection.execute("create table t as select 1 as one")
    said = typed("sql", "drop table t", folder=tmp_path)
    assert said.returncode == 1
    assert "read-only" in said.stdout


def test_sql_before_the_first_run_says_what_to_do(tmp_path: Path) -> None:
    said = typed("sql", folder=tmp_path)
    assert said.returncode == 2
    assert "energy-platform demo" in said.stdout


def test_a_backfill_of_an_unknown_vendor_or_day_is_refused(tmp_path: Path) -> None:
    said = typed("backfill", "acme", "2026-01-01", "2026-01-02", folder=tmp_path)
    assert said.returncode == 2
    assert "unknown vendor 'acme'" in said.stderr
    said = typed("backfill", "belimo", "2026-01-32", "2026-01-02", folder=tmp_path)
    assert said.returncode == 2
    assert "YYYY-MM-DD" in said.stderr


def test_an_unknown_fault_of_the_simulators_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    said = typed("simulate", "--faults", "belimo:gremlins", folder=tmp_path)
    assert said.returncode == 2
    assert "gremlins" in said.stdout


def test_a_shell_completes_the_commands(tmp_path: Path) -> None:
    asked = {"COMP_WORDS": "energy-platform exp", "COMP_CWORD": "1"}
    asked["_ENERGY_PLATFORM_COMPLETE"] = "complete_bash"
    said = typed(folder=tmp_path, env=asked)
    assert sorted(said.stdout.split()) == ["explain", "export"]


def test_a_pipe_gets_every_character_in_a_locale_that_has_none_of_them(tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    said = typed("doctor", folder=tmp_path, env=ascii_only)
    assert "→" in said.stdout
    assert said.stderr == ""
