"""Whether what runs is still what is installed.

A run is a new process and takes the code and settings of the disk; a sensor or schedule lives in
the code server and keeps those it was loaded with. After an upgrade under a running daemon the two
would disagree on what is stale, and ask for each other's work for ever. So sensors and schedules
compare at each tick what they were loaded from with the disk, and ask for nothing until restarted.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.installation.env_file import ENV_FILE, EnvFileError, home_folder, read_env_file
from energy_platform.settings import simulation_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE: Final = Path(__file__).parents[1]
_CODE: Final = frozenset({".py", ".sql", ".yaml", ".mako"})
_NOT_LOADED: Final = frozenset({"simulators", "__pycache__"})
"""Folders of the package that no sensor and no run loads."""
_NOTE: Final = "restart_needed"


class _Seen(NamedTuple):
    """A file as it was: a stat that is cheap to compare, a digest that says what it held."""

    size: int
    changed_ns: int
    digest: bytes


class LoadedCode:
    """What a process was loaded from: the package's files and the values of ``.env``.

    Args:
        package: Folder of the code.
        env_file: The settings' file; it need not exist.
    """

    def __init__(self, package: Path, *, env_file: Path) -> None:
        self._package = package
        self._env_file = env_file
        self._files = {path: _look(path) for path in _code_of(package)}
        self._settings = _settings(env_file)

    def changed(self) -> str:
        """Return what is not as it was loaded, empty when all is; a file touched is not changed."""
        paths = set(_code_of(self._package))
        for path in sorted(paths | self._files.keys()):
            before = self._files.get(path)
            if before is None or path not in paths:
                return str(path.relative_to(self._package.parent))
            stat = path.stat()
            if (stat.st_size, stat.st_mtime_ns) == (before.size, before.changed_ns):
                continue
            now = _look(path)
            if now.digest != before.digest:
                return str(path.relative_to(self._package.parent))
            self._files[path] = now
        try:
            settings = _settings(self._env_file)
        except EnvFileError:
            # Unreadable now, hence changed; `doctor` and the next start say what is wrong with it.
            return str(self._env_file)
        return "" if settings == self._settings else str(self._env_file)


def restart_needed() -> str:
    """Return why this process has to be started again, empty when it has not.

    Cheap enough for each tick: the times and sizes of some hundred files.
    """
    what = _LOADED.changed()
    if not what:
        return ""
    return (
        f"restart needed: {what} changed since this process was loaded; stop `energy-platform ui` "
        "and start it again. Nothing is asked for until then"
    )


def note_restart(home: Path) -> str:
    """Leave a note for ``doctor`` while a restart is needed, and return why it is.

    Args:
        home: Folder of the Dagster instance.
    """
    why = restart_needed()
    note = home / _NOTE
    if why:
        note.write_text(why, encoding="utf-8")
    else:
        note.unlink(missing_ok=True)
    return why


def restart_note(home: Path) -> str:
    """Return why the daemon that runs on an instance wants to be restarted; empty when it does not.

    Args:
        home: Folder of the Dagster instance.
    """
    note = home / _NOTE
    return note.read_text(encoding="utf-8") if note.exists() else ""


def _code_of(package: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(package):
        below[:] = [name for name in below if name not in _NOT_LOADED]
        for name in names:
            if os.path.splitext(name)[1] in _CODE:  # noqa: PTH122 - some hundred at each tick
                yield Path(folder, name)


def _look(path: Path) -> _Seen:
    stat = path.stat()
    return _Seen(stat.st_size, stat.st_mtime_ns, hashlib.sha256(path.read_bytes()).digest())


def _settings(env_file: Path) -> dict[str, str]:
    """Return the values of the settings' file, so that a comment changes nothing."""
    return read_env_file(env_file).values


def _settings_file() -> Path:
    named = Path(os.environ.get(ENV_FILE) or ".env").expanduser()
    return simulation_file() or home_folder() / named


_LOADED: Final = LoadedCode(_PACKAGE, env_file=_settings_file())
"""Taken when the code location imports this module."""
