"""Where in a file the instants, the points and the values stand.

Here belongs what is recognised of a file without a mapping: the delimiter, the line of names below
a header block, the columns of time, wide or long, and Wattics' own CSV, which has no names at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from energy_platform.sources.files.cells import (
    DELIMITERS,
    PARQUET_SUFFIXES,
    TEXT_SUFFIXES,
    Cell,
    Column,
    Rows,
    columns_of,
    columns_of_parquet,
    rows_of_text,
    rows_of_workbook,
    text_of,
)
from energy_platform.sources.files.errors import RefusedFileError
from energy_platform.sources.files.numbers import MISSING, looks_like_number
from energy_platform.sources.files.stamps import is_date, is_stamp, is_time
from energy_platform.transforms.units import is_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from energy_platform.sources.files.mapping import Mapping

LOOKED_AT: Final = 200
"""Rows in which the first line of data is looked for: header blocks of loggers are shorter."""

LISTED: Final = 12
"""Names of columns that a message lists."""

PROVING: Final = 20
"""Lines of data that decide between delimiters."""

TIME_WORDS: Final = frozenset(
    {"time", "timestamp", "datetime", "date", "zeit", "zeitstempel", "datum", "uhrzeit", "at"}
    | {"heure", "horodatage", "horodate", "fecha", "hora", "data", "ora", "tijd", "ts", "epoch"}
    | {"tsiso8601", "instant", "unix"}
)
POINT_WORDS: Final = frozenset(
    {"point", "channel", "kanal", "meter", "metercode", "tag", "variable", "register", "sensor"}
    | {"messstelle", "datenpunkt", "zaehler", "zähler", "zählpunkt", "name", "series", "serie"}
    | {"parameter", "compteur", "voie", "obis", "id"}
)
VALUE_WORDS: Final = frozenset(
    {"value", "wert", "messwert", "reading", "valeur", "valore", "valor", "stand", "amount"}
    | {"zählerstand", "zaehlerstand", "index", "waarde"}
)
UNIT_WORDS: Final = frozenset({"unit", "units", "einheit", "unité", "unite", "unità", "unidad"})

ELECTRICITY_FIELDS: Final = (
    *(
        (f"{name}_{phase}", unit)
        for name, unit in (("aP", "W"), ("rP", "var"), ("apP", "VA"))
        for phase in (1, 2, 3)
    ),
    *(
        (f"{name}_{phase}", unit)
        for name, unit in (("v", "V"), ("c", "A"), ("pC", "Wh"))
        for phase in (1, 2, 3)
    ),
    *((name, "V") for name in ("v_12", "v_13", "v_23")),
)
"""Columns of Wattics' CSV of electricity, which has no line of names, and their units (Wattics
data collection, section 3, in the order of their own upload program)."""

UPLOAD_CSV: Final = "Wattics CSV"
"""How that layout is called in messages."""

_UPLOAD_STAMP: Final = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
_BRACKETS: Final = re.compile(r"[\[(]\s*([^\])]+?)\s*[\])]\s*$")
_ALSO_WORDS: Final = frozenset({"min", "count", "sec", "COUNT", "MINUTE", "HOUR", "DAY", "NONE"})
"""Units that end names of other things ("T min"); like single letters ("Phase A") they count as
units in brackets only."""
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Layout:
    """Columns of a file and what each is for.

    Attributes:
        names: Name of each column.
        columns: Its cells.
        lines: Number of each row in the file.
        times: Positions of the instant, or of date and time.
        points: Positions of the columns of values.
        point: Position of the column that names the point; None in a wide file.
        unit: Position of the column that names the unit; None without.
        units: Unit by column, where a line of units or the format itself says one.
        delimiter: Of a text; empty for others.
        shape: What the file was taken for, for display.
    """

    names: Sequence[str]
    columns: Sequence[Column]
    lines: pl.Series
    times: tuple[int, ...]
    points: tuple[int, ...]
    point: int | None
    unit: int | None
    units: dict[int, str]
    delimiter: str
    shape: str


def read_layout(data: bytes, *, suffix: str, mapping: Mapping) -> Layout:
    """Find out where everything stands in a file.

    Args:
        data: Its bytes.
        suffix: Ending of its name, such as ``.csv``.
        mapping: What is known of it.

    Raises:
        RefusedFileError: It cannot be read, or holds no data that can be told.
    """
    if suffix in PARQUET_SUFFIXES:
        names, columns, lines = columns_of_parquet(data)
        return _assigned(_Body([one.strip() for one in names], columns, lines), mapping)
    if suffix in TEXT_SUFFIXES:
        text = text_of(data, encoding=mapping.encoding)
        delimiter = mapping.delimiter or _delimiter(text, mapping)
        rows = rows_of_text(text, delimiter=delimiter)
    else:
        delimiter = ""
        rows = rows_of_workbook(data, sheet=mapping.sheet)
    if not rows.rows:
        raise RefusedFileError("is empty")
    return replace(_assigned(_body(rows, mapping, delimiter), mapping), delimiter=delimiter)


@dataclass(frozen=True)
class _Body:
    names: list[str]
    columns: list[Column]
    lines: pl.Series
    units: Sequence[str] = ()
    is_upload: bool = False


def _delimiter(text: str, mapping: Mapping) -> str:
    """Return the delimiter that makes the most lines of data, and then the most cells."""
    best, chosen = (0, 0), ""
    for delimiter in DELIMITERS:
        try:
            rows = rows_of_text(text, delimiter=delimiter, most=LOOKED_AT + PROVING).rows
        except RefusedFileError:
            continue
        data = [row for row in rows if _is_data(row, mapping)][:PROVING]
        score = (len(data), max(map(len, data), default=0))
        if score > best:
            best, chosen = score, delimiter
    if not chosen:
        raise RefusedFileError(
            "no line begins with a time and has a value (tried ; tab | and , between cells); say "
            "delimiter, time_column and time_format in the mapping"
        )
    return chosen


def _is_data(row: Sequence[Cell], mapping: Mapping) -> bool:
    """Say whether a row is one of data: a date and a number, in any columns."""
    if mapping.time_format is not None:
        # Only the mapping knows what its stamps look like.
        return len(row) > 1 and any(_is_number(cell) for cell in row[1:])
    has_stamp = any(is_stamp(cell) or _is_compact(cell) for cell in row)
    return has_stamp and any(_is_number(cell) or _is_missing(cell) for cell in row[1:] or ())


def _is_compact(cell: Cell) -> bool:
    return (
        isinstance(cell, str)
        and re.fullmatch(r"(19|20)\d{6}(?:[T _-]?\d{4,6})?", cell.strip()) is not None
    )


def _is_number(cell: Cell) -> bool:
    if isinstance(cell, str):
        return looks_like_number(cell)
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def _is_missing(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in MISSING | {""})


def _shown(cell: Cell) -> str:
    return "" if cell is None else " ".join(str(cell).split())


def _body(rows: Rows, mapping: Mapping, delimiter: str) -> _Body:
    """Part the lines of data from what stands above them."""
    if mapping.header_row:
        above = [n for n, line in enumerate(rows.lines) if line <= mapping.header_row]
        if not above or rows.lines[above[-1]] != mapping.header_row:
            raise RefusedFileError(
                f"line {mapping.header_row}, the header_row of the mapping, is empty"
            )
        return _with_names(rows, above[-1])
    first = next((n for n, row in enumerate(rows.rows[:LOOKED_AT]) if _is_data(row, mapping)), None)
    if first is None:
        raise RefusedFileError(
            f"the first {LOOKED_AT} lines hold no date with a value beside it; say header_row, "
            "time_column and time_format in the mapping"
        )
    if mapping.header:
        width = max(len(row) for row in rows.rows[first : first + PROVING])
        if width > len(mapping.header):
            raise RefusedFileError(
                f"line {rows.lines[first]} has {width} cells, header in the mapping names "
                f"{len(mapping.header)}"
            )
        columns, lines = columns_of(rows, first=first, width=len(mapping.header))
        return _Body(list(mapping.header), columns, lines)
    if mapping.header_row is None and first > 0:
        name_row = _name_row(rows, first)
        if name_row is not None:
            return _with_names(rows, name_row, first=first)
    return _without_names(rows, first, delimiter)


def _name_row(rows: Rows, first: int) -> int | None:
    """Return the row of column names above the data; None where there is none."""
    for number in (first - 1, first - 2):
        if number < 0:
            return None
        row = rows.rows[number]
        filled = [_shown(cell) for cell in row if not _is_missing(cell)]
        is_units = filled and all(_unit_in(one) is not None for one in filled)
        if is_units and number == first - 1:
            continue
        is_names = len(filled) > 1 and not any(
            looks_like_number(one) or is_stamp(one) for one in filled
        )
        return number if is_names else None
    return None


def _with_names(rows: Rows, number: int, *, first: int | None = None) -> _Body:
    names = [_shown(cell) for cell in rows.rows[number]]
    start = number + 1 if first is None else first
    if (
        start < len(rows.rows)
        and first is None
        and not any(_is_number(c) for c in rows.rows[start])
    ):
        filled = [_shown(c) for c in rows.rows[start] if not _is_missing(c)]
        start += bool(filled) and all(_unit_in(one) is not None for one in filled)
    width = max([len(names), *(len(row) for row in rows.rows[start : start + PROVING])])
    names += [""] * (width - len(names))
    units = [_shown(cell) for cell in rows.rows[start - 1]] if start - 1 > number else []
    columns, lines = columns_of(rows, first=start, width=width)
    return _Body(names, columns, lines, units)


def _without_names(rows: Rows, first: int, delimiter: str) -> _Body:
    """Name the columns of a file that names none: a single value, or Wattics' own."""
    width = max(len(row) for row in rows.rows[first : first + PROVING])
    columns, lines = columns_of(rows, first=first, width=width)
    stamp = _shown(rows.rows[first][0])
    if (
        first == 0
        and delimiter == ","
        and width == 1 + len(ELECTRICITY_FIELDS)
        and _UPLOAD_STAMP.fullmatch(stamp)
    ):
        names = [name for name, _ in ELECTRICITY_FIELDS]
        units = ["", *(unit for _, unit in ELECTRICITY_FIELDS)]
        return _Body(["timestamp", *names], columns, lines, units, is_upload=True)
    if width == 2:  # noqa: PLR2004 - an instant and its value
        return _Body(["timestamp", "value"], columns, lines)
    raise RefusedFileError(
        f"has {width} columns and no line that names them; say header: [time, …] in the mapping"
    )


