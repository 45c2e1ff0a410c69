"""A built wheel needs nothing of the checkout: it carries the dbt project and the docs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import duckdb
import pytest

CHECKOUT = Path(__file__).parents[2]
RUN = "from energy_platform.cli.app import main; main()"

pytestmark = pytest.mark.long


def test_the_demo_runs_from_a_wheel_in_an_empty_folder(tmp_path: Path) -> None:
    source, site, home = (tmp_path / name for name in ("source", "site", "home"))
    left = shutil.ignore_patterns(".venv", ".git", "data", "target", "logs", "__pycache__", ".*")
    shutil.copytree(CHECKOUT, source, ignore=left)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run(  # noqa: S603 - pip of our own environment
        [*command, "--no-index", "--quiet", "--wheel-dir", str(tmp_path), str(source)], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    shutil.rmtree(source)
    home.mkdir()
    # Before the checkout, which this environment has installed editable.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("ENERGY_PLATFORM_")
    } | {"PYTHONPATH": str(site)}
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", RUN, "demo", "--days", "1"],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every stream in order, nothing twice" in done.stdout
    assert (home / "data" / "dbt_models" / "target" / "manifest.json").exists()
    with duckdb.connect(str(home / "data" / "energy.duckdb"), read_only=True) as published:
        assert published.execute("select count(*) from mart_site_energy").fetchone() != (0,)
    assert (site / "energy_platform" / "docs" / "energy.md").exists()
