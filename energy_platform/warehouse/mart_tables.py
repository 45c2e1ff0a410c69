"""What the exported tables are: columns, descriptions, and where their Parquet files lie.

The description of all tables lies next to their files, so that views over them can be written where
the build's own file is not at hand.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from energy_platform.lake.digests import digest_of
from energy_platform.lake.files import staged

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import duckdb

CATALOGUE: Final = "tables.json"
"""Name of the description of all tables, in the folder of the marts."""

PART: Final = "part.parquet"
"""Name of the file of a whole table, or of a whole month."""

NO_ROWS: Final = f"month=none/{PART}"
"""A file without rows, so that a table has its columns before and after it has any."""

_GRAINS: Final = {"local_day": "day", "local_week": "week", "local_month": "month"}
"""Columns by which tables are cut, the first that a table has, and what date_trunc calls it."""

_INSTANT: Final = "TIMESTAMP WITH TIME ZONE"


@dataclass(frozen=True, kw_only=True)
class MartColumn:
    """A column of a table that people read.

    Attributes:
        name: Its name.
        type: Its type, as DuckDB calls it.
        description: What it holds; empty when nobody said.
    """

    name: str
    type: str
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class MartTable:
    """A table that people read.

    Attributes:
        name: Its name.
        columns: Its columns in order.
        description: What it holds; empty when nobody said.
    """

    name: str
    columns: tuple[MartColumn, ...]
    description: str = ""

    @property
    def period(self) -> str | None:
        """The column of local dates that its files are cut by; None: it lies in one file."""
        names = {one.name for one in self.columns}
        return next((name for name in _GRAINS if name in names), None)

    @property
    def grain(self) -> str:
        """The length of its periods: day, week or month."""
        return _GRAINS[self.period] if self.period else "day"

    @property
    def grains(self) -> tuple[str, ...]:
        """What a rebuilt day rebuilds: its own period, and where a table holds months, its month.

        The rows of a month stand with its first day.
        """
        holds_months = self.grain != "month" and any(one.name == "grain" for one in self.columns)
        return (self.grain, "month") if holds_months else (self.grain,)

    @property
    def sort_key(self) -> tuple[str, ...]:
        """The columns that its rows are sorted by: up to the first time; all without any.

        Rows of a point then lie together, which compresses well and lets a query for one point
        skip the others.
        """
        names = [one.name for one in self.columns]
        times = (n for n, one in enumerate(self.columns) if one.type.startswith(("DATE", "TIME")))
        first = next(times, None)
        return tuple(names if first is None else names[: first + 1])

    @property
    def instants(self) -> tuple[str, ...]:
        """The columns of type TIMESTAMPTZ."""
        return tuple(one.name for one in self.columns if one.type == _INSTANT)

    @property
    def fingerprint(self) -> str:
        """Digest of the names and types of its columns."""
        return digest_of(repr([(one.name, one.type) for one in self.columns]))

    def pattern(self, folder: Path) -> str:
        """Return the glob of its files.

        Args:
            folder: The folder of the marts.
        """
        place = folder / self.name
        return str(place / PART if self.period is None else place / "month=*" / "*.parquet")


@dataclass(frozen=True)
class MartPart:
    """One file of a table.

    Attributes:
        path: Its place in the table's folder.
        first: The first local day that it may hold; None where it holds all, or none.
        until: The first one after those.
    """

    path: str
    first: date | None = None
    until: date | None = None

    @classmethod
    def of_path(cls, path: str) -> MartPart:
        """Return the part that lies in a file."""
        if path in {PART, NO_ROWS}:
            return cls(path)
        month, name = path.removeprefix("month=").split("/")
        if name == PART:
            return cls.of_month(date.fromisoformat(f"{month}-01"))
        return cls.of_day(date.fromisoformat(name.removesuffix(".parquet")))

    @classmethod
    def of_month(cls, period: date) -> MartPart:
        """Return the file of a whole month."""
        first = period.replace(day=1)
        until = (first + timedelta(days=32)).replace(day=1)
        return cls(f"month={first:%Y-%m}/{PART}", first, until)

    @classmethod
    def of_day(cls, period: date) -> MartPart:
        """Return the file of a day, among the others of its month."""
        path = f"month={period:%Y-%m}/{period.isoformat()}.parquet"
        return cls(path, period, period + timedelta(days=1))

    def condition(self, column: str | None) -> str:
        """Return the rows of the table that belong into the file, as SQL."""
        if column is None:
            return "true"
        if self.first is None or self.until is None:
            return "false"
        return f"{column} >= date '{self.first}' and {column} < date '{self.until}'"


def tables_of(db: duckdb.DuckDBPyConnection) -> list[MartTable]:
    """Return the tables that people read, of an open work file, by name."""
    columns: dict[str, list[MartColumn]] = {}
    found = db.execute(
        """
        select table_name, column_name, data_type, coalesce(comment, '')
        from duckdb_columns()
        where schema_name = 'main' and not internal and database_name = current_database()
        order by table_name, column_index
        """
    ).fetchall()
    for table, name, kind, description in found:
        columns.setdefault(table, []).append(
            MartColumn(name=name, type=kind, description=description)
        )
    rows = db.execute(
        "select table_name, coalesce(comment, '') from duckdb_tables() "
        "where schema_name = 'main' and database_name = current_database() order by table_name"
    ).fetchall()
    return [
        MartTable(name=name, columns=tuple(columns[name]), description=description)
        for name, description in rows
    ]


def write_catalogue(folder: Path, tables: Iterable[MartTable]) -> None:
    """Write the description of all tables, unless it stands there already."""
    path = folder / CATALOGUE
    text = json.dumps([asdict(one) for one in tables], indent=1, ensure_ascii=False) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    with staged(path) as file:
        file.write_text(text, encoding="utf-8")


def read_catalogue(folder: Path) -> list[MartTable]:
    """Return the exported tables; none when nothing was exported yet."""
    path = folder / CATALOGUE
    if not path.exists():
        return []
    return [
        MartTable(
            name=one["name"],
            description=one["description"],
            columns=tuple(MartColumn(**column) for column in one["columns"]),
        )
        for one in json.loads(path.read_text(encoding="utf-8"))
    ]
