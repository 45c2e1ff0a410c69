"""``energy-platform tree``: the tree of a site, its remainder, and what adding up would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from energy_platform.cli.app import app
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import parse_portfolio
from energy_platform.warehouse import Warehouse
from energy_platform_tests.warehouse.warehouse_world import PROJECT, World, days_from, utc

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

DEVICE = (
    "  - {{vendor: socomec, serial: {0}, site: {1}, name: {2}, role: {3}, max_power_w: none, "
    "accuracy_percent: 1{4}, points: [{{key: import, name: Import, "
    "quantity: active_energy_import}}]}}\n"
)
TOP, A, B, C = (f"socomec/{name}/import" for name in ("top", "a", "b", "c"))
PORTFOLIO = (
    "version: 1\nsites:\n"
    "  - {id: paris, name: Paris, timezone: Europe/Paris}\n"
    "  - {id: rome, name: Rome, timezone: Europe/Rome}\n"
    "devices:\n"
    + DEVICE.format("top", "paris", "Arrivée", "main", "")
    + DEVICE.format("a", "paris", "Board", "sub", f", parent: {TOP}")
    + DEVICE.format("b", "paris", "Kitchen", "sub", f", parent: {A}")
    + DEVICE.format("c", "paris", "Check", "sub", f", same_as: {A}")
    + DEVICE.format("d", "paris", "Silent", "sub", f", parent: {TOP}")
    + DEVICE.format("e", "rome", "Alone", "main", "")
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    world = World(
        lake=Lake(folder / "lake"),
        portfolio=parse_portfolio(PORTFOLIO),
        start=utc("2026-03-01T00:00"),
        silent={"socomec/d/import": (utc("2026-03-01T00:00"), utc("2027-01-01T00:00"))},
        # Twice as much leaves to the kitchen as comes into its board.
        scale={TOP: 4.0, B: 2.0, C: 1.1},
    )
    world.write(days_from("2026-03-01", 3))
    warehouse = Warehouse(data_dir=folder, lake=world.lake, dbt_project_dir=PROJECT)
    warehouse.build(world.portfolio)
    warehouse.publish()
    return folder


@pytest.fixture(autouse=True)
def at_the_data(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(data))


def tree(*words: str) -> Result:
    return CliRunner().invoke(app, ["tree", *words])


def rows(output: str) -> list[list[str]]:
    lines = [line for line in output.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_branches_stand_below_their_meter_with_what_no_meter_shows() -> None:
    said = tree("paris", "--period", "2026-03-02")
    assert said.exit_code == 0, said.output
    assert [(line[-6], line[-4], line[-3]) for line in rows(said.output)] == [
        ("Arrivée: Import", "", "100.0%"),
        ("├ Board: Import", "25.0%", "25.0%"),
        ("├ Kitchen: Import", "200.0%", "50.0%"),
        ("└ (behind no other meter)", "-100.0%", "-25.0%"),
        ("├ Silent: Import", "-", "-"),
        ("└ (behind no other meter)", "75.0%", "75.0%"),
    ]


def test_what_is_missing_below_zero_and_measured_twice_is_said() -> None:
    output = tree("--period", "2026-03").output
    assert (
        f"behind {TOP}: nothing of socomec/d/import, what they took is in the remainder" in output
    )
    # The first of March began in Paris an hour before the first sample: it is not compared.
    assert f"behind {A}: " in output
    assert "more than through it; something feeds in there, or a parent is wrong" in output
    assert f"same load: {C} +10.000 % against {A}, 2.10 % allowed, 2 of 2 days beyond it" in output


def test_adding_up_all_points_is_said_against_the_use_of_the_site() -> None:
    output = tree("paris", "--period", "2026-03-02").output
    # The main meter, a board of a quarter of it, its kitchen of half, and a second instrument.
    assert "its 4 electricity points add up to 2.0 times that" in output


def test_a_site_without_links_and_a_period_that_is_none_are_said() -> None:
    said = tree("rome")
    assert said.exit_code == 1
    assert "no meter of site rome stands behind another one" in said.output


def test_without_a_published_file_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path))
    said = tree()
    assert said.exit_code == 2
    assert "does not exist yet" in said.output
