"""``energy-platform demo`` as a new user runs it: what it prints, and that twice is once."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shlex
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from rich.console import Console
from typer.testing import CliRunner

from energy_platform.cli.app import app
from energy_platform.cli.demo import run_demo
from energy_platform.installation.origin import SimulationInUseError, only_simulation
from energy_platform_tests.end_to_end.hostile import Hostile, hostile
from energy_platform_tests.report.reading import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """A real installation on the same machine, in ``.env`` and in the environment."""
    with hostile(tmp_path_factory.mktemp("demo")) as found:
        yield found


@pytest.fixture(scope="module")
def data(surroundings: Hostile) -> Path:
    return surroundings.data


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


def test_the_summary_shows_each_tree_and_what_adding_up_all_points_would_be(shown: str) -> None:
    assert shown.count("(behind no other meter)") == 3
    assert len(re.findall(r"electricity points add up to [23]\.\d times that", shown)) == 3


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
    assert again.count("nothing to do") == 2
    assert files(data) == before
    packets = re.search(r"Wattics holds (\d+) packets", shown)
    assert packets is not None
    assert packets.group(0) in again


def test_the_commands_after_a_demo_work_on_the_demo(data: Path, shown: str) -> None:
    for words in ("doctor", "status", "delivery status", "delivery dead-letters"):
        said = CliRunner().invoke(app, shlex.split(words))
        assert said.exit_code == 0, said.output
        assert "fail " not in said.output
    status = json.loads(CliRunner().invoke(app, ["status", "--json"]).output)
    assert status["portfolio"] == str(data / "demo" / "portfolio.yaml")


def test_the_report_of_each_site_shows_what_sql_says(data: Path, shown: str) -> None:
    said = CliRunner().invoke(app, ["report", "--json"])
    assert said.exit_code == 0, said.output
    made = json.loads(said.stdout)["reports"]
    assert len(made) == 3
    names = ("site_use_kwh", "peak_kw", "base_load_kw", "heating_kwh", "cooling_kwh")
    with duckdb.connect(str(data / "energy.duckdb"), read_only=True) as published:
        for one in made:
            read = Reader(Path(one["page"]).read_text(encoding="utf-8"))
            of = {"site": one["site_id"]}
            row = published.execute(
                f"select {', '.join(names)} from mart_site_energy_monthly where site_id = $site "
                "and strftime(local_month, '%Y-%m') = $month",
                of | {"month": one["period"]},
            ).fetchone()
            assert tuple(read.value(name) for name in names) == row
            hours = [read.value(name) or 0 for name in read.figures if name.startswith("hour.")]
            assert sum(hours) == pytest.approx(read.value("site_use_kwh"), rel=1e-9)
            tree = published.execute(
                "select parent_point_id, coalesce(point_id, 'remainder'), energy_kwh "
                "from mart_submetering where site_id = $site and grain = 'month' "
                "and strftime(local_day, '%Y-%m') = $month",
                of | {"month": one["period"]},
            ).fetchall()
            assert tree
            for parent, point, kwh in tree:
                assert read.value(f"tree.{parent}.{point}.energy_kwh") == kwh
            (flow,) = published.execute(
                "select grid_to_load_wh / 1000 from mart_self_consumption_monthly "
                "where site_id = $site and strftime(local_month, '%Y-%m') = $month",
                of | {"month": one["period"]},
            ).fetchall()
            assert read.value("flows.grid_to_load_kwh") == flow[0]


def test_two_demos_at_once_are_refused_in_one_sentence(data: Path, shown: str) -> None:
    with only_simulation(data), pytest.raises(SimulationInUseError, match="another demo"):
        run_demo(Console(file=io.StringIO()), days=1)


def test_the_demo_reached_nothing_of_the_real_installation(
    surroundings: Hostile, shown: str
) -> None:
    surroundings.must_be_untouched()


@pytest.mark.long
def test_a_simulated_ui_runs_and_pushes_and_reaches_nothing_of_the_real_installation(
    surroundings: Hostile, shown: str
) -> None:
    # Without a ledger a push is due at once, by a run in a process of its own.
    for file in surroundings.data.glob("ledger.sqlite*"):
        file.unlink()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ui = subprocess.Popen(  # noqa: S603 - our own command
        [
            *(sys.executable, "-c", "from energy_platform.cli import main; main()"),
            *("ui", "--simulated", "--port", str(port)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        lines = []
        for line in ui.stdout or ():
            lines.append(line)
            if re.search(r" push: done \(run", line) or "FAILED" in line:
                break
        assert f"Dagster: http://127.0.0.1:{port}" in "".join(lines)
        assert " push: done" in lines[-1], lines
        ui.terminate()
        assert ui.wait() == 0
    finally:
        ui.kill()
    with sqlite3.connect(surroundings.data / "ledger.sqlite") as ledger:
        assert ledger.execute("select count(*) from streams").fetchone() == (27,)
    surroundings.must_be_untouched()
