"""Exports as loggers and portals write them, shortened: real shapes, invented numbers."""

from __future__ import annotations

import io
from datetime import datetime
from typing import TYPE_CHECKING, Any

import openpyxl

from energy_platform.sources.files.mapping import parse_mapping
from energy_platform.sources.files.reader import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.sources.files.reader import FileContent

HEADER_BLOCK = """\
Datenlogger;DL-4711
Seriennummer;00012345
Exportiert;01.03.2025 08:00

Zeitstempel;Zählerstand Bezug [kWh]
01.02.2025 00:15;12.345,6
01.02.2025 00:30;12.346,1
"""

WATTICS = (
    "2025-02-01 00:15:00,1800.5,0,0,600,0,0,1900.1,0,0,230.1,0,0,8.2,0,0,8423692,0,0,399,0,0\n"
    "2025-02-01 00:30:00,1700.5,0,0,500,0,0,1800.1,0,0,230.2,0,0,8.1,0,0,8424122,0,0,399,0,0\n"
)

WATTICS_VALUE = "2025-02-01 00:15:00,55.25\n2025-02-01 00:30:00,56.5\n"

METER_CODES = """\
Timestamp,MeterCode,Value
2025-02-01 00:00:00,GAS-1,4361.45
2025-02-01 00:15:00,GAS-1,4362.01

2025-02-01 00:00:00,ELEC-1,21736.79
"""

AMERICAN = """\
"Date","Time","Main (kWh)","Temp (°C)"
"2/28/2025","11:45 PM","1,234.5","20.5"
"3/1/2025","12:00 AM","1,235.0","n/a"
"""

UNITS_BELOW = "Time\tEnergy\tPower\n\tkWh\tkW\n2025-02-01T00:15:00+01:00\t10\t2\n"


def content(data: bytes | str, mapping: str = "", *, suffix: str = ".csv") -> FileContent:
    """Read a file by a mapping's text."""
    raw = data.encode() if isinstance(data, str) else data
    return read_file(raw, suffix=suffix, mapping=parse_mapping(mapping))


def said(
    data: bytes | str, mapping: str = "", *, suffix: str = ".csv"
) -> list[tuple[str, str, float]]:
    """Read a file; its samples as point, instant in UTC and value."""
    rows = content(data, mapping, suffix=suffix).samples.select("point", "at", "value").rows()
    return [(point, f"{at:%Y-%m-%d %H:%M}", value) for point, at, value in rows]


def workbook(rows: Sequence[Sequence[Any]], *, sheet: str | None = None) -> bytes:
    """Return an XLSX file; with a name, its rows stand in a second sheet."""
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    if sheet is not None:
        page.append(["a cover page"])
        page = book.create_sheet(sheet)
    for row in rows:
        page.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def at(text: str) -> datetime:
    """Return a date of a workbook."""
    return datetime.fromisoformat(text)
