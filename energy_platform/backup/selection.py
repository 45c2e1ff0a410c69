"""Which files of an installation belong to a backup.

Whatever is not known to follow from something else belongs to it, so that nothing new is forgotten.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.lake.catalogue_database import CATALOGUE_FILE
from energy_platform.lake.files import STAGED_SUFFIX
from energy_platform.portfolio.files import portfolio_files
from energy_platform.schemas import DERIVED_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DATA: Final = "data"
PORTFOLIO: Final = "portfolio"
"""The two trees of a backup: the first part of each path in a manifest."""

LEDGER: Final = f"{DATA}/ledger.sqlite"
CATALOGUE: Final = f"{DATA}/{CATALOGUE_FILE}"
"""Names of the two databases in a backup, wherever their files lay."""

_DERIVED: Final = frozenset({"energy.duckdb", "live.duckdb", "marts"})
_DERIVED_NAMES: Final = frozenset(table.name for table in DERIVED_TABLES)

_OF_THIS_MACHINE: Final = frozenset(
    {"dagster", "warehouse", "logins", "logs", "dbt_models", "lake.duckdb"}
)
"""Runs and ticks of Dagster, the work file of builds, refused logins, reports of faults, the
unpacked dbt project, and a file of version 0.1.0: they say nothing on another machine, or are made
again."""

_PASSING: Final = re.compile(
    r".*\.lock|.*-(wal|shm|journal)|.*\.wal|\..*" + re.escape(STAGED_SUFFIX)
)
"""Locks, journals of databases that are copied whole, files not in place yet."""

_SECRET: Final = re.compile(r".*\.env|\.env.*")


class SourceFile(NamedTuple):
    """A file of the installation.

    Attributes:
        name: In the backup: ``data/…`` or ``portfolio/…``, with slashes.
        path: Where it lies.
    """

    name: str
    path: Path


def selected(
    data_dir: Path,
    *,
    portfolio: Path,
    databases: Mapping[str, Path | None],
    derived: bool,
) -> list[SourceFile]:
    """Return the files of a backup, in the order in which they are to be copied.

    Args:
        data_dir: The data folder.
        portfolio: The main file of the portfolio.
        databases: Ledger and catalogue by their names in a backup, the ledger first; None where
            one is on a server.
        derived: Whether what follows from the raw days belongs to it, too.

    Returns:
        The databases in their order, then the other files by name. The ledger comes first, so that
        it is never newer than what it was made of; the catalogue next, since an older one is put
        right by the lake's files.
    """
    own = {path for path in databases.values() if path is not None}
    found = {
        one.name: one.path for one in _of_data(data_dir, derived=derived) if one.path not in own
    }
    if not portfolio.is_relative_to(data_dir):
        found |= {
            f"{PORTFOLIO}/{path.relative_to(portfolio.parent).as_posix()}": path
            for path in portfolio_files(portfolio)
            if path.is_file()
        }
    for name in databases:
        found.pop(name, None)
    first = [SourceFile(name, path) for name, path in databases.items() if path and path.is_file()]
    return first + [SourceFile(name, found[name]) for name in sorted(found)]


def _of_data(data_dir: Path, *, derived: bool) -> Iterator[SourceFile]:
    left_out = _OF_THIS_MACHINE if derived else _OF_THIS_MACHINE | _DERIVED
    for folder, folders, files in os.walk(data_dir):
        below = Path(folder).relative_to(data_dir)
        if below == Path():
            folders[:] = [one for one in folders if one not in left_out]
            files = [one for one in files if one not in left_out]  # noqa: PLW2901 - fewer of them
        elif below == Path("lake"):
            # .locks and .points are the lake's own, and made when they are missed.
            folders[:] = [
                one
                for one in folders
                if not one.startswith(".") and (derived or one not in _DERIVED_NAMES)
            ]
        elif below == Path("demo"):
            # Of a demo's own files the portfolio alone is needed again.
            files = [one for one in files if one.startswith("portfolio")]  # noqa: PLW2901
        for file in files:
            if not _PASSING.fullmatch(file) and not _SECRET.fullmatch(file):
                yield SourceFile(f"{DATA}/{(below / file).as_posix()}", Path(folder) / file)
