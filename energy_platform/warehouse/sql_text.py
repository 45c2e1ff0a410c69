"""Names and texts as SQL, and the views that clients without time zones can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def quoted(name: str) -> str:
    """Return a name as SQL.

    >>> print(quoted('a "b" c'))
    "a ""b"" c"
    """
    return '"' + name.replace('"', '""') + '"'


def as_literal(text: str) -> str:
    """Return a text as SQL.

    >>> as_literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def take_over(table: str, *, rows: str, key: str) -> str:
    """Return statements that let a table hold the rows of another; only what differs is written.

    Args:
        table: The table.
        rows: The other one, with the same columns.
        key: Columns that tell rows apart, never null.

    >>> print(take_over("t", rows="new", key="a, b"))
    delete from t where (a, b) in (select a, b from (from t except from new));
    insert into t from (from new except from t);
    """
    gone = f"select {key} from (from {table} except from {rows})"  # noqa: S608
    return (
        f"delete from {table} where ({key}) in ({gone});\n"  # noqa: S608
        f"insert into {table} from (from {rows} except from {table});"
    )


def utc_view(table: str, *, instants: Iterable[str]) -> str:
    """Return the statement that makes a table readable for clients without time zones.

    DuckDB's Python client needs pytz to fetch TIMESTAMPTZ. The view has the same columns, instants
    as TIMESTAMP in UTC; ``make_timestamp`` and ``epoch_us`` need no extension.

    Args:
        table: A table or view of the schema ``main``.
        instants: Its columns of type TIMESTAMPTZ.

    >>> utc_view("t", instants=["at"])
    'create view utc."t" as select * replace (make_timestamp(epoch_us("at")) as "at") from main."t"'
    """
    plain = ", ".join(
        f"make_timestamp(epoch_us({quoted(one)})) as {quoted(one)}" for one in instants
    )
    replaced = f" replace ({plain})" if plain else ""
    return f"create view utc.{quoted(table)} as select *{replaced} from main.{quoted(table)}"  # noqa: S608
