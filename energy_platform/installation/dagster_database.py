"""The database of Dagster's own records: SQLite in the instance's folder, or PostgreSQL by URL.

Here belongs how it is opened without Dagster, and what Dagster itself is given. What stands in it
is Dagster's.
"""

from __future__ import annotations

import sqlite3
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from energy_platform.installation.dagster_owner import claim, why_foreign
from energy_platform.lake.database import (
    CONNECTING,
    DatabaseUrlError,
    is_session_lost,
    open_database,
    reason_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

SETTING: Final = "ENERGY_PLATFORM_DAGSTER_URL"
"""Variable that holds the URL."""

_STARTING_S: Final = 10.0
"""How long a server that is just starting is asked again."""

_RETRY_S: Final = 0.25

_LOCKED_S: Final = 10
"""How long a reader waits for a writer of SQLite."""


class DagsterDatabaseError(RuntimeError):
    """The database of Dagster's records cannot be used; the message says what to do."""


def storage_url(url: SecretStr) -> str:
    """Return the URL as Dagster has to be given it: its driver, its time zone, short waits.

    Dagster writes its times without a zone and reads them as UTC, while PostgreSQL writes those of
    the session's zone, which is the server's where nobody says otherwise.

    Args:
        url: As the settings have it.

    >>> from pydantic import SecretStr
    >>> sa.make_url(storage_url(SecretStr("postgresql://u@h/d"))).query["options"]
    '-c TimeZone=UTC'
    """
    parsed = sa.make_url(url.get_secret_value())
    options = " ".join((*parsed.normalized_query.get("options", ()), "-c TimeZone=UTC"))
    waits = {key: str(value) for key, value in CONNECTING.items()}
    made = parsed.set(
        drivername="postgresql+psycopg2", query={**waits, **parsed.query, "options": options}
    )
    return made.render_as_string(hide_password=False)


def open_to_read(home: Path, *, url: SecretStr | None) -> sa.Engine | None:
    """Return an engine that reads the records; None where SQLite has none yet.

    Args:
        home: Folder of the instance.
        url: As the settings have it; None for SQLite in the folder.

    Raises:
        DagsterDatabaseError: The driver is missing.
    """
    if url is not None:
        return _open_server(url)
    path = home / "storage" / "history" / "runs.db"
    if not path.exists():
        return None
    return sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_LOCKED_S),
        poolclass=NullPool,
    )


def claim_dagster_database(url: SecretStr | None, *, home: Path) -> None:
    """Make a database on a server this installation's, or refuse to go on.

    Args:
        url: As the settings have it; None for SQLite, which lies in the installation's own folder.
        home: Folder of the instance.

    Raises:
        DagsterDatabaseError: It cannot be reached, holds the tables of something else or another
            installation's records, or a package is missing.
    """
    if url is None:
        return
    require_dagster_database(url, home=home)
    engine = _open_server(url)
    try:
        with engine.begin() as connection:
            why = claim(connection, home)
    except sa.exc.DBAPIError as error:
        raise unreachable(error, home=None) from error
    finally:
        engine.dispose()
    if why:
        raise _foreign(why)


def require_own(connection: sa.Connection, *, home: Path) -> bool:
    """Say whether there are records on a server yet, and refuse those of another installation.

    Args:
        connection: To the server.
        home: Folder of the instance.

    Raises:
        DagsterDatabaseError: They are another installation's, or of something else.
    """
    tables = set(sa.inspect(connection).get_table_names())
    # Dagster makes its table of snapshots first, and has the two others as well.
    if tables & {"alembic_version", "runs"} and "snapshots" not in tables:
        raise DagsterDatabaseError(
            f"the database of {SETTING} holds tables of something else, such as the ledger's; make "
            "one for Dagster alone (CREATE DATABASE dagster) and name it there"
        )
    if why := why_foreign(connection, home):
        raise _foreign(why)
    return "runs" in tables


def require_dagster_database(url: SecretStr, *, home: Path) -> None:
    """Refuse a database on a server that Dagster cannot use; nothing is changed.

    Args:
        url: As the settings have it.
        home: Folder of the instance.

    Raises:
        DagsterDatabaseError: As of `claim_dagster_database`.
    """
    if find_spec("dagster_postgres") is None:
        raise DagsterDatabaseError(
            f"{SETTING} needs dagster-postgres: pip install 'energy-platform[postgres]'"
        )
    engine = _open_server(url)
    deadline = time.monotonic() + _STARTING_S
    try:
        while True:
            try:
                with engine.connect() as connection:
                    require_own(connection, home=home)
                break
            except sa.exc.DBAPIError as error:
                if not is_session_lost(error) or time.monotonic() > deadline:
                    raise unreachable(error, home=None) from error
                time.sleep(_RETRY_S)
    finally:
        engine.dispose()


def unreachable(error: sa.exc.DBAPIError, *, home: Path | None) -> DagsterDatabaseError:
    """Return the sentence for records that cannot be read.

    Args:
        error: What the driver said.
        home: Folder of the instance where they lie in SQLite; None on a server.
    """
    said = reason_of(error)
    if home is not None:
        return DagsterDatabaseError(f"the run table of {home} cannot be read ({said})")
    return DagsterDatabaseError(
        f"Dagster's records cannot be reached: check {SETTING} and that the server runs ({said})"
    )


def _foreign(why: str) -> DagsterDatabaseError:
    return DagsterDatabaseError(
        f"the database of {SETTING} {why}. Give this one a database of its own by {SETTING}, or "
        "remove the setting: Dagster's records are then kept in the data folder"
    )


def _open_server(url: SecretStr) -> sa.Engine:
    try:
        return open_database(url.get_secret_value(), name="Dagster storage", setting=SETTING)
    except DatabaseUrlError as error:
        raise DagsterDatabaseError(str(error)) from error
