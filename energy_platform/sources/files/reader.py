"""One file, read whole: samples of its points, and the lines that could not be used.

Pure: bytes and a mapping in, rows out. What becomes of the file is decided by ``intake``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.days import EPOCH_DAY, day_of
from energy_platform.schemas import INSTANT
from energy_platform.sources.columns import deduplicate
from energy_platform.sources.files.errors import RefusedFileError
from energy_platform.sources.files.layout import read_layout, unit_of
from energy_platform.sources.files.mapping import PointMapping
from energy_platform.sources.files.numbers import NumberStyle, is_missing, numbers_of, style_of
from energy_platform.sources.files.stamps import place, read_stamps

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

    from energy_platform.sources.files.cells import Column
    from energy_platform.sources.files.layout import Layout
    from energy_platform.sources.files.mapping import Mapping

SAMPLES: Final = pl.Schema(
    {
        "point": pl.String(),
        "at": INSTANT,
        "value": pl.Float64(),
        "value_text": pl.String(),
        "unit": pl.String(),
        "line": pl.Int64(),
    }
)
"""Columns of what a file gives."""

LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""A stamp beyond is a typo whatever the present is; its day would be a partition."""


class BadLine(NamedTuple):
    """A line, or a cell of one, that could not be used.

    Attributes:
        line: Its number in the file.
        point: The point; empty where the whole line is meant.
        stamp_text: The stamp as it stands there.
        value_text: The value as it stands there.
        reason: Why, and what to do.
        day: UTC day of the line, or of the nearest line above it that has one.
    """

    line: int
    point: str
    stamp_text: str | None
    value_text: str | None
    reason: str
    day: str


@dataclass(frozen=True)
class FileContent:
    """What a file gives.

    Attributes:
        samples: Columns of ``SAMPLES``, one row per point and instant, in that order.
        bad_lines: What could not be used, in the order of the lines.
        duplicates: Rows that repeated another one of the file.
        conflicts: Rows that gave another value for a point and instant of the file.
        shape: What the file was taken for, for display.
        remarks: What somebody should know, one sentence each.
    """

    samples: pl.DataFrame
    bad_lines: tuple[BadLine, ...]
    duplicates: int
    conflicts: int
    shape: str
    remarks: tuple[str, ...] = ()


def read_file(
    data: bytes,
    *,
    suffix: str,
    mapping: Mapping,
    zone: str | None = None,
    latest: datetime | None = None,
) -> FileContent:
    r"""Read a file.

    Args:
        data: Its bytes.
        suffix: Ending of its name, such as ``.csv``.
        mapping: What is known of it; what is not is recognised.
        zone: Clock of stamps without an offset where the mapping says none.
        latest: Stamps beyond are typos; None knows no present.

    Raises:
        RefusedFileError: Nothing of it can be used; the message says why and what to do.

    Example:
        >>> from energy_platform.sources.files.mapping import Mapping
        >>> data = b"Time;Energy (kWh)\n01.02.2025 00:15;12,5\n"
        >>> content = read_file(data, suffix=".csv", mapping=Mapping(timezone="Europe/Paris"))
        >>> content.samples.select("point", "value", "unit").row(0)
        ('Energy (kWh)', 12.5, 'kWh')
        >>> str(content.samples["at"][0])
        '2025-01-31 23:15:00+00:00'
    """
    layout = read_layout(data, suffix=suffix.lower(), mapping=mapping)
    times = [layout.columns[n] for n in layout.times]
    stamps = read_stamps(times, time_format=mapping.time_format, day_first=mapping.day_first)
    series = None if layout.point is None else layout.columns[layout.point].shown()
    placed = place(stamps, zone=mapping.timezone or zone, series=series)
    unread = (placed.at.is_null() & placed.reason.is_null()).alias("unread")
    lines = pl.DataFrame(
        {
            "line": layout.lines,
            "at": placed.at.cast(INSTANT),
            "reason": placed.reason,
            "stamp_text": _shown_stamps(times),
            "unread": unread,
        }
    )
    earliest = datetime.combine(EPOCH_DAY, time.min, tzinfo=UTC)
    sane = pl.col("at").is_between(earliest, latest or LATEST)
    lines = lines.with_columns(
        reason=pl.when(pl.col("reason").is_not_null())
        .then("reason")
        .when(pl.col("unread"))
        .then(pl.lit("no time can be read"))
        .when(~sane)
        .then(pl.lit("lies in the future, or before 2000: a typo, or a clock never set")),
        at=pl.when(sane).then("at"),
    )
    if lines["at"].null_count() == lines.height:
        first = lines["reason"].drop_nulls()
        raise RefusedFileError(
            f"no line has a time that can be used: line {lines['line'][0]}: {first[0]}"
            if lines.height
            else "has names of columns and no line of data"
        )
    values = [layout.columns[n] for n in layout.points]
    style = _style(layout, values, mapping)
    parts, bad = _samples(layout, lines, mapping=mapping, style=style, series=series)
    samples = pl.concat([pl.DataFrame(schema=SAMPLES), *parts])
    one = deduplicate(samples.drop("line"), key=["point", "at"])
    row = [name for name in SAMPLES.names() if name != "line"]
    first_lines = samples.group_by(row).agg(pl.col("line").min())
    days = _days(lines)
    unplaced = lines.filter(pl.col("reason").is_not_null()).select(
        "line",
        pl.lit("").alias("point"),
        "stamp_text",
        pl.lit(None, pl.String()).alias("said"),
        "reason",
    )
    bad_lines = [
        BadLine(line, point, stamp, said, reason, days[line])
        for line, point, stamp, said, reason in pl.concat([unplaced, *bad]).rows()
    ]
    if samples.is_empty() and not bad_lines:
        raise RefusedFileError("holds no value")
    remarks = []
    if placed.by_order:
        remarks.append(
            f"{placed.by_order} lines of the hour that the clock shows twice were told apart by "
            "their order"
        )
    return FileContent(
        samples=one.frame.join(
            first_lines, on=row, how="left", nulls_equal=True, maintain_order="left"
        ).select(SAMPLES.names()),
        bad_lines=tuple(sorted(bad_lines)),
        duplicates=one.duplicates,
        conflicts=one.conflicts,
        shape=layout.shape,
        remarks=tuple(remarks),
    )


