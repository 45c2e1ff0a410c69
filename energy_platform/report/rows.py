"""From a query to records: one row, one record, columns by name."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from datetime import date

    import duckdb

    from energy_platform.report.period import Period

R = TypeVar("R")


class Scope(NamedTuple):
    """The site and the local days that a query is about, by the names that queries have for them.

    Attributes:
        today: The site's local day that is under way at the publication.
    """

    site: str
    period: Period
    today: date

    @property
    def parameters(self) -> dict[str, Any]:
        """What a query may name: ``$site``, ``$first``, ``$last``, ``$grain``, ``$today``."""
        return {
            "site": self.site,
            "first": self.period.first,
            "last": self.period.last,
            "grain": self.period.grain,
            "today": self.today,
        }


def records(
    connection: duckdb.DuckDBPyConnection, kind: type[R], query: str, scope: Scope
) -> tuple[R, ...]:
    """Return the rows of a query as records of a kind, whose fields its columns are.

    Args:
        connection: The published file.
        kind: A dataclass; a final underscore of a field is not part of the column's name.
        query: SQL that names what it needs of the scope.
        scope: Site and days.
    """
    given = {name: value for name, value in scope.parameters.items() if f"${name}" in query}
    found = connection.execute(query, given)
    names = [one[0] for one in found.description or ()]
    wanted = {one.name.rstrip("_"): one.name for one in fields(kind)}  # type: ignore[arg-type]
    return tuple(
        kind(**{wanted[name]: value for name, value in zip(names, row, strict=True)})
        for row in found.fetchall()
    )


def columns(kind: type[Any], *, of: str) -> str:
    """Return the columns of a table that a record takes as they are.

    Args:
        kind: A dataclass.
        of: Name of the table in the query.
    """
    return ", ".join(f"{of}.{one.name}" for one in fields(kind))
