"""The container recipe, carried out and used: ``make container``.

Needs Linux, root, debootstrap and Debian's mirror; no container engine. The recipe is written by
``energy-platform service container``, the wheel is built, and the Containerfile's own steps run in
a root file system made of Debian's packages. What comes of it runs as the recipe's account, without
any capability, on a root that cannot be written, with a ``/tmp`` in memory and one volume: first
the platform itself on simulated vendors, with all its databases in PostgreSQL, then the demo.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from energy_platform.simulators.process import SimulatorProcess
from energy_platform_tests.delivery.postgres import server
from energy_platform_tests.deploy.containerfile import Image, build
from energy_platform_tests.environment import simulated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHECKOUT: Final = Path(__file__).parents[2]
IDS: Final = 10_001
VOLUME: Final = "/var/lib/energy-platform"
SECRET: Final = "/run/secrets/platform_env"
HEALTHY_S: Final = 600.0

_RIGHTS: Final = (
    '--reuid "$uid" --regid "$gid" --clear-groups --no-new-privs '
    "--bounding-set=-all --inh-caps=-all"
)
"""Of ``setpriv``: what the compose file asks the engine for."""

_INSIDE: Final = """sh -c 'cd "$0" && exec "$@"' "$place" "$@" """


def debian(cache: Path | None, name: str, root: Path) -> None:
    """Fill a folder with what the image of Debian's name is made of."""
    suite = name.rpartition(":")[2].removesuffix("-slim")
    if cache is None or not cache.exists():
        made = cache or root
        subprocess.run(  # noqa: S603 - our own words
            ["debootstrap", "--variant=minbase", suite, made],  # noqa: S607
            check=True,
            stdout=subprocess.DEVNULL,
        )
    if cache is not None:
        subprocess.run(["cp", "-aT", cache, root], check=True)  # noqa: S603, S607
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")


