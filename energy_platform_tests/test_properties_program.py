"""The program that tries the properties as often as asked."""

from __future__ import annotations

import subprocess
import sys


def test_a_property_is_tried_as_often_as_asked() -> None:
    done = subprocess.run(  # noqa: S603 - ourselves
        [
            *(sys.executable, "-m", "energy_platform_tests.properties"),
            *("--examples", "70", "--processes", "1", "--only", "thousandths_are_written"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    _, line = done.stdout.splitlines()
    examples, _, *title = line.split()
    assert (examples, " ".join(title)) == ("70", "thousandths are written exactly")
