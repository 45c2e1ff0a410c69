"""Neither the machine's time zone nor its locale changes a byte of the lake."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from energy_platform_tests.cli.test_app import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.long, pytest.mark.end_to_end]

USUAL = {"TZ": "UTC", "LC_ALL": "C.UTF-8"}
ODD = {
    # Half an hour off, with summer time, and a locale whose character set is ASCII.
    "TZ": "America/St_Johns",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
}


def lake_of_a_demo(folder: Path, surroundings: dict[str, str]) -> dict[str, str]:
    """Run a demo of two days; return the digest of each day file by its path."""
    folder.mkdir()
    done = subprocess.run(  # noqa: S603 - our own words
        [
            *(sys.executable, "-c", "from energy_platform.cli import main; main()"),
            *("demo", "--days", "2"),
        ],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ROOT, **surroundings},
        capture_output=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    assert b"every stream in order, nothing twice" in done.stdout
    lake = folder / "data" / "lake"
    return {
        str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(lake.rglob("day=*/part.parquet"))
    }


@pytest.mark.timeout(2700)
def test_a_demo_gives_the_same_bytes_in_another_time_zone_and_locale(tmp_path: Path) -> None:
    usual = lake_of_a_demo(tmp_path / "usual", USUAL)
    odd = lake_of_a_demo(tmp_path / "odd", ODD)
    assert len(usual) > 20
    assert odd == usual
