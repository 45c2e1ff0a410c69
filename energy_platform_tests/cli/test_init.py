"""The first hour as a person has it: ``energy-platform init`` on a terminal, vendors simulated."""

from __future__ import annotations

import os
import pty
import re
import select
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import energy_platform
from energy_platform.installation.env_file import read_env_file
from energy_platform.simulators.suite import SimulatorSuite
from energy_platform_tests.environment import small_world

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND = "from energy_platform.cli import main; main()"
METER = "SN000001"
LOGIN = {
    "CLIENT_ID": "Client id",
    "CLIENT_SECRET": "Client secret",
    "USERNAME": "SoLive Pro user",
    "PASSWORD": "Password of that user",
}
"""Variables of the login, and how each is asked for."""


class Person:
    """Somebody at a terminal, who answers what the command asks.

    Args:
        folder: Where it is called.
        environment: Its variables.
    """

    def __init__(self, folder: Path, *, environment: Mapping[str, str]) -> None:
        self.shown = ""
        self._read = 0
        self._terminal, inner = pty.openpty()
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", COMMAND, "init"],
            cwd=folder,
            env=dict(environment),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)

    def wait_for(self, words: str, *, timeout_s: float = 300) -> None:
        """Wait until something is shown that was not seen before."""
        deadline = time.monotonic() + timeout_s
        while (found := self.shown.find(words, self._read)) < 0:
            assert time.monotonic() < deadline, f"{words!r} never came:\n{self.shown[-2000:]}"
            assert self._take(), f"{words!r} never came, it ended:\n{self.shown[-2000:]}"
        self._read = found + len(words)

    def answer(self, question: str, reply: str) -> None:
        """Answer a question."""
        self.wait_for(question)
        # Whatever is typed before the space is shown and thrown away where a secret is asked for.
        self.wait_for(": ")
        os.write(self._terminal, f"{reply}\n".encode())

    def end(self, *, timeout_s: float = 300) -> int:
        """Wait for the end and return the exit code."""
        deadline = time.monotonic() + timeout_s
        while self._take():
            assert time.monotonic() < deadline, self.shown[-2000:]
        os.close(self._terminal)
        return self._process.wait(timeout=10)

    def _take(self) -> bool:
        if not select.select([self._terminal], [], [], 1)[0]:
            return self._process.poll() is None
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # how Linux says that the other end is closed
            return False
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode(errors="replace"))
        self.shown += text.replace("\r\n", "\n")
        return bool(data)


@pytest.mark.long
@pytest.mark.end_to_end
@pytest.mark.timeout(900)
def test_a_login_is_tried_written_and_shown_as_a_chart(tmp_path: Path) -> None:
    world = small_world({METER})
    with SimulatorSuite(world=world, wattics_streams=()) as suite:
        known = suite.environment()
        logins = {f"SOCOMEC_{name}": known[f"SOCOMEC_{name}"] for name in LOGIN}
        environment = {
            name: value
            for name, value in (os.environ | known).items()
            if name not in logins
            and not name.startswith(("BELIMO", "SKYCENTRICS", "WATTICS", "ENERGY_PLATFORM"))
        } | {"PYTHONPATH": str(Path(energy_platform.__path__[0]).parent), "TERM": "dumb"}
        person = Person(tmp_path, environment=environment)
        person.answer("Do you have Socomec", "y")
        for name, question in LOGIN.items():
            right = logins[f"SOCOMEC_{name}"]
            person.answer(question, "wrong" if name == "PASSWORD" else right)
        person.wait_for("failed:")
        assert not (tmp_path / ".env").exists()
        person.answer("Type it again?", "y")
        for name, question in LOGIN.items():
            person.answer(question, logins[f"SOCOMEC_{name}"])
        person.wait_for("a real login succeeded")
        for source in ("Belimo", "SkyCentrics", "files"):
            person.answer(f"Do you have {source}" if source != "files" else "Do you have", "n")
        person.answer("delivered to Wattics", "n")
        person.answer("portfolio.yaml?", "y")
        person.answer("show its energy?", "y")
        assert person.end(timeout_s=600) == 0, person.shown[-3000:]
    assert read_env_file(tmp_path / ".env").values == logins
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    for secret in ("SOCOMEC_CLIENT_SECRET", "SOCOMEC_PASSWORD"):
        assert logins[secret] not in person.shown
    assert (tmp_path / "portfolio.yaml").exists()
    chart = person.shown[person.shown.index("kWh from the grid by hour") :]
    assert len(re.findall(r"^  \d\d:\d\d █", chart, re.MULTILINE)) >= 20


def test_without_a_terminal_the_other_way_is_named(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", COMMAND, "init"],
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(Path(energy_platform.__path__[0]).parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "copy .env.example to .env" in done.stderr
    assert list(tmp_path.iterdir()) == []
