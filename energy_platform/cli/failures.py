"""From an exception to one sentence and an exit code; no trace-back reaches a user.

Imported once something went wrong: it knows the errors of every package, which are slow to import.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import duckdb
import polars as pl
import sqlalchemy as sa
import typer

from energy_platform import __version__
from energy_platform.alerts import AlertStoreError
from energy_platform.backup.errors import BackupError
from energy_platform.delivery import DeadLetterError, LedgerError
from energy_platform.discovery import DiscoveryError
from energy_platform.explain import ExplainError
from energy_platform.installation.dagster_database import DagsterDatabaseError, unreachable
from energy_platform.installation.instance import ForeignInstanceError, InstanceInUseError, UiError
from energy_platform.installation.origin import DataFolderError, OriginError, SimulationInUseError
from energy_platform.lake.catalogue import CatalogueError
from energy_platform.lake.lake import LakeError
from energy_platform.portfolio import PortfolioError
from energy_platform.portfolio.find import PointNotFoundError
from energy_platform.report.errors import ReportError
from energy_platform.settings import Settings, SettingsError
from energy_platform.sources.http.errors import VendorError
from energy_platform.sources.http.masking import MASK
from energy_platform.warehouse import WarehouseError
from energy_platform.warehouse.errors import ExtractError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

USAGE: Final = 2
"""Exit code of whatever the person at the terminal can set right, as of a command typed wrongly."""

UNEXPECTED: Final = 70
"""Exit code of a fault of the platform itself: EX_SOFTWARE of ``sysexits.h``."""

INTERRUPTED: Final = 130
"""Exit code of Ctrl-C: 128 and the number of SIGINT, as every shell has it."""

EXPECTED: Final = (
    AlertStoreError,
    BackupError,
    CatalogueError,
    DagsterDatabaseError,
    DataFolderError,
    DiscoveryError,
    ExplainError,
    ExtractError,
    ForeignInstanceError,
    InstanceInUseError,
    LakeError,
    LedgerError,
    DeadLetterError,
    OriginError,
    PointNotFoundError,
    PortfolioError,
    ReportError,
    SettingsError,
    SimulationInUseError,
    UiError,
    VendorError,
    WarehouseError,
)
"""Errors whose message is written for the person at the terminal."""

_NAMES_A_SECRET: Final = re.compile(
    r"PASSWORD|SECRET|TOKEN|CREDENTIAL|(LEDGER|CATALOGUE|DAGSTER)_URL", re.IGNORECASE
)

_SAYS_FULL: Final = re.compile(r"no space left on device|disk is full|os error 28", re.IGNORECASE)
"""How libraries that have no error number of their own say ENOSPC."""

_QUOTED_PATH: Final = re.compile(r'"(/[^"]+)"')

_SHORTEST_SECRET: Final = 3
"""Shorter values stand in every text; masking them would make a report unreadable."""


class Ending(NamedTuple):
    """How a command ends: exit code, and what is said on standard error (empty: nothing)."""

    code: int
    message: str


def ending_of(error: BaseException) -> Ending:
    """Say how a command ends that an exception has left."""
    if isinstance(error, KeyboardInterrupt):
        return Ending(INTERRUPTED, "stopped; what was finished is kept, run it again to go on")
    if isinstance(error, typer.Abort):
        return Ending(1, "nothing was answered, nothing was done")
    if isinstance(error, typer.TyperException):
        return _of_usage(error)
    if isinstance(error, EXPECTED):
        return Ending(USAGE, str(error))
    foreign = _of_system(error) or _of_database(error)
    return Ending(USAGE, masked(foreign)) if foreign else _of_unexpected(error)


def _of_usage(error: typer.TyperException) -> Ending:
    sentence = " ".join(error.format_message().split())
    if sentence.startswith("Usage:"):
        # A group without a command is answered with its help, as everywhere.
        sys.stderr.write(f"{error.format_message()}\n")
        return Ending(error.exit_code, "")
    context = getattr(error, "ctx", None)
    where = f" See `{context.command_path} --help`" if context is not None else ""
    stop = "" if sentence[-1] in ".?" else "."
    return Ending(error.exit_code, f"{sentence}{stop}{where}")


def _of_system(error: BaseException) -> str | None:
    """Say what the operating system refused: a full disk, a missing right, a file in the way."""
    place = _file_of(error)
    if _is_full(error):
        what = f"{place} could not be written" if place else "a file could not be written"
        return (
            f"the disk of {_existing(place or _data_dir())} is full: {what}. Free some space and "
            "run the command again; what was published before stays"
        )
    if not isinstance(error, OSError) or error.errno is None or place is None:
        return None
    reason = os.strerror(error.errno).lower()
    return f"{place}: {reason}; check the path and the rights of this user"


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    libraries = (duckdb.Error, pl.exceptions.PolarsError, sa.exc.DBAPIError, OSError)
    return isinstance(error, libraries) and _SAYS_FULL.search(str(error)) is not None


def _file_of(error: BaseException) -> Path | None:
    """Return the file that an error is about, as far as it says."""
    if isinstance(error, OSError) and isinstance(error.filename, str | os.PathLike):
        return Path(os.fspath(error.filename))
    named = _QUOTED_PATH.search(str(error)) if isinstance(error, duckdb.Error) else None
    return Path(named.group(1)) if named else None


def _of_database(error: BaseException) -> str | None:
    """Say what a database refused, without the statement: nobody but us has written it."""
    if _module(error) == "dagster_postgres" and isinstance(error.__cause__, sa.exc.DBAPIError):
        error = error.__cause__
    if isinstance(error, sa.exc.DBAPIError):
        cause = error.orig or error
        if _module(cause) == "psycopg2":  # Dagster's driver, and nobody else's
            return str(unreachable(error, home=None))
        what = _first_line(cause)
        if isinstance(cause, sqlite3.Error):
            return f"a SQLite file of the data folder cannot be used: {what}"
        return f"the database of the ledger cannot be used ({what}); is it running and reachable?"
    if isinstance(error, sa.exc.SQLAlchemyError):
        return f"the ledger cannot be used: {_first_line(error)}"
    if isinstance(error, duckdb.IOException):
        return f"a DuckDB file cannot be used: {_first_line(error)}"
    return None


def _module(error: BaseException) -> str:
    """Return the package that an error's class comes from."""
    return type(error).__module__.partition(".")[0]


