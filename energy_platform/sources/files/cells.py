"""From the bytes of a file to cells: text, numbers, and the dates of a workbook.

Here belongs what a file is made of (encoding, delimiter, sheet, Parquet columns). Which cell is a
header, an instant or a value is the business of ``layout``.
"""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import ParseError

import polars as pl

from energy_platform.sources.files.errors import RefusedFileError

if TYPE_CHECKING:
    from collections.abc import Sequence


Cell = str | float | int | bool | datetime | time | None

TEXT_SUFFIXES: Final = frozenset({".csv", ".txt", ".tsv", ".dat"})
WORKBOOK_SUFFIXES: Final = frozenset({".xlsx", ".xlsm"})
PARQUET_SUFFIXES: Final = frozenset({".parquet", ".pq"})
SUFFIXES: Final = TEXT_SUFFIXES | WORKBOOK_SUFFIXES | PARQUET_SUFFIXES
"""Kinds of files that are read."""

DELIMITERS: Final = (";", "\t", "|", ",")
"""Tried in this order where the file leaves a choice: a comma may also be a decimal one."""

LARGEST_UNPACKED: Final = 2**31
"""Bytes a workbook may unpack to: more is a mistake, or made to fill the memory."""

_NAIVE: Final = pl.Datetime("us")
_INSTANT: Final = pl.Datetime("us", "UTC")

csv.field_size_limit(2**20)


@dataclass(frozen=True)
class Rows:
    """Rows of a text or a sheet.

    Attributes:
        rows: Cells of each row that has any; rows may differ in length.
        lines: Number of each row in its file, counted from 1.
    """

    rows: Sequence[Sequence[Cell]]
    lines: Sequence[int]


@dataclass(frozen=True)
class Column:
    """Cells of one column; of a cell at most one of the four is not null.

    Attributes:
        text: What is a text.
        number: What is a number.
        moment: What is a date of a workbook, on a clock that it does not say.
        instant: What is an instant.
    """

    text: pl.Series
    number: pl.Series
    moment: pl.Series
    instant: pl.Series

    def __len__(self) -> int:
        """Return how many cells there are."""
        return len(self.text)

    @property
    def is_empty(self) -> pl.Series:
        """Say of each cell whether nothing is in it."""
        return (
            self.text.is_null()
            & self.number.is_null()
            & self.moment.is_null()
            & self.instant.is_null()
        )

    def shown(self) -> pl.Series:
        """Return each cell as a text, for display."""
        return pl.select(
            pl.coalesce(
                self.text,
                self.number.cast(pl.String).str.strip_suffix(".0"),
                self.moment.dt.to_string("iso:strict"),
                self.instant.dt.to_string("iso:strict"),
            )
        ).to_series()


def column_of(cells: Sequence[Cell]) -> Column:
    """Return cells of mixed kinds as a column; blanks around texts are taken off."""
    kinds = set(map(type, cells))
    height = len(cells)
    numbers: list[float | None] | None = None
    moments: list[datetime | None] | None = None
    if kinds & {int, float}:
        numbers = [
            float(one) if isinstance(one, (int, float)) and not isinstance(one, bool) else None
            for one in cells
        ]
    if datetime in kinds:
        moments = [one if isinstance(one, datetime) else None for one in cells]
    return Column(
        text=_texts(cells, is_plain=kinds <= {str}),
        number=_filled(numbers, pl.Float64(), height),
        moment=_filled(moments, _NAIVE, height),
        instant=_filled(None, _INSTANT, height),
    )


def _texts(cells: Sequence[Cell], *, is_plain: bool) -> pl.Series:
    texts = cells if is_plain else [_text(one) for one in cells]
    stripped = pl.Series(texts, dtype=pl.String).str.strip_chars()
    return stripped.set(stripped == "", None)


def _text(cell: Cell) -> str | None:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, time):
        # A workbook may keep date and time in two columns.
        return cell.isoformat("seconds")
    return None


def _filled(values: Sequence[object] | None, dtype: pl.DataType, height: int) -> pl.Series:
    if values is None:
        return pl.Series([None], dtype=dtype).new_from_index(0, height)
    return pl.Series(values, dtype=dtype)


def text_of(data: bytes, *, encoding: str | None) -> str:
    """Return the text of a file.

    A byte order mark says the encoding. Without one it is UTF-8 where the bytes are, UTF-16 where
    every second byte is zero, and else cp1252, in which every export of Windows can be read.

    Args:
        data: Bytes of the file.
        encoding: As the mapping says it; None to recognise it.

    Raises:
        RefusedFileError: The bytes are not text.

    >>> text_of("Zähler;kWh".encode("cp1252"), encoding=None)
    'Zähler;kWh'
    """
    chosen = encoding or _encoding_of(data)
    try:
        text = data.decode(chosen)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RefusedFileError(
            f"line {line}: is not {chosen} text ({error.reason}); say encoding: in the mapping"
        ) from error
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise RefusedFileError("is not text: it holds zero bytes; was it cut off while copied?")
    return text


