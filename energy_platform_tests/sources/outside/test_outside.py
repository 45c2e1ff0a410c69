"""A source from outside the package, installed as any package is, from its account to the marts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from energy_platform.sources import GROUP

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-c", "from energy_platform.cli import main; main()")
FIRST, LAST = "2026-03-02", "2026-03-03"


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    """An installation with the package acme-energy, and the key of an account."""
    site = tmp_path / "site"
    info = site / "acme_energy-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-energy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nacme = acme_energy:SOURCE\n")
    shutil.copy(Path(__file__).with_name("acme_energy.py"), site)
    return tmp_path


def command(platform: Path, *words: str, code: int = 0) -> str:
    own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, *words],
        cwd=platform,
        env=own
        | {
            "PYTHONPATH": f"{platform / 'site'}{os.pathsep}{ROOT}",
            "ENERGY_PLATFORM_DATA_DIR": str(platform / "data"),
            "ACME_API_KEY": "key-of-acme",
        },
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "key-of-acme" not in said
    return said


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_an_installed_package_brings_a_source_from_its_account_to_the_marts(
    platform: Path,
) -> None:
    assert "acme" in command(platform, "backfill", "--help")
    command(platform, "discover", "--yes")
    assert "vendor: acme" in (platform / "portfolio.yaml").read_text(encoding="utf-8")
    command(platform, "backfill", "acme", FIRST, LAST)
    with duckdb.connect(platform / "data" / "energy.duckdb", read_only=True) as db:
        days = db.execute(
            "select local_day, round(sum(energy_kwh), 6) from fct_energy_daily"
            " group by all order by all"
        ).fetchall()
        devices = db.execute("select device_id, vendor from dim_device").fetchall()
    assert devices == [("acme//M%2F1", "acme")]
    # The days are UTC's: the first local one has 23 of its hours, and 45 min of a third are known.
    assert [kwh for _, kwh in days] == [23.0, 24.0, 0.75], json.dumps(days, default=str)
    # It fails for the days since then, which nobody has asked for.
    looked = json.loads(command(platform, "doctor", "--json", code=1))
    seen = {(one["check"], one["level"]) for one in looked["findings"] if one["subject"] == "acme"}
    assert seen >= {("credentials", "ok"), ("rights", "ok"), ("inventory", "ok"), ("days", "fail")}