def _of_unexpected(error: BaseException) -> Ending:
    what = f"{type(error).__name__}: {_first_line(error)}" if str(error) else type(error).__name__
    written = _write_report(error)
    kept = f"its trace is in {written}" if written else "its trace could not be written to a file"
    message = masked(f"unexpected {what}; {kept}. This is a fault of the platform: please report")
    return Ending(UNEXPECTED, f"{message} it")


def _write_report(error: BaseException) -> Path | None:
    """Write the trace into the data folder's logs, without secrets; None when it cannot be."""
    now = datetime.now(tz=UTC)
    trace = "".join(traceback.format_exception(error))
    # The command without its arguments: a query or a path is nobody's business.
    command = sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else ""
    text = f"{now.isoformat()} energy-platform {__version__} {command}\n{masked(trace)}"
    path = _data_dir() / "logs" / f"unexpected-{now:%Y%m%dT%H%M%S.%f}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    except OSError:
        return None
    return path


def masked(text: str) -> str:
    """Return a text without the secrets of the settings and of the environment."""
    found = set(_secrets())
    found |= {part for one in found for part in _passwords_of(one)}
    for secret in sorted(found, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    return text


def _passwords_of(secret: str) -> Iterator[str]:
    """Return the password of a secret that is a URL, as it stands there and as it is meant."""
    try:
        password = urlsplit(secret).password
    except ValueError:
        return
    if password:
        yield from (password, unquote(password))


def _secrets() -> Iterator[str]:
    yield from (value for name, value in os.environ.items() if _NAMES_A_SECRET.search(name))
    try:
        settings = Settings.load()
    except Exception:  # noqa: BLE001 - reporting a fault must not fail for another one
        return
    yield from _secret_values(settings)


def _secret_values(model: BaseModel) -> Iterator[str]:
    from pydantic import BaseModel, SecretStr  # noqa: PLC0415 - only for the report of a fault

    for value in dict(model).values():
        for one in value.values() if isinstance(value, dict) else (value,):
            if isinstance(one, SecretStr):
                yield one.get_secret_value()
            elif isinstance(one, BaseModel):
                yield from _secret_values(one)


def _data_dir() -> Path:
    try:
        return Settings.load().platform.data_dir
    except Exception:  # noqa: BLE001 - whatever is wrong with the settings, there is a default
        return Path("data").absolute()


def _existing(path: Path) -> Path:
    """Return the nearest folder that exists."""
    folder = path.absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
