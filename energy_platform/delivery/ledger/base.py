"""Opens the ledger and lends its transactions; what is in them is written elsewhere."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar

from pydantic import SecretStr
from sqlalchemy.dialects import postgresql, sqlite

from energy_platform.closeable import Closeable
from energy_platform.delivery.ledger.database import Database
from energy_platform.delivery.ledger.lease import Lease, LeaseTerms, owned
from energy_platform.delivery.ledger.schema import migrate, open_engine

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import sqlalchemy as sa

L = TypeVar("L", bound="LedgerBase")
P = ParamSpec("P")
T = TypeVar("T")


def retried(
    read: Callable[Concatenate[L, P], T],
) -> Callable[Concatenate[L, P], T]:
    """Let a method that only reads wait, during a push, for a database that is away."""

    @wraps(read)
    def waiting(self: L, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._database.retry_reads(lambda: read(self, *args, **kwargs))

    return waiting


class LedgerBase(Closeable):
    """An open ledger.

    Args:
        url: SQLAlchemy URL of SQLite or PostgreSQL.
        terms: How long the lease of a push lasts.

    Raises:
        LedgerError: The URL is unusable, or the ledger is of a newer version.
    """

    def __init__(self, url: str | SecretStr, *, terms: LeaseTerms | None = None) -> None:
        engine = open_engine(url.get_secret_value() if isinstance(url, SecretStr) else url)
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        self._database = Database(engine)
        self._terms = terms or LeaseTerms()
        self._insert = postgresql.insert if self._database.is_postgresql else sqlite.insert

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open (or create) the SQLite ledger at a path."""
        return cls(f"sqlite:///{path}")

    def __repr__(self) -> str:
        return f"Ledger({self.engine.url.render_as_string(hide_password=True)!r})"

    @property
    def engine(self) -> sa.Engine:
        """The database, for reading with SQL of one's own."""
        return self._database.engine

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def exclusive(
        self, *, stop: threading.Event, place: str = "", under_way_s: float = 30.0
    ) -> AbstractContextManager[Lease | None]:
        """Own the ledger for a push: pushes of other hosts wait, and every transaction is fenced.

        Args:
            stop: Ends the waiting for another push; None is yielded then.
            place: A file whose lock is held meanwhile (see ``lease.place_of``).
            under_way_s: How long a request may be under way after it began.

        Raises:
            LedgerError: The database stayed away.
        """
        return owned(
            self._database, terms=self._terms, place=place, under_way_s=under_way_s, stop=stop
        )

    def _read(self) -> sa.Connection:
        return self._database.connect()
