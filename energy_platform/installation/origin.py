"""Whose data a folder holds: the demo's or a real account's, never both."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from filelock import FileLock, Timeout

from energy_platform.installation.env_file import EnvFileError, read_env_file
from energy_platform.settings import Settings, SettingsError, simulation_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Origin = Literal["demo", "live"]

MARKER: Final = "ORIGIN"
"""File in the data folder that says where its data come from."""

KNOBS: Final = (
    "ENERGY_PLATFORM_DATA_DIR",
    "ENERGY_PLATFORM_INTRADAY_MINUTES",
    "ENERGY_PLATFORM_AUTOSTART",
    "ENERGY_PLATFORM_UI_HOSTS",
    "ENERGY_PLATFORM_UI_PATH_PREFIX",
)
"""What a simulated installation takes from the environment, and nothing of it from ``.env``."""

_HOLDS: Final = ("lake", "landing", "ledger.sqlite", "energy.duckdb")
"""What only runs leave in a data folder."""


class OriginError(RuntimeError):
    """The data folder belongs to the other kind of run, or to nobody known."""


class DataFolderError(RuntimeError):
    """The data folder cannot be used; the message names it and says what to do."""


class SimulationInUseError(RuntimeError):
    """Another simulated installation runs on the data folder."""


class Installation(NamedTuple):
    """What a data folder is.

    Attributes:
        origin: Whose data it holds; None as long as it holds none.
        settings: The settings that belong to it. For the demo's data none of a real account.
        simulated_now: Whether its simulated vendors are running.
        values: The variables that its settings were read from, where they are not this process's.
    """

    origin: Origin | None
    settings: Settings
    simulated_now: bool = False
    values: Mapping[str, str] | None = None


def installation() -> Installation:
    """Return which installation the data folder of the settings is.

    The folder decides, not ``.env``: after a demo its portfolio and its ledger are used, and no
    real address or ledger that ``.env`` may name.

    Raises:
        SettingsError: A setting is wrong.
    """
    settings = Settings.load()
    data_dir = settings.platform.data_dir
    origin = origin_of(data_dir)
    if origin != "demo" or simulation_file() is not None:
        return Installation(origin, settings)
    return simulated_installation(data_dir)


def simulated_installation(data_dir: Path) -> Installation:
    """Return the demo's installation in a data folder.

    Raises:
        SettingsError: Its settings file is damaged.
    """
    running = is_simulated_now(data_dir)
    values = {}
    if running:
        # Only while the simulators run do their addresses lead anywhere.
        try:
            values = read_env_file(settings_file(data_dir)).values
        except EnvFileError as error:
            raise SettingsError(str(error)) from error
    values |= {
        "ENERGY_PLATFORM_DATA_DIR": str(data_dir),
        "ENERGY_PLATFORM_PORTFOLIO": str(demo_folder(data_dir) / "portfolio.yaml"),
    }
    return Installation("demo", Settings.load(values), running, values)


def simulation_knobs() -> dict[str, str]:
    """Return what a simulated installation takes from this process's environment.

    Raises:
        SettingsError: One of them is wrong.
    """
    knobs = {name: os.environ[name] for name in KNOBS if os.environ.get(name)}
    knobs["ENERGY_PLATFORM_DATA_DIR"] = str(Settings.load(knobs).platform.data_dir)
    return knobs


def origin_of(data_dir: Path) -> Origin | None:
    """Return whose data a folder holds, None where it does not say.

    Raises:
        DataFolderError: The folder cannot be read.
        OriginError: It says something else.
    """
    marker = data_dir / MARKER
    try:
        marked = marker.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DataFolderError(f"{marker} cannot be read: {error}") from error
    match marked:
        case "demo" | "live":
            return marked
        case _:
            raise OriginError(f"{marker} says {marked!r}; expected demo or live")


def claim(data_dir: Path, *, origin: Origin) -> None:
    """Say what a data folder is for, or find that it is for something else.

    Raises:
        OriginError: It holds data of the other origin; nothing was changed.
        DataFolderError: It cannot be made or written.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        is_file = data_dir.is_file()
        why = "it is a file" if is_file else error.strerror or type(error).__name__
        raise DataFolderError(
            f"the data folder {data_dir} cannot be made: {why}; set ENERGY_PLATFORM_DATA_DIR to "
            "a folder that this user may write"
        ) from error
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        raise DataFolderError(
            f"the data folder {data_dir} cannot be written by this user; give it the right, or "
            "set ENERGY_PLATFORM_DATA_DIR to another folder"
        )
    marked = origin_of(data_dir)
    if marked is None and origin == "demo":
        marked = "live" if any((data_dir / name).exists() for name in _HOLDS) else None
    if marked is None:
        marked = _mark(data_dir, origin)
    if marked != origin:
        # Nobody is advised to remove a real account's data.
        remove = "remove it with `make clean`, or " if marked == "demo" else ""
        raise OriginError(
            f"{data_dir} holds {marked} data and this run brings {origin} data: {remove}set "
            "ENERGY_PLATFORM_DATA_DIR to another folder"
        )


def _mark(data_dir: Path, origin: Origin) -> Origin | None:
    """Write the marker whole, unless another process was first; return what it says."""
    staged = data_dir / f".{MARKER}.{os.getpid()}"
    try:
        staged.write_text(f"{origin}\n", encoding="utf-8")
        try:
            os.link(staged, data_dir / MARKER)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            staged.replace(data_dir / MARKER)
        staged.unlink(missing_ok=True)
    except OSError as error:
        raise DataFolderError(
            f"the data folder {data_dir} cannot be written: {error.strerror}"
        ) from error
    return origin_of(data_dir)


def own_origin() -> Origin:
    """Return the origin of what this process brings, by whose settings it reads."""
    return "live" if simulation_file() is None else "demo"


def demo_folder(data_dir: Path) -> Path:
    """Return the folder of the demo's own files: portfolio, events, settings, record."""
    return data_dir / "demo"


def settings_file(data_dir: Path) -> Path:
    """Return the file that holds every setting of a simulated installation."""
    return demo_folder(data_dir) / "settings.env"


@contextmanager
def only_simulation(data_dir: Path) -> Iterator[None]:
    """Hold the right to run the simulated vendors of a data folder.

    Raises:
        SimulationInUseError: Another process holds it.
    """
    lock = _simulation_lock(data_dir)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise SimulationInUseError(
            f"another demo or simulated UI runs on {data_dir}; wait until it has ended, stop it, "
            "or set ENERGY_PLATFORM_DATA_DIR to another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_simulated_now(data_dir: Path) -> bool:
    """Say whether the simulated vendors of a data folder run: whether their lock is held."""
    lock = _simulation_lock(data_dir)
    if not os.path.exists(lock.lock_file):  # noqa: PTH110 - filelock gives text
        return False
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def _simulation_lock(data_dir: Path) -> FileLock:
    return FileLock(
        demo_folder(data_dir) / ".running.lock",
        fallback_to_soft=False,
        preserve_lock_file=True,
        is_singleton=False,
    )
