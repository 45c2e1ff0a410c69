"""The tables of dropped files: the day table, and the snapshots of loggers and their points.

Contracts only; what fills them is in ``pull``, what reads them in ``readings`` and ``discovery``.
"""

from __future__ import annotations

from typing import Final

from energy_platform.schemas import (
    F64,
    I64,
    RAW_VALUE,
    TEXT,
    Table,
    column,
    instant_column,
    key_column,
)

RAW_FILES_SAMPLES: Final = Table(
    name="raw_files__samples",
    description="Samples of dropped files, one row per logger, point and instant.",
    columns=(
        key_column("device_id", "Logger: the name of its folder in the inbox."),
        key_column("point", "Point: the column's name, or the one the mapping gives it."),
        instant_column("at", "Instant of the sample; local times by the zone that was stated."),
        *RAW_VALUE,
        column("unit", TEXT, "Unit of the mapping, the file's unit column, or the column's name."),
        column("file", TEXT, "Name of the file that said so first."),
        column("line", I64, "Line of that file; of a Parquet file the row."),
    ),
    sort_key=("device_id", "point", "at"),
)

RAW_FILES_LOGGERS: Final = Table(
    name="raw_files__loggers",
    description="Loggers of which files were taken, and what was taken.",
    columns=(
        key_column("id", "Logger: the name of its folder in the inbox."),
        column("name", TEXT, "Name of the mapping; the folder's where it gives none."),
        column("timezone", TEXT, "Clock that was stated for its local times."),
        column("every_s", F64, "Time between two samples that the mapping states.", unit="s"),
        column("files", I64, "Files taken."),
        column("bad_lines", I64, "Lines of these that could not be used."),
        instant_column("first_at", "Earliest sample.", nullable=True),
        instant_column("last_at", "Latest sample.", nullable=True),
    ),
    sort_key=("id",),
    partitioned=False,
)

RAW_FILES_POINTS: Final = Table(
    name="raw_files__points",
    description="Points of the loggers: what the mapping states, and how their numbers behave.",
    columns=(
        key_column("device_id", "Logger."),
        key_column("point", "Point."),
        column("name", TEXT, "Name of the mapping; the point's own where it gives none."),
        column("unit", TEXT, "Unit of the newest file that has the point."),
        column("kind", TEXT, "Kind that the mapping states; null where it states none."),
        column("quantity", TEXT, "Quantity that the mapping states."),
        column("width_s", F64, "Length of an increment's period, as stated.", unit="s"),
        column("stamp", TEXT, "Which end of its period an increment is stamped at, as stated."),
        column("samples", I64, "Samples in all files, those that several files have included."),
        column("step_s", F64, "Usual time between two samples.", unit="s"),
        column("lowest", F64, "Smallest value."),
        column("highest", F64, "Largest value."),
        column("rises", I64, "Steps to a larger value."),
        column("falls", I64, "Steps to a smaller value."),
        column("texts", TEXT, "Texts that stand for values, such as on and off, by commas."),
    ),
    sort_key=("device_id", "point"),
    partitioned=False,
)
