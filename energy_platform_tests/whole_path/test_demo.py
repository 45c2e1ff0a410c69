"""``energy-platform demo`` as a new user runs it: what it prints, and that twice is once."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shlex
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from typer.testing import CliRunner

from energy_platform.cli.app import app
from energy_platform.cli.demo import run_demo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    kept = dict(os.environ)
    data = tmp_path_factory.mktemp("demo") / "data"
    os.environ["ENERGY_PLATFORM_DATA_DIR"] = str(data)
    try:
        yield data
    finally:
        os.environ.clear()
        os.environ.update(kept)


@pytest.fixture(scope="module")
def shown(data: Path) -> str:
    return ran(data)


def ran(data: Path) -> str:
    """Run the demo of one day and return what it printed."""
    console = Console(file=io.StringIO(), width=120)
    assert run_demo(console, days=1) == 0, console.file.getvalue()  # type: ignore[attr-defined]
    assert (data / "energy.duckdb").exists()
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def files(data: Path) -> dict[str, str]:
    """Digest of every day file and of the published file."""
    found = [*sorted((data / "lake").rglob("day=*/part.parquet")), data / "energy.duckdb"]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_the_summary_names_what_was_set_right_and_wattics_has_no_complaint(shown: str) -> None:
    assert "every stream in order, nothing twice" in shown
    assert "1 reset, 1 exchange, 4 rejected readings, 2 gaps" in shown


def test_the_commands_of_the_summary_can_be_pasted(shown: str) -> None:
    commands = re.findall(r"^ +\S+/energy-platform (explain .*)$", shown, flags=re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        said = CliRunner().invoke(app, shlex.split(command))
        assert said.exit_code == 0, said.output
        assert "% of the day covered" in " ".join(said.output.split())


def test_a_second_demo_rewrites_nothing_and_sends_nothing(data: Path, shown: str) -> None:
    before = files(data)
    again = ran(data)
    assert again.count("nothing to do") == 3
    assert files(data) == before
    packets = re.search(r"Wattics holds (\d+) packets", shown)
    assert packets is not None
    assert packets.group(0) in again