def _shown_stamps(times: list[Column]) -> pl.Series:
    shown = [one.shown() for one in times]
    if len(shown) == 1:
        return shown[0]
    return pl.select(pl.concat_str(*shown, separator=" ", ignore_nulls=True)).to_series()


def _style(layout: Layout, values: list[Column], mapping: Mapping) -> NumberStyle:
    if layout.delimiter == "," and mapping.decimal is None and mapping.thousands is None:
        commas = any(one.text.str.contains(",", literal=True).any() for one in values)
        if not commas:
            # Cells are parted by commas: a file with decimal commas has other delimiters.
            return NumberStyle()
    return style_of([one.text for one in values], mapping=mapping)


def _samples(
    layout: Layout,
    lines: pl.DataFrame,
    *,
    mapping: Mapping,
    style: NumberStyle,
    series: pl.Series | None,
) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    parts: list[pl.DataFrame] = []
    bad: list[pl.DataFrame] = []
    for number in layout.points:
        name, column = layout.names[number], layout.columns[number]
        cells = pl.DataFrame(
            {
                "line": lines["line"],
                "at": lines["at"],
                "stamp_text": lines["stamp_text"],
                "said": column.shown(),
                "number": _first(column.number, numbers_of(column.text, style=style)),
                "is_missing": is_missing(column.text, mapping=mapping) & column.number.is_null(),
            }
        ).filter(pl.col("at").is_not_null())
        usable = lines["at"].is_not_null()
        if series is None:
            spec = mapping.points.get(name, PointMapping())
            unit = spec.unit or layout.units.get(number) or unit_of(name)
            cells = cells.with_columns(
                point=pl.lit(mapping.key_of(name)),
                unit=pl.lit(unit, pl.String()),
                is_state=pl.lit(spec.kind == "state"),
            ).filter(~pl.col("is_missing"))
        else:
            cells = _long(cells, layout, series.filter(usable), usable, mapping=mapping)
        good = pl.col("number").is_not_null() | (pl.col("is_state") & pl.col("said").is_not_null())
        good &= pl.col("point").is_not_null()
        parts.append(
            cells.filter(good).select(
                "point",
                "at",
                pl.when(~pl.col("is_state")).then("number").alias("value"),
                pl.when("is_state").then("said").alias("value_text"),
                "unit",
                "line",
            )
        )
        bad.append(
            cells.filter(~good).select(
                "line",
                pl.col("point").fill_null(""),
                "stamp_text",
                "said",
                pl.when(pl.col("point").is_null())
                .then(pl.lit("no point is named"))
                .when(pl.col("is_missing"))
                .then(pl.lit("no value"))
                .otherwise(pl.format("{} is not a number", pl.col("said")))
                .alias("reason"),
            )
        )
    return parts, bad


def _long(
    cells: pl.DataFrame,
    layout: Layout,
    names: pl.Series,
    usable: pl.Series,
    *,
    mapping: Mapping,
) -> pl.DataFrame:
    """Give each line of a long file its point and unit."""
    units = (
        pl.Series([None], dtype=pl.String).new_from_index(0, cells.height)
        if layout.unit is None
        else layout.columns[layout.unit].text.filter(usable)
    )
    cells = cells.with_columns(name=names, said_unit=units)
    if mapping.points:
        cells = cells.filter(pl.col("name").is_in(list(mapping.points)) | pl.col("name").is_null())
    known: Dict[str, PointMapping] = mapping.points
    seen = [one for one in cells["name"].unique(maintain_order=True).to_list() if one is not None]
    table = pl.DataFrame(
        [
            (one, mapping.key_of(one), spec.unit, unit_of(one), spec.kind == "state")
            for one in seen
            for spec in (known.get(one, PointMapping()),)
        ],
        schema={
            "name": pl.String(),
            "point": pl.String(),
            "stated": pl.String(),
            "in_name": pl.String(),
            "is_state": pl.Boolean(),
        },
        orient="row",
    )
    value_unit = layout.units.get(layout.points[0]) or unit_of(layout.names[layout.points[0]])
    return cells.join(table, on="name", how="left", maintain_order="left").with_columns(
        unit=pl.coalesce("stated", "said_unit", "in_name", pl.lit(value_unit, pl.String())),
        is_state=pl.col("is_state").fill_null(value=False),
    )


def _first(one: pl.Series, other: pl.Series) -> pl.Series:
    return pl.select(pl.coalesce(one, other)).to_series()


def _days(lines: pl.DataFrame) -> dict[int, str]:
    """Return the UTC day of each line: its own, or that of the nearest one that has any."""
    filled = lines.select("line", pl.col("at").forward_fill().backward_fill())
    return {line: day_of(at) for line, at in filled.rows() if at is not None}