class Container:
    """An image, its volume and its secrets.

    Args:
        image: What was built.
        volume: Folder that is mounted where the image has its volume.
        env_file: The secret file.
    """

    def __init__(self, image: Image, *, volume: Path, env_file: Path) -> None:
        self._image = image
        self._volume = volume
        self._env_file = env_file

    def start(self, words: list[str], variables: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start a command as the engine would: its own mounts and processes, the host's network."""
        root = self._image.root
        uid, _, gid = self._image.described["USER"].partition(":")
        mounts = [
            'mount --bind "$0" "$0"',
            'mount -t tmpfs -o mode=0755 run "$0/run" && mkdir "$0/run/secrets"',
            f'touch "$0{SECRET}" && mount --bind {self._env_file} "$0{SECRET}"',
            f'mount --bind {self._volume} "$0{VOLUME}"',
            'mount -t tmpfs -o mode=1777,size=256m,noexec,nosuid,nodev tmp "$0/tmp"',
            'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev"',
            'mount -o remount,bind,ro "$0" && mount -o remount,ro "$0/run"',
            "uid=$1; gid=$2; place=$3; shift 3",
            f'exec /usr/sbin/chroot "$0" setpriv {_RIGHTS} {_INSIDE}',
        ]
        place = self._image.described["WORKDIR"]
        return subprocess.Popen(  # noqa: S603 - our own words
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
                *("--propagation", "private", "/bin/sh", "-ec", "\n".join(mounts), str(root)),
                *(uid, gid, place, *words),
            ],
            env={**self._image.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, variables: Mapping[str, str] | None = None) -> str:
        """Run a command of the platform and return what it printed.

        Raises:
            RuntimeError: It failed.
        """
        return self._ended([*self._image.command("ENTRYPOINT"), *words], variables or {})

    def shell(self, line: str) -> str:
        """Run a line of the shell in the container and return what it printed."""
        return self._ended(["/bin/sh", "-c", line], {})

    def is_healthy(self, variables: Mapping[str, str]) -> bool:
        """Ask as the engine does."""
        asked = self.start(self._image.health_command(), variables)
        said, _ = asked.communicate()
        print(f"  health: {said.strip()}")  # noqa: T201
        return asked.returncode == 0

    def _ended(self, words: list[str], variables: Mapping[str, str]) -> str:
        process = self.start(words, variables)
        said, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{words} ended with {process.returncode}:\n{said}")
        return said


def written(folder: Path) -> None:
    """Write the recipe and put the wheel into it, as its user does."""
    code = "from energy_platform.cli import main; main()"
    command = [sys.executable, "-c", code, "service", "container", "energy.example.com"]
    subprocess.run([*command, "--out", str(folder)], check=True)  # noqa: S603 - our own words
    source = folder.parent / "source"
    left = shutil.ignore_patterns(".venv", ".git", "data", "target", "logs", "__pycache__")
    shutil.copytree(CHECKOUT, source, ignore=left)
    wheel = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(  # noqa: S603 - our own words
        [sys.executable, *wheel, "--wheel-dir", str(folder), str(source)], check=True
    )


@contextmanager
def owned(folder: Path) -> Iterator[Path]:
    """Make a folder of the container's account."""
    folder.mkdir()
    os.chown(folder, IDS, IDS)
    yield folder


def look_inside(container: Container) -> None:
    """Show whom the container runs as and what it cannot do.

    Raises:
        RuntimeError: It can.
    """
    print(container.shell("id; grep -E 'CapBnd|CapEff|NoNewPrivs' /proc/self/status; date"))  # noqa: T201
    for place in ("/opt/energy-platform", "/etc", "/usr/bin", "/run/secrets"):
        said = container.shell(f"touch {place}/x 2>&1 || true").strip()
        if not said.endswith(("Read-only file system", "Permission denied")):
            raise RuntimeError(f"{place} can be written: {said}")
        print(f"  {said}")  # noqa: T201


def use(container: Container, *, volume: Path, env_file: Path) -> None:
    """Run the platform itself on simulated vendors, with all its databases in PostgreSQL.

    Raises:
        RuntimeError: Something did not come as it should.
    """
    start = datetime.now(tz=UTC) - timedelta(days=2)
    with server() as postgres, SimulatorProcess(history=True) as suite:
        engine = sa.create_engine(
            sa.make_url(postgres.url).set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
        )
        urls = {}
        for name in ("ledger", "catalogue", "dagster"):
            with engine.connect() as connection:
                connection.execute(sa.text(f"create database {name}"))
            url = sa.make_url(postgres.url).set(database=name)
            urls[f"ENERGY_PLATFORM_{name.upper()}_URL"] = url.render_as_string(False)
        variables = simulated(volume, suite, start=start) | urls
        variables = {
            k: v for k, v in variables.items() if not k.endswith(("DATA_DIR", "PORTFOLIO"))
        }
        env_file.write_text("".join(f"{k}='{v}'\n" for k, v in variables.items()), encoding="utf-8")
        os.chown(volume / "portfolio.yaml", IDS, IDS)
        named = {"ENERGY_PLATFORM_ENV_FILE": SECRET}
        day = f"{start + timedelta(days=1):%Y-%m-%d}"
        print(container.run("backfill", "all", day, day, variables=named)[-600:])  # noqa: T201
        running = container.start(
            [*container._image.command("ENTRYPOINT"), *container._image.command("CMD")],  # noqa: SLF001
            named,
        )
        try:
            deadline = time.monotonic() + HEALTHY_S
            while not container.is_healthy(named):
                if time.monotonic() > deadline or running.poll() is not None:
                    raise RuntimeError("the container did not become healthy")
                time.sleep(5)
            tables = {"ledger": "packets", "catalogue": "source_days", "dagster": "runs"}
            for name, table in tables.items():
                url = sa.make_url(postgres.url).set(database=name, drivername="postgresql+psycopg")
                found = sa.create_engine(url)
                with found.connect() as connection:
                    rows = connection.scalar(sa.text(f"select count(*) from {table}"))
                found.dispose()
                if not rows:
                    raise RuntimeError(f"PostgreSQL's {name} has no {table}")
                print(f"  PostgreSQL's {name}: {rows} {table}")  # noqa: T201
            print(container.run("status", variables=named)[:800])  # noqa: T201
        finally:
            _stop(running)
        engine.dispose()
    if container.is_healthy(named):
        raise RuntimeError("a container that was stopped says that it is well")


def _stop(running: subprocess.Popen[str]) -> None:
    """Ask the container's first process to end, as the engine does.

    Raises:
        RuntimeError: It did not end in order.
    """
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    began = time.monotonic()
    for child in children:
        os.kill(int(child), signal.SIGTERM)
    said, _ = running.communicate(timeout=150)
    print(said[-800:])  # noqa: T201
    if running.returncode:
        raise RuntimeError(f"the container ended with {running.returncode}")
    print(f"  ended in order after {time.monotonic() - began:.0f} s")  # noqa: T201


def main() -> int:
    """Carry the recipe out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="an empty or a new folder")
    parser.add_argument("--base", type=Path, help="keep Debian's packages here between calls")
    options = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        print("needs root and debootstrap (Debian: apt-get install debootstrap)")  # noqa: T201
        return 1
    work: Path = options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    recipe = work / "recipe"
    written(recipe)
    image = build(
        recipe,
        work=work / "roots",
        base=lambda name, root: debian(options.base, name, root),
        arguments={"UID": str(IDS), "GID": str(IDS)},
        say=lambda line: print(f"{datetime.now(tz=UTC):%H:%M:%S} {line}", flush=True),  # noqa: T201
    )
    env_file = work / "platform.env"
    env_file.touch(0o400)
    os.chown(env_file, IDS, IDS)
    with owned(work / "volume") as volume:
        container = Container(image, volume=volume, env_file=env_file)
        look_inside(container)
        use(container, volume=volume, env_file=env_file)
    with owned(work / "demo") as volume:
        container = Container(image, volume=volume, env_file=env_file)
        print(container.run("demo", "--days", "1")[-1200:])  # noqa: T201
    print("the container recipe works")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
