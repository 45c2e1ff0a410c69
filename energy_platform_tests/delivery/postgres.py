"""A real PostgreSQL for the tests of what lies in databases: the system's own server, on loopback.

``python -m energy_platform_tests.delivery.postgres`` starts it in a temp folder, runs the tests of
ledger, crashes, catalogue and Dagster's records against it and takes it away again; after ``--``
another command may follow. As root it installs Debian's package where there is none, and runs the
server as another user.
"""

from __future__ import annotations

import argparse
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa

from energy_platform_tests.databases import POSTGRES

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES: Final = ("/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt")
"""Where packages put a server that is not on the PATH."""

UNPRIVILEGED: Final = ("postgres", "nobody")
"""Users that root runs the server as; it refuses to run as root."""

READY_S: Final = 60.0
STOP_S: Final = 30.0
TESTS: Final = (
    "delivery/test_ledger.py",
    "delivery/test_crash.py",
    "delivery/test_upgrade.py",
    "delivery/postgresql_outages.py",
    "lake/test_catalogue_postgresql.py",
    "lake/test_database_postgresql.py",
    "installation/test_troubled_runs.py",
    "installation/test_dagster_postgresql.py",
    "defs/test_housekeeping.py",
    "alive/test_launcher.py",
)


class UnavailableError(RuntimeError):
    """PostgreSQL cannot be had on this machine; the message says what is missing."""


def programs() -> Path | None:
    """Return the folder of the newest ``initdb`` and ``postgres``, None when there is none."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = [
        program.parent
        for place in PLACES
        for program in Path(place).glob("*/bin/initdb")
        if program.with_name("postgres").exists()
    ]
    return max(found, key=_version, default=None)


def _version(folder: Path) -> tuple[int, ...]:
    digits = "".join(one if one.isdigit() else " " for one in folder.parent.name).split()
    return tuple(map(int, digits))


def install() -> Path:
    """Return the server's programs, installed by apt-get when they are missing and that is allowed.

    Raises:
        UnavailableError: There is no server and none can be installed.
    """
    found = programs()
    if found is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise UnavailableError(
            "no PostgreSQL server: install one (Debian: apt-get install postgresql)"
        )
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "postgresql"],
    ):
        done = subprocess.run(command, env=environment, check=False)  # noqa: S603 - our own words
        if done.returncode:
            raise UnavailableError(f"`{' '.join(command)}` failed with {done.returncode}")
    found = programs()
    if found is None:
        raise UnavailableError("apt-get installed postgresql, but there is no initdb")
    return found


class Server:
    """One server that may be stopped and started again.

    Args:
        bin_dir: Its programs.
        folder: Where its data go.
        password: Of its user ``ledger``.
        privileges: Whom it runs as.

    Attributes:
        url: SQLAlchemy URL of an empty database.
    """

    def __init__(
        self, bin_dir: Path, *, folder: Path, password: str, privileges: dict[str, Any]
    ) -> None:
        self._bin_dir = bin_dir
        self._folder = folder
        self._privileges = privileges
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._url = sa.URL.create(
            "postgresql",
            "ledger",
            password,
            host="127.0.0.1",
            port=self._port,
            database="postgres",
        )
        self.url = self._url.render_as_string(hide_password=False)

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            UnavailableError: It does not start.
        """
        folder = self._folder
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                [
                    self._bin_dir / "postgres",
                    *("-D", folder / "data", "-h", "127.0.0.1", "-p", str(self._port)),
                    *("-k", folder),
                ],
                stdout=log,
                stderr=log,
                cwd=folder,
                **self._privileges,
            )
        _wait(self._process, url=self._url, log=folder / "log")

    def stop(self, how: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it in order, or as a crash does."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGINT if how == "fast" else signal.SIGQUIT)
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None


@contextmanager
def server() -> Iterator[Server]:
    """Run a server of its own.

    Raises:
        UnavailableError: There is no server, or it does not start.
    """
    bin_dir = install()
    privileges = _another_user()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    password = secrets.token_urlsafe(24)
    try:
        secret = folder / "password"
        secret.write_text(password, encoding="ascii")
        if privileges:
            for path in (secret, folder):
                os.chown(path, privileges["user"], privileges["group"])
        options = ["-U", "ledger", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C"]
        made = subprocess.run(  # noqa: S603 - our own words
            [bin_dir / "initdb", "-D", folder / "data", "--pwfile", secret, *options],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            **privileges,
        )
        if made.returncode:
            raise UnavailableError(f"initdb failed: {made.stderr.strip()}")
        found = Server(bin_dir, folder=folder, password=password, privileges=privileges)
        try:
            found.start()
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(folder)


def _another_user() -> dict[str, Any]:
    """Return whom to run the server as, when this process is root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in UNPRIVILEGED:
        if name in known:
            entry = known[name]
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise UnavailableError(f"root cannot run PostgreSQL, and there is no user {UNPRIVILEGED[0]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], *, url: sa.URL, log: Path) -> None:
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"))
    deadline = time.monotonic() + READY_S
    while True:
        try:
            with engine.connect():
                engine.dispose()
                return
        except sa.exc.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise UnavailableError(f"PostgreSQL does not start: {said}") from error
            time.sleep(0.1)


def main() -> int:
    """Run the tests, or a command, with a server; 0 also when there is none, unless required."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--required", action="store_true", help="fail where there is no server")
    parser.add_argument("command", nargs="*", help=f"sees the URL as {POSTGRES}")
    options = parser.parse_args()
    here = Path(__file__).parent.parent
    command = options.command or [
        *(sys.executable, "-m", "pytest", "-q", "-k", "postgresql"),
        *(str(here / name) for name in TESTS),
    ]
    try:
        with server() as found:
            return subprocess.run(  # noqa: S603 - the caller's own words
                command, env=os.environ | {POSTGRES: found.url}, check=False
            ).returncode
    except UnavailableError as error:
        line = "=" * 78
        print(f"{line}\nSKIPPED: NOTHING was tested on PostgreSQL: {error}\n{line}")  # noqa: T201
        return 1 if options.required else 0


if __name__ == "__main__":
    sys.exit(main())
