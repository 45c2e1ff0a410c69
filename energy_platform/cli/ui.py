"""``energy-platform ui``: Dagster's UI and daemon on loopback."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from energy_platform.cli.run_lines import RunLines
from energy_platform.cli.simulated import simulated_vendors
from energy_platform.cli.tree import Tree
from energy_platform.ingest.run import is_configured
from energy_platform.installation.dagster_database import claim_dagster_database
from energy_platform.installation.env_file import EnvFileError, env_file
from energy_platform.installation.instance import (
    UiError,
    address_of,
    instance_environment,
    note_address,
    only_ui,
    render_instance,
    working_directory,
)
from energy_platform.installation.origin import claim
from energy_platform.installation.readiness import notify
from energy_platform.installation.run_locks import daemon_mark
from energy_platform.installation.supervisor import Component, Orders
from energy_platform.portfolio import load_portfolio
from energy_platform.settings import PlatformSettings, Settings, SettingsError
from energy_platform.sources.registry import day_tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from rich.console import Console

HOST: Final = "127.0.0.1"
"""The UI has no login: it is bound to loopback, and reached from elsewhere through a tunnel."""

DEMO_DAYS: Final = 7
"""Closed days the streams of a fresh demo begin before today."""

CODE: Final = "energy_platform.definitions"

WEB: Final = "energy_platform.defs.instance.webserver"

LOG: Final = "ui.log"
"""File in the instance's folder for what Dagster's processes print."""

START_S: Final = 180.0
"""Seconds within which the UI answers, on a slow and loaded machine too."""

_HIGHEST_PORT: Final = 65_535


def run_ui(console: Console, *, port: int, simulated: bool | None) -> int:
    """Run until stopped.

    Args:
        console: Where the address is printed.
        port: Port on loopback.
        simulated: Simulated vendors or those of the environment; None takes the simulated ones
            when no vendor has credentials.

    Returns:
        0 after Ctrl+C or SIGTERM; 1 when Dagster's web server did not start.

    Raises:
        UiError: The port is taken or impossible; nothing is started.
        SettingsError: A setting is wrong; nothing is started.
        PortfolioError: The portfolio is missing or wrong; nothing is started.
        OriginError: The data folder holds data of the other kind.
        DataFolderError: The data folder cannot be used.
        DagsterDatabaseError: The database of Dagster's records cannot be used.
        InstanceInUseError: Another UI runs on this instance.
        SimulationInUseError: A demo runs on this data folder.
    """
    require_port(port)
    if simulated is None:
        Settings.load()  # a wrong variable is not a reason to take the simulated vendors
        simulated = not any(is_configured(vendor) for vendor in day_tables())
    with ExitStack() as stack:
        stopped = stack.enter_context(_Stop())
        if simulated:
            _, data_dir = stack.enter_context(simulated_vendors(days=DEMO_DAYS))
            console.print(
                f"four simulated vendors listen on 127.0.0.1; data in {data_dir}",
                style="dim",
                highlight=False,
                soft_wrap=True,
            )
        else:
            data_dir = Settings.load().platform.data_dir
            load_portfolio(PlatformSettings().portfolio)
            claim(data_dir, origin="live")
            _warn_of_env_file(console)
        platform = PlatformSettings()
        claim_dagster_database(platform.dagster_url, home=data_dir / "dagster")
        home = render_instance(data_dir / "dagster", url=platform.dagster_url)
        held = stack.enter_context(only_ui(home))
        prefix = platform.ui_path_prefix
        note_address(home, f"http://{HOST}:{port}{prefix}")
        from energy_platform.defs.runner import fail_dead_at_start  # noqa: PLC0415 - loads Dagster

        fail_dead_at_start(home, say=lambda line: console.print(line, markup=False, soft_wrap=True))
        sockets = stack.enter_context(socket_folder(home))
        console.print(f"starting Dagster; its log is {home / LOG}", style="dim", soft_wrap=True)
        lines = RunLines(home / LOG)
        tree = Tree(
            _orders(home, port=port, prefix=prefix, sockets=sockets),
            environment=instance_environment(home),
            inherited=(held,),
        )
        with tree:
            if not _await(port, tree=tree, stopped=stopped):
                if stopped.is_set():
                    return 0
                console.print(
                    f"Dagster's web server did not start; see {home / LOG}",
                    style="red",
                    soft_wrap=True,
                )
                return 1
            console.print(f"Dagster: {address_of(home)}   (stop with Ctrl+C)", highlight=False)
            notify("READY=1")
            while not stopped.wait(1.0):
                for line in tree.news():
                    console.print(f"{line}; see {home / LOG}", style="yellow", soft_wrap=True)
                for line in lines.new():
                    console.print(line, markup=False, highlight=False, soft_wrap=True)
                if not tree.running():
                    console.print(f"Dagster ended; see {home / LOG}", style="red", soft_wrap=True)
                    return 1
            notify("STOPPING=1")
            console.print("stopping", style="dim")
    return 0


def require_port(port: int) -> None:
    """Refuse a port that the web server could not listen on.

    Dagster takes a number modulo 65,536, and goes on without a web server where another program
    has the port.

    Raises:
        UiError: It is impossible, taken or not this user's.
    """
    if not 1 <= port <= _HIGHEST_PORT:
        raise UiError(f"--port {port}: expected a number from 1 to {_HIGHEST_PORT}")
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As the web server does: a connection of before that is being closed is not an obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            raise UiError(
                f"--port {port}: {HOST}:{port} cannot be used ({error.strerror}); stop what "
                "listens there or choose another port"
            ) from error


def _warn_of_env_file(console: Console) -> None:
    """Say what is wrong with ``.env`` and keeps nothing from starting."""
    try:
        read = env_file()
    except EnvFileError as error:
        raise SettingsError(str(error)) from error
    problems = [f"{read.path}, line {one.line}: {one.message}" for one in read.problems]
    if (mode := read.mode_problem()) is not None:
        problems.append(f"{mode}; run `chmod 600 {read.path}`")
    for problem in problems:
        console.print(f"warning: {problem}", style="yellow", markup=False, soft_wrap=True)


_SOCKETS: Final = "energy-platform-"
"""Prefix of the folders of ``socket_folder``."""


@contextmanager
def socket_folder(home: Path) -> Iterator[Path]:
    """Give a folder for the code server's socket, and remove that of a UI that was killed.

    A socket's path has at most 107 bytes (unix(7)), which a data folder's may exceed.

    Args:
        home: Folder of the instance; no other UI of it runs.
    """
    note = home / "sockets"
    with suppress(OSError):
        left = Path(note.read_text(encoding="utf-8"))
        if left.name.startswith(_SOCKETS):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SOCKETS) as folder:
        note.write_text(folder, encoding="utf-8")
        yield Path(folder)
        note.unlink(missing_ok=True)


END_RUNS: Final = "energy_platform.defs.instance.end_runs"
"""Ends runs that outlived the daemon: they are in process groups of their own."""


def _orders(home: Path, *, port: int, prefix: str, sockets: Path) -> Orders:
    """Return Dagster's three processes: one code server, which daemon and web server share.

    ``dagster dev`` starts the same three, but prints every run's lines to the terminal and leaves
    processes behind when a run hangs.
    """
    python, code_socket = sys.executable, str(sockets / "code.sock")
    workspace = sockets / "workspace.yaml"
    workspace.write_text(
        f'load_from:\n  - grpc_server: {{socket: "{code_socket}", location_name: '
        "energy_platform}\n",
        encoding="utf-8",
    )
    code = [python, "-m", "dagster", "code-server", "start", "--socket", code_socket]
    code += ["--module-name", CODE, "--location-name", "energy_platform"]
    code += ["--inject-env-vars-from-instance"]
    daemon = [python, "-m", "dagster._daemon", "run", "--workspace", str(workspace)]
    web = [python, "-m", WEB, "--workspace", str(workspace)]
    web += ["--host", HOST, "--port", str(port), "--dagster-log-level", "warning"]
    web += ["--path-prefix", prefix] if prefix else []
    return Orders(
        components=[
            Component(name="the code server", command=code),
            Component(name="the web server", command=web, waits_for=code_socket),
            Component(
                name="the daemon",
                command=daemon,
                waits_for=code_socket,
                mark=str(daemon_mark(home)),
            ),
        ],
        log=str(home / LOG),
        folder=str(working_directory(home)),
        afterwards=[[python, "-m", END_RUNS, str(home)]],
    )


def _await(port: int, *, tree: Tree, stopped: threading.Event) -> bool:
    """Wait until the web server listens; False when it ended, or when told to stop."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and tree.running() and not stopped.wait(0.2):
        if any("web server" in line for line in tree.news()):
            return False
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            probe.settimeout(1.0)
            if probe.connect_ex((HOST, port)) == 0:
                return True
    return False


class _Stop(threading.Event):
    """Set by Ctrl+C, SIGTERM or the end of the terminal, while entered."""

    def __enter__(self) -> Self:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self._before = {number: signal.signal(number, self._asked) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.set()
