"""Raw runs killed at random moments; ``crash.kill`` is the same for as long as asked."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest


@pytest.mark.long
@pytest.mark.crash
def test_raw_runs_killed_at_random_moments_end_in_the_same_bytes() -> None:
    command = [sys.executable, "-m", "energy_platform_tests.crash.kill", "--times=10"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert said.returncode == 0, said.stdout + said.stderr
    found = re.search(r"10 runs, (\d+) killed before their end", said.stdout)
    assert found is not None, said.stdout
    assert int(found[1]) >= 5, "hardly a run was killed: nothing was tested"
