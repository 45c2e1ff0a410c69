"""The processes of the UI end with it, whatever happens, and start again when they fall over."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from energy_platform.installation import supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) > 2:  # a child of the same group that ignores being asked, too
    subprocess.Popen([sys.executable, __file__, sys.argv[2]])
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""

DOCILE = """
import os, signal, sys, time
def stop(*_):
    open(sys.argv[1], "a").write(sys.argv[2] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
open(sys.argv[3], "w").write(str(os.getpid()))
time.sleep(600)
"""


def until(true: Callable[[], bool]) -> None:
    """Wait until something holds; the test's own time limit is the only one."""
    while not true():
        time.sleep(0.02)


def alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        with suppress(FileNotFoundError):  # a zombie has ended; nobody has looked yet
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        return True
    return False


def number(path: Path) -> int:
    """Wait for a process to say that it is ready, and return its id."""
    until(lambda: path.exists() and bool(path.read_text()))
    return int(path.read_text())


class Started:
    """A supervisor as its starter has it."""

    def __init__(self, place: Path, **orders: Any) -> None:
        content = {"log": str(place / "log"), "folder": str(place), "grace_s": 0.3, **orders}
        self.process = subprocess.Popen(  # noqa: S603 - our own words
            [sys.executable, supervisor.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(content) + "\n")
        self.process.stdin.flush()

    def hang_up(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def said(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[dict[str, str]]:
    found = {}
    for name, text in {"stubborn": STUBBORN, "docile": DOCILE}.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        found[name] = str(tmp_path / f"{name}.py")
    yield found
    for file in tmp_path.glob("pid*"):
        with suppress(ProcessLookupError, ValueError):
            os.kill(int(file.read_text()), signal.SIGKILL)


def test_all_that_was_started_is_gone_when_the_starter_is_no_more(
    tmp_path: Path, scripts: dict[str, str]
) -> None:
    pids = [tmp_path / "pid1", tmp_path / "pid2"]
    command = [sys.executable, scripts["stubborn"], *map(str, pids)]
    started = Started(tmp_path, components=[{"name": "one", "command": command}])
    running = [number(path) for path in pids]
    started.hang_up()
    started.process.wait()
    until(lambda: not any(map(alive, running)))


@pytest.mark.crash
def test_a_starter_killed_hard_takes_the_tree_with_it(
    tmp_path: Path, scripts: dict[str, str]
) -> None:
    code = (
        "import sys, time\n"
        "from energy_platform.cli.tree import Tree\n"
        "from energy_platform.installation.supervisor import Component, Orders\n"
        "folder, *command = sys.argv[1:]\n"
        "orders = Orders(components=[Component(name='one', command=[sys.executable, *command])],\n"
        "                log=folder + '/log', folder=folder, grace_s=0.3)\n"
        "with Tree(orders, environment={}):\n"
        "    time.sleep(600)\n"
    )
    pids = [tmp_path / "pid1", tmp_path / "pid2"]
    words = [str(tmp_path), scripts["stubborn"], *map(str, pids)]
    starter = subprocess.Popen([sys.executable, "-c", code, *words])  # noqa: S603 - our own words
    running = [number(path) for path in pids]
    starter.kill()
    starter.wait()
    until(lambda: not any(map(alive, running)))


def test_the_one_that_gives_the_others_work_ends_first_and_then_the_rest_is_run(
    tmp_path: Path, scripts: dict[str, str]
) -> None:
    order = tmp_path / "order"
    components = [
        {
            "name": name,
            "command": [
                *(sys.executable, scripts["docile"], str(order), name),
                str(tmp_path / f"pid-{name}"),
            ],
        }
        for name in ("code", "web", "daemon")
    ]
    after = [sys.executable, "-c", f"open({str(order)!r}, 'a').write('afterwards')"]
    started = Started(tmp_path, components=components, grace_s=30, afterwards=[after])
    for name in ("code", "web", "daemon"):
        number(tmp_path / f"pid-{name}")
    started.process.terminate()
    started.process.wait()
    first, *both, last = order.read_text().split()
    assert (first, last) == ("daemon", "afterwards")
    assert sorted(both) == ["code", "web"]


def test_what_falls_over_is_said_and_started_again(tmp_path: Path, scripts: dict[str, str]) -> None:
    pid = tmp_path / "pid1"
    command = [sys.executable, scripts["stubborn"], str(pid)]
    mark = tmp_path / "alive" / "mark"
    component = {"name": "one", "command": command, "mark": str(mark)}
    started = Started(tmp_path, components=[component])
    first = number(pid)
    marked = mark.stat().st_mtime_ns
    assert marked <= pid.stat().st_mtime_ns
    pid.unlink()
    os.kill(first, signal.SIGKILL)
    second = number(pid)
    assert second != first
    assert marked < mark.stat().st_mtime_ns <= pid.stat().st_mtime_ns
    said = [started.said() for _ in range(3)]
    assert [one["event"] for one in said] == ["started", "ended", "started"]
    assert said[1]["code"] == -signal.SIGKILL
    started.hang_up()
    started.process.wait()


def test_the_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    talker = "while True: print('x' * 1000, flush=True)"
    log = tmp_path / "log"
    log.write_bytes(b"old" * 1000)
    started = Started(
        tmp_path,
        components=[{"name": "one", "command": [sys.executable, "-c", talker]}],
        log_bytes=2000,
    )
    until((tmp_path / "log.1").exists)
    started.hang_up()
    started.process.wait()
    assert b"old" not in log.read_bytes()


def test_a_folder_that_is_removed_under_it_ends_the_tree(
    tmp_path: Path, scripts: dict[str, str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    pids = [tmp_path / "pid1", tmp_path / "pid2"]
    command = [sys.executable, scripts["stubborn"], *map(str, pids)]
    started = Started(
        tmp_path,
        components=[{"name": "one", "command": command}],
        folder=str(data),
        log=str(data / "log"),
        look_s=0.1,
    )
    running = [number(path) for path in pids]
    shutil.rmtree(data)
    assert started.process.wait() == 1
    until(lambda: not any(map(alive, running)))
    assert [started.said()["event"], started.said()["event"]] == ["started", "failed"]