def _assigned(body: _Body, mapping: Mapping) -> Layout:
    """Say what each column is for."""
    names = body.names
    times = _times(body, mapping)
    others = [n for n in range(len(names)) if n not in times]
    point = _position(names, mapping.point_column, "point_column")
    value = _position(names, mapping.value_column, "value_column")
    unit = _position(names, mapping.unit_column, "unit_column")
    numeric = [n for n in others if _holds_numbers(body.columns[n])]
    if point is None and mapping.layout != "wide" and not body.is_upload:
        point = _point_column(body, others, numeric, stated=mapping.layout == "long")
    if mapping.layout == "long" and point is None:
        raise RefusedFileError(
            f"no column names the points of a long file (columns: {_listed(names)}); say "
            "point_column in the mapping"
        )
    units = {n: one for n, one in enumerate(body.units) if one and _unit_in(one) is not None}
    if point is None:
        wide = _wide_columns(names, others, numeric, mapping)
        shape = UPLOAD_CSV if body.is_upload else "wide" if len(wide) > 1 else "one series"
        return Layout(names, body.columns, body.lines, times, wide, None, None, units, "", shape)
    rest = [n for n in numeric if n != point]
    if value is None:
        named = [n for n in rest if _is_called(names[n], VALUE_WORDS)]
        candidates = named or rest
        if len(candidates) != 1:
            raise RefusedFileError(
                f"which column holds the values of a long file is not told (columns: "
                f"{_listed(names)}); say value_column in the mapping"
            )
        value = candidates[0]
    if unit is None:
        unit = next(
            (n for n in others if n not in {point, value} and _is_called(names[n], UNIT_WORDS)),
            None,
        )
    return Layout(names, body.columns, body.lines, times, (value,), point, unit, units, "", "long")


