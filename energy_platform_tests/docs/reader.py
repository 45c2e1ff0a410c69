"""A reader who types what the pages say, in one folder, on simulators."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Final, Self

import energy_platform

COMMAND: Final = "from energy_platform.cli import main; main()"
ASKED: Final = re.compile(r"(?:\]|\)|\w): ?$")
"""A question ends so; whatever is typed before it would be lost where a secret is asked for."""

LIMIT_S: Final = 1800


class Reader:
    """Types commands in a folder and sees what they print.

    Args:
        folder: Stands for the clone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._first_terminal: subprocess.Popen[bytes] | None = None
        commands = folder.parent / "bin"
        commands.mkdir()
        program = commands / "energy-platform"
        program.write_text(f"#!{sys.executable}\n{COMMAND}\n", encoding="utf-8")
        program.chmod(0o755)
        left = (
            "ENERGY_PLATFORM",
            "SOCOMEC",
            "BELIMO",
            "SKYCENTRICS",
            "WATTICS",
            "FILES",
            "DAGSTER",
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith(left)}
        self._environment = kept | {
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(Path(energy_platform.__path__[0]).parent),
            "TERM": "dumb",
            "COLUMNS": "200",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._first_terminal is not None:
            os.killpg(self._first_terminal.pid, signal.SIGTERM)
            self._first_terminal.wait(timeout=60)

    def leave_running(self, command: str, *, until: str, shown_in: Path) -> None:
        """Type a command in the first terminal and wait for what tells that it is ready."""
        self._first_terminal = self._start(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + LIMIT_S
        while not shown_in.exists() or until not in shown_in.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline, command
            assert self._first_terminal.poll() is None, command
            time.sleep(0.2)

    def type(self, command: str) -> tuple[int, str]:
        """Type a command; return its exit code and what it printed."""
        process = self._start(command, stdout=subprocess.PIPE)
        shown, _ = process.communicate(timeout=LIMIT_S)
        return process.returncode, shown.decode()

    def press_enter(self, command: str) -> tuple[int, str]:
        """Type a command on a terminal and press Enter at each of its questions."""
        terminal, inner = pty.openpty()
        process = self._start(command, stdin=inner, stdout=inner)
        os.close(inner)
        shown, answered = "", 0
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 1)[0]:
                if process.poll() is not None:
                    break
                if ASKED.search(shown[answered:]):
                    answered = len(shown)
                    os.write(terminal, b"\n")
                continue
            try:
                shown += os.read(terminal, 65536).decode(errors="replace").replace("\r\n", "\n")
            except OSError:  # how Linux says that the other end is closed
                break
        os.close(terminal)
        return process.wait(timeout=60), shown

    def open_and_end(self, command: str) -> int:
        """Start the UI on a free port, look at its first page, press Ctrl+C; return its code."""
        port = free_port()
        process = self._start(f"exec {command} --port {port}", stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + LIMIT_S
        while not _answers(port):
            assert time.monotonic() < deadline, command
            assert process.poll() is None, command
            time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        return process.wait(timeout=300)

    def _start(
        self, command: str, *, stdout: int, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S602 - our own pages, as a shell reads them
            command,
            shell=True,
            executable="/bin/bash",
            cwd=self.folder,
            env=self._environment,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
            return bool(page.status == 200)
    except OSError:
        return False