def _encoding_of(data: bytes) -> str:
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return name
    head = data[:4096]
    # Text of digits and signs in UTF-16 has a zero in every second byte.
    if head[1::2].count(0) > len(head) / 4:
        return "utf-16-le"
    if head[0::2].count(0) > len(head) / 4:
        return "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def rows_of_text(text: str, *, delimiter: str, most: int | None = None) -> Rows:
    r"""Split a text into rows of cells; empty lines are left out, but counted.

    Args:
        text: The text.
        delimiter: Between cells.
        most: Rows to read at most; None reads all.

    Raises:
        RefusedFileError: A quotation mark opens and nothing closes it.

    >>> rows_of_text("Time;kWh\n\n2026-03-01;1,5", delimiter=";")
    Rows(rows=[['Time', 'kWh'], ['2026-03-01', '1,5']], lines=[1, 3])
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[list[str]] = []
    lines: list[int] = []
    begins = 1
    try:
        for row in reader:
            if any(cell and not cell.isspace() for cell in row):
                rows.append(row)
                lines.append(begins)
                if most is not None and len(rows) >= most:
                    break
            begins = reader.line_num + 1
    except csv.Error as error:
        raise RefusedFileError(f"line {begins}: {error}") from error
    return Rows(rows, lines)


def rows_of_workbook(data: bytes, *, sheet: str | None) -> Rows:
    """Return the rows of a workbook's sheet: numbers and dates as they are typed.

    Args:
        data: Bytes of an ``.xlsx`` file.
        sheet: Its name; None takes the first one with any cell.

    Raises:
        RefusedFileError: It is not a workbook, is protected, or has no such sheet.
    """
    # Slow to import, and every command and run process reads the sources' tables.
    import openpyxl  # noqa: PLC0415
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(one.file_size for one in packed.infolist()) > LARGEST_UNPACKED:
                raise RefusedFileError("unpacks to more than 2 GiB; split it")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ParseError, ValueError) as error:
        if isinstance(error, RefusedFileError):
            raise
        raise RefusedFileError(
            "is not a workbook that can be read (damaged, protected by a password, or of the old "
            ".xls kind); save it again as .xlsx or CSV"
        ) from error
    try:
        names = [one.title for one in book.worksheets]
        if sheet is not None and sheet not in names:
            raise RefusedFileError(f"has no sheet {sheet!r}; it has {', '.join(names)}")
        for name in [sheet] if sheet is not None else names:
            found = _sheet_rows(book[name])
            if found.rows:
                return found
    except (zipfile.BadZipFile, KeyError, ParseError, EOFError) as error:
        raise RefusedFileError("the workbook is damaged; save it again") from error
    finally:
        book.close()
    return Rows([], [])


def _sheet_rows(sheet: object) -> Rows:
    rows: list[list[Cell]] = []
    lines: list[int] = []
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):  # type: ignore[attr-defined]
        cells = [_plain(cell) for cell in row]
        while cells and cells[-1] is None:
            cells.pop()
        if cells:
            rows.append(cells)
            lines.append(number)
    return Rows(rows, lines)


def _plain(cell: object) -> Cell:
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return datetime.combine(cell, time.min)
    if isinstance(cell, str):
        return cell if cell.strip() else None
    if isinstance(cell, (float, int, bool, datetime, time)):
        return cell
    return None if cell is None else str(cell)


def columns_of(rows: Rows, *, first: int, width: int) -> tuple[list[Column], pl.Series]:
    """Return the columns of the rows from ``first`` on, and the number of each row's line.

    Args:
        rows: The rows.
        first: Where the data begin.
        width: How many columns; what lies beyond is left out.
    """
    body = [
        [*row[:width], *[None] * (width - len(row))] if len(row) != width else row
        for row in rows.rows[first:]
    ]
    lines = pl.Series("line", list(rows.lines[first:]), dtype=pl.Int64)
    if not body:
        return [column_of([]) for _ in range(width)], lines
    return [column_of(cells) for cells in zip(*body, strict=True)], lines


def columns_of_parquet(data: bytes) -> tuple[list[str], list[Column], pl.Series]:
    """Return names and cells of a Parquet file's columns, and the number of each row.

    Raises:
        RefusedFileError: It is not a Parquet file, or a damaged one.
    """
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise RefusedFileError("is not a Parquet file that can be read; write it again") from error
    lines = pl.Series("line", range(1, frame.height + 1), dtype=pl.Int64)
    return frame.columns, [_column_of_series(one) for one in frame.get_columns()], lines


def _column_of_series(series: pl.Series) -> Column:
    height, dtype = len(series), series.dtype
    none = {
        "text": _filled(None, pl.String(), height),
        "number": _filled(None, pl.Float64(), height),
        "moment": _filled(None, _NAIVE, height),
        "instant": _filled(None, _INSTANT, height),
    }
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return Column(**none | {"moment": series.cast(_NAIVE)})
        return Column(**none | {"instant": series.dt.convert_time_zone("UTC").cast(_INSTANT)})
    if dtype == pl.Date:
        return Column(**none | {"moment": series.cast(_NAIVE)})
    if dtype.is_numeric():
        return Column(**none | {"number": series.cast(pl.Float64)})
    if dtype == pl.Boolean:
        texts = series.replace_strict({True: "true", False: "false"}, return_dtype=pl.String)
        return Column(**none | {"text": texts})
    try:
        texts = series.cast(pl.String).str.strip_chars()
    except pl.exceptions.PolarsError:
        return Column(**none)
    return Column(**none | {"text": texts.set(texts == "", None)})