def _wide_columns(
    names: Sequence[str], others: Sequence[int], numeric: Sequence[int], mapping: Mapping
) -> tuple[int, ...]:
    if mapping.points:
        known = {name: n for n, name in enumerate(names)}
        if gone := [name for name in mapping.points if name not in known]:
            raise RefusedFileError(
                f"has no column {', '.join(map(repr, gone))}, which the mapping names; it has "
                f"{_listed(names)}"
            )
        return tuple(known[name] for name in mapping.points)
    found = [n for n in numeric if n in others]
    if not found:
        raise RefusedFileError(f"no column holds numbers (columns: {_listed(names)})")
    if nameless := [n + 1 for n in found if not names[n]]:
        raise RefusedFileError(
            f"column {nameless[0]} holds numbers and has no name; say header in the mapping"
        )
    shown = [names[n] for n in found]
    if twice := sorted({name for name in shown if shown.count(name) > 1}):
        raise RefusedFileError(
            f"two columns are called {twice[0]!r}; say header with other names in the mapping"
        )
    return tuple(found)


def _times(body: _Body, mapping: Mapping) -> tuple[int, ...]:
    if mapping.time_column:
        found = (_position(body.names, one, "time_column") for one in mapping.time_column)
        return tuple(n for n in found if n is not None)
    heads = [_head(column) for column in body.columns]
    if mapping.time_format is not None:
        called = [n for n, name in enumerate(body.names) if _is_called(name, TIME_WORDS)]
        return (called[0] if called else 0,)
    for number, head in enumerate(heads):
        if not _most(head, is_stamp) and not (
            _most(head, _is_compact) and (number == 0 or _is_called(body.names[number], TIME_WORDS))
        ):
            continue
        if _most(head, is_date):
            for clock in (number + 1, number - 1):
                if 0 <= clock < len(heads) and _most(heads[clock], is_time):
                    return number, clock
        return (number,)
    raise RefusedFileError(
        f"no column holds times (columns: {_listed(body.names)}); say time_column and time_format "
        "in the mapping"
    )


