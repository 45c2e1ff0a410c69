"""The units judged by systemd's own tools: ``make recipes``, which needs systemd-analyze."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from energy_platform.deploy.filled import UNITS, systemd_units
from energy_platform_tests.deploy.test_recipes import MACHINE

MOST_EXPOSED = 2.0
"""Of 10; systemd calls what is below 2.5 OK."""


@pytest.mark.parametrize("for_user", [False, True])
def test_systemd_takes_the_units(tmp_path: Path, *, for_user: bool) -> None:
    machine = MACHINE._replace(program=Path("/bin/true"), home=tmp_path, user="daemon")
    for name, text in systemd_units(machine, for_user=for_user).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    manager = "--user" if for_user else "--system"
    said = subprocess.run(  # noqa: S603 - our own words
        ["systemd-analyze", manager, "verify", *(str(tmp_path / name) for name in UNITS)],  # noqa: S607
        env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    own = [line for line in said.stderr.splitlines() if "energy-platform" in line]
    assert (said.returncode, own) == (0, [])


@pytest.mark.parametrize("name", ["energy-platform.service", "energy-platform-health.service"])
def test_the_service_is_hardly_exposed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(systemd_units(MACHINE, for_user=False)[name], encoding="utf-8")
    said = subprocess.run(  # noqa: S603 - our own words
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"Overall exposure level for .*: ([\d.]+)", said)
    assert found is not None
    print(found[0])  # noqa: T201
    assert float(found[1]) <= MOST_EXPOSED
