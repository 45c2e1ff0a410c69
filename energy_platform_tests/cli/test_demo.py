"""The demo when it is stopped half-way."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from energy_platform_tests.cli.test_app import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.long
def test_ctrl_c_says_how_to_go_on_and_ends_the_simulators(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-c", "from energy_platform.cli import main; main()", "demo", "--days=1"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "PYTHONPATH": ROOT},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if "skycentrics:" in line:
            break
    # Inside a run: Dagster makes a failure of the run out of the signal.
    while not (tmp_path / "data" / "lake" / "core_readings").exists():
        time.sleep(0.02)
    demo.send_signal(signal.SIGINT)
    # Read to the end: it comes when the simulators, which inherit the pipe's end, are gone too.
    rest = demo.stdout.read()
    assert demo.wait() == 130
    assert rest.splitlines()[-1].endswith("`energy-platform demo` goes on from there")
    assert "Traceback" not in rest
