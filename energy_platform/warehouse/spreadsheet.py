"""An extract as a workbook of typed cells, written row by row.

Three sheets: the rows, what their columns mean, and what the figures rest on. Here belongs how a
value becomes a cell; which rows there are is said in ``extract``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from energy_platform.warehouse.errors import ExtractError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from openpyxl.cell.cell import Cell

    from energy_platform.warehouse.extract import Column, Extract

MOST_ROWS: Final = 1_048_575
"""Rows of a sheet below its header (Microsoft, Excel specifications and limits)."""

_WIDEST: Final = 60
_BOLD: Final = Font(bold=True)


def check_fits(extract: Extract, *, rows: int) -> None:
    """Refuse more rows than a sheet holds.

    Raises:
        ExtractError: Says how many there are, and what to do.
    """
    if rows > MOST_ROWS:
        raise ExtractError(
            f"a sheet holds {MOST_ROWS:,} rows and {extract.table} has {rows:,}: choose fewer days "
            "with --from and --to, or write .csv or .parquet"
        )


def write_workbook(
    target: Path,
    extract: Extract,
    rows: Iterable[Sequence[Any]],
    *,
    about: Sequence[tuple[str, str]],
) -> int:
    """Write a workbook, and return how many rows it has; memory does not grow with them.

    Rows beyond a sheet's last one would be lost: ask `check_fits` first.

    Args:
        target: The file; whatever is there is replaced.
        extract: Says where the rows are from, and what their columns are.
        rows: The rows.
        about: What the figures rest on: name and value.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet(extract.table[:31])
    sheet.freeze_panes = "A2"
    for number, column in enumerate(extract.columns, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = _width(column)
    sheet.append([_heading(sheet, column.header) for column in extract.columns])
    count = 0
    for row in rows:
        count += 1
        sheet.append([_cell(sheet, value) for value in row])
    notes = book.create_sheet("columns")
    notes.append([_heading(notes, text) for text in ("column", "unit", "what it says")])
    for column in extract.columns:
        notes.append([_cell(notes, one) for one in (column.name, column.unit, column.description)])
    origin = book.create_sheet("about")
    for name, value in about:
        origin.append([_cell(origin, name), _cell(origin, value)])
    book.save(target)
    return count


def _heading(sheet: Any, text: str) -> Cell:
    cell: Cell = WriteOnlyCell(sheet, text)
    cell.font = _BOLD
    return cell


def _cell(sheet: Any, value: Any) -> Any:
    """Return a value as it is written: typed, and a text as a text, also one like a formula."""
    if not isinstance(value, str):
        return value
    writable = ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", value)
    if not writable.startswith("="):
        return writable
    text: Cell = WriteOnlyCell(sheet, writable)
    text.data_type = "s"
    return text


def _width(column: Column) -> float:
    return min(max(len(column.header) + 2, 12), _WIDEST)
