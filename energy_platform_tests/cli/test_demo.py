"""The demo when it is stopped half-way."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from energy_platform_tests.cli.test_app import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_ctrl_c_says_how_to_go_on_and_leaves_the_simulators_behind_nowhere(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-c", "from energy_platform.cli import main; main()", "demo", "--days=1"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "PYTHONPATH": ROOT},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if "inventories" in line:
            break
    demo.send_signal(signal.SIGINT)
    # Read to the end: it comes when the simulators, which inherit the pipe's end, are gone too.
    rest = demo.stdout.read()
    assert demo.wait() == 130
    assert rest.splitlines()[-1].endswith("`energy-platform demo` goes on from there")
    assert "Traceback" not in rest
