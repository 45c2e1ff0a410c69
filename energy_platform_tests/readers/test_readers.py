"""Whatever people read with stays open, sees every publication, and needs no second file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from energy_platform_tests.readers.publications import answers_elsewhere, watch_publications
from energy_platform_tests.readers.tools import (
    BROUGHT,
    IN_SETUP,
    TOOLS,
    Tool,
    UnavailableError,
)
from energy_platform_tests.warehouse.small_builds import days_of, finish_build, small_warehouse

if TYPE_CHECKING:
    from energy_platform.warehouse import Warehouse
    from energy_platform_tests.readers.publications import Seen

PAGE = Path(__file__).parents[2] / "docs" / "readers.md"
RECIPES = dict(
    re.findall(
        r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```",
        PAGE.read_text(),
        re.MULTILINE | re.DOTALL,
    )
)
"""The recipes in Python, by their heading."""

OF_THE_ONE_FILE = [one for one in TOOLS if one.name not in {"polars", "pyarrow"}]
"""The others read the Parquet files."""


def required(tool: Tool, tmp_path: Path) -> None:
    """Skip, and say what is not tested, where a tool cannot be had; never in CI."""
    try:
        tool.command(tmp_path, tmp_path, ())
    except UnavailableError as error:
        if os.environ.get("CI") or os.environ.get("READERS_REQUIRED"):
            pytest.fail(f"{tool.name} must be tested here, but {error}")
        pytest.skip(f"{tool.name.upper()} NOT TESTED: {error}")


def assert_always_fresh(seen: list[Seen], *, publications: int) -> None:
    for one in seen:
        assert len(one.builds) == publications + 1, one
        assert (one.stale, one.torn, one.lasting) == (0, 0, 0), one


def test_tools_that_stay_open_see_each_publication(tmp_path: Path) -> None:
    seen = watch_publications(tmp_path / "data", IN_SETUP, count=4)
    assert_always_fresh(seen, publications=4)


@pytest.mark.long
@pytest.mark.parametrize("tool", BROUGHT, ids=lambda one: one.name)
def test_tools_of_other_registries_that_stay_open_see_each_publication(
    tmp_path: Path, tool: Tool
) -> None:
    required(tool, tmp_path)
    assert_always_fresh(watch_publications(tmp_path / "data", [tool], count=50), publications=50)


@pytest.mark.long
def test_all_that_setup_brings_stays_open_over_fifty_publications(tmp_path: Path) -> None:
    seen = watch_publications(tmp_path / "data", IN_SETUP, count=50)
    assert_always_fresh(seen, publications=50)


@pytest.mark.parametrize(
    "tool",
    [
        pytest.param(one, id=one.name, marks=[pytest.mark.long] if one in BROUGHT else [])
        for one in OF_THE_ONE_FILE
    ],
)
def test_the_one_file_answers_the_same_in_another_folder(tmp_path: Path, tool: Tool) -> None:
    required(tool, tmp_path)
    here, elsewhere = answers_elsewhere(tmp_path / "data", tmp_path / "elsewhere", tool)
    assert here == elsewhere == "1,7680,1,1"


@pytest.fixture
def installation(tmp_path: Path) -> Warehouse:
    """A data folder with one build, in the folder that the recipes are typed in."""
    warehouse = small_warehouse(tmp_path / "data")
    finish_build(warehouse, days_of("2026-01-30", 5), version=1)
    warehouse.publish()
    return warehouse


@pytest.mark.parametrize("heading", RECIPES)
def test_recipes_in_python_print_rows(installation: Warehouse, heading: str) -> None:
    run = subprocess.run(  # noqa: S603 (our own page)
        [sys.executable, "-c", RECIPES[heading]],
        cwd=installation.data_dir.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "2026-02" in run.stdout


def test_every_tool_has_its_recipe() -> None:
    headings = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    for name in (
        "command line",
        "DuckDB",
        "pandas",
        "SQLAlchemy",
        "polars",
        "pyarrow",
        "JDBC",
        "Node",
    ):
        assert any(name in one for one in headings), name


def test_the_recipe_of_the_command_line_prints_rows(installation: Warehouse) -> None:
    recipe = re.search(
        r"```console\n\$ duckdb -readonly data/live.duckdb (.+?)\n", PAGE.read_text()
    )
    assert recipe is not None
    client = Path(sys.executable).with_name("duckdb")
    run = subprocess.run(  # noqa: S602 (our own page, as a shell reads it)
        f"{client} -readonly data/live.duckdb {recipe[1]}",
        shell=True,
        cwd=installation.data_dir.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "2026-02" in run.stdout


@pytest.mark.parametrize("name", ["live.duckdb", "energy.duckdb"])
def test_a_python_client_without_pytz_reads_instants_in_the_schema_utc(
    installation: Warehouse, name: str
) -> None:
    program = (
        "import sys; sys.modules['pytz'] = None\n"
        "import duckdb\n"
        "db = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print(db.execute(sys.argv[2]).fetchall())"
    )
    query = "select * from {}fct_energy_15min order by all limit 1"
    runs = {
        schema: subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-c", program, installation.data_dir / name, query.format(schema)],
            capture_output=True,
            text=True,
            check=False,
        )
        for schema in ("", "utc.")
    }
    assert "pytz" in runs[""].stderr
    # Midnight of 30 January in the session's zone of the builds, UTC.
    assert "datetime.datetime(2026, 1, 30, 0, 0)" in runs["utc."].stdout, runs["utc."].stderr


def test_a_copied_folder_that_is_read_by_a_relative_path_does_not_show_the_original(
    installation: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(installation.data_dir, tmp_path / "copy" / "data")
    monkeypatch.chdir(tmp_path / "copy")
    with (
        duckdb.connect("data/live.duckdb", read_only=True) as db,
        pytest.raises(duckdb.Error, match="copied or moved"),
    ):
        db.execute("select count(*) from dim_point").fetchall()