def _point_column(
    body: _Body, others: Sequence[int], numeric: Sequence[int], *, stated: bool
) -> int | None:
    """Return the column that names the point of each line; None where there is none."""
    if len(others) < 2:  # noqa: PLR2004 - a point and a value
        return None
    texts = [
        n
        for n in others
        if n not in numeric or body.columns[n].number.null_count() == len(body.columns[n])
    ]
    named = [n for n in texts if _is_called(body.names[n], POINT_WORDS)]
    values = [n for n in numeric if n not in named]
    is_one_value = len(values) == 1 or any(_is_called(body.names[n], VALUE_WORDS) for n in values)
    if named and is_one_value:
        return named[0]
    is_nameless = not any(body.names)
    return texts[0] if texts and (stated or is_nameless) else None


def _head(column: Column) -> list[Cell]:
    head = column.shown()[:LOOKED_AT].drop_nulls().to_list()
    moments = column.moment[:LOOKED_AT].drop_nulls()
    if moments.len():
        return list(moments.to_list())
    if column.instant[:LOOKED_AT].drop_nulls().len():
        return [*column.instant[:LOOKED_AT].drop_nulls().to_list()]
    return list(head)


def _most(head: Sequence[Cell], holds: object) -> bool:
    """Say whether more than half of some cells are of a kind."""
    return bool(head) and sum(map(holds, head)) * 2 > len(head)  # type: ignore[call-overload]


def _holds_numbers(column: Column) -> bool:
    if column.number.null_count() < len(column.number):
        return True
    texts = column.text.drop_nulls()
    values = [one for one in texts[:LOOKED_AT].to_list() if one.lower() not in MISSING]
    return bool(values) and sum(map(looks_like_number, values)) * 2 > len(values)


def _position(names: Sequence[str], name: str | None, key: str) -> int | None:
    if name is None:
        return None
    if name in names:
        return list(names).index(name)
    raise RefusedFileError(
        f"has no column {name!r}, the {key} of the mapping; it has {_listed(names)}"
    )


def _is_called(name: str, words: frozenset[str]) -> bool:
    return any(word.lower() in words for word in _WORD.findall(name))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name or "(no name)" for name in names[:LISTED])
    return f"{shown}, …" if len(names) > LISTED else shown


def unit_of(name: str) -> str | None:
    """Return the unit that stands in a column's name.

    Example:
        >>> [unit_of(name) for name in ("Wirkarbeit [kWh]", "E_total kWh", "Phase A", "I [A]")]
        ['kWh', 'kWh', None, 'A']
    """
    match = _BRACKETS.search(name)
    if match is not None:
        return match[1] if is_known(match[1]) else None
    last = re.split(r"[\s_]+", name.strip())[-1]
    return last if len(last) > 1 and last not in _ALSO_WORDS and is_known(last) else None


def _unit_in(text: str) -> str | None:
    plain = text.strip("[]() ")
    return plain if is_known(plain) and not plain.isdigit() else None
