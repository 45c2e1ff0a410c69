"""A process that writes day files, for tests of what several do, or one that is killed.

``python -m energy_platform_tests.lake.catalogue_writer ROOT URL WRITER KILLED``: with KILLED
``rename`` it dies between a file's rename and its row, with ``row`` before the row is committed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final, NoReturn

import polars as pl
from pydantic import SecretStr

from energy_platform.lake import day_files
from energy_platform.lake.day_files import DayFiles
from energy_platform.lake.lake import Lake
from energy_platform.schemas import CORE_REGISTER_REJECTS

TABLE: Final = CORE_REGISTER_REJECTS
DAYS: Final = [f"2026-03-{number:02}" for number in range(1, 7)]


def rows(value: float) -> pl.DataFrame:
    """Return a day's rows: one, with the value."""
    row = {"point_id": ["p"], "at": ["2026-03-01T12:00:00Z"], "value_wh": [value]}
    frame = pl.DataFrame(row).with_columns(pl.col("at").str.to_datetime(time_zone="UTC"))
    missing = [name for name in TABLE.schema if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None).alias(name) for name in missing)
    return frame.select(pl.col(name).cast(dtype) for name, dtype in TABLE.schema.items())


def main() -> None:
    """Write each day once, or die with the first."""
    root, url, writer, killed = sys.argv[1:]
    lake = Lake(Path(root), catalogue_url=SecretStr(url) if url else None)
    place: object = {"rename": DayFiles, "row": day_files}.get(killed)
    if place is not None:
        setattr(place, {"rename": "note", "row": "_current_version"}[killed], _die)
    for number, day in enumerate(DAYS):
        lake.write(TABLE, rows(int(writer) * 1000.0 + number), day=day)


def _die(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


if __name__ == "__main__":
    main()
