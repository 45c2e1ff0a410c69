"""Instants as loggers write them, and the clock they were written by.

A stamp without an offset is local time, and needs the zone that the mapping (or FILES_TIMEZONE)
states. Of the hour that is there twice in autumn the order of the lines tells which is which;
where it does not, and of the hour that is not there in spring, the line is set aside with its
reason. Nothing is guessed.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.sources.files.errors import RefusedFileError
from energy_platform.sources.files.mapping import offset_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.sources.files.cells import Column

_NAIVE: Final = pl.Datetime("us")
_INSTANT: Final = pl.Datetime("us", "UTC")

_DATE: Final = r"(?P<a>\d{4}|\d{1,2})(?P<sep>[./-])(?P<b>\d{1,2})[./-](?P<c>\d{4}|\d{2})"
_CLOCK: Final = (
    r"(?P<h>\d{1,2})[:.](?P<mi>\d{2})(?:[:.](?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"(?:\s?(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_ZONE: Final = r"(?:\s?(?P<zone>Z|z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2}))?"
_WHOLE: Final = rf"^(?:{_DATE})(?:(?:T|t|,? +){_CLOCK}{_ZONE})?$"
_COMPACT: Final = (
    r"^(?P<a>\d{4})(?P<b>\d{2})(?P<c>\d{2})"
    r"(?:[T _-]?(?P<h>\d{2}):?(?P<mi>\d{2})(?::?(?P<s>\d{2}))?)?$"
)
_TIME_ONLY: Final = rf"^{_CLOCK}{_ZONE}$"
_DATE_ONLY: Final = rf"^(?:{_DATE}|\d{{8}})$"

_WHOLE_STAMP: Final = re.compile(_WHOLE)
_JUST_TIME: Final = re.compile(_TIME_ONLY)
_JUST_DATE: Final = re.compile(_DATE_ONLY)

EXCEL_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - on the clock of the workbook
"""Day 0 of a workbook's numbers."""


_NEAR: Final = timedelta(milliseconds=5)
"""A workbook's times are fractions of a day: sums of quarter hours miss the second by less."""

FORMATS: Final = frozenset({"epoch", "epoch_ms", "excel"})
"""Formats of stamps that are numbers."""


class Stamps(NamedTuple):
    """Stamps of lines, each on a clock or an instant; null in both is none.

    Attributes:
        moment: On a clock that the file does not say.
        instant: Where the file says the offset.
    """

    moment: pl.Series
    instant: pl.Series


class Placed(NamedTuple):
    """Instants of lines.

    Attributes:
        at: The instant; null where there is none.
        reason: Why a stamp is not an instant; null where it is, or where there was no stamp.
        by_order: Stamps of the hour that is there twice, told apart by the order of the lines.
    """

    at: pl.Series
    reason: pl.Series
    by_order: int


def is_stamp(cell: object) -> bool:
    """Say whether a cell can be a date, with or without a time.

    Example:
        >>> is_stamp("01.02.2025 00:15"), is_stamp("2025-02-01T00:15:00Z"), is_stamp("12,5")
        (True, True, False)
    """
    if isinstance(cell, datetime):
        return True
    return isinstance(cell, str) and _WHOLE_STAMP.match(cell.strip()) is not None


def is_date(cell: object) -> bool:
    """Say whether a cell is a date without a time.

    >>> is_date("2026-03-01"), is_date("2026-03-01 12:00")
    (True, False)
    """
    if isinstance(cell, datetime):
        return cell.time() == datetime.min.time()
    return isinstance(cell, str) and _JUST_DATE.match(cell.strip()) is not None


def is_time(cell: object) -> bool:
    """Say whether a cell is a time of day.

    >>> is_time("12:00"), is_time("2026-03-01")
    (True, False)
    """
    return not isinstance(cell, datetime) and (
        _JUST_TIME.match(str(cell).strip()) is not None if cell is not None else False
    )


def read_stamps(
    columns: Sequence[Column], *, time_format: str | None = None, day_first: bool | None = None
) -> Stamps:
    """Read a column of stamps, or one of dates and one of times.

    Args:
        columns: One column, or two.
        time_format: As the mapping says it.
        day_first: As the mapping says it.

    Raises:
        RefusedFileError: Days and months cannot be told apart, or the format is none.
    """
    if len(columns) > 1:
        columns = [_joined(columns[0], columns[1])]
    column = columns[0]
    if time_format in FORMATS:
        return _of_numbers(column, time_format=time_format)
    if time_format is not None:
        read = _by_format(column.text, time_format)
    else:
        read = _recognised(column.text, day_first=day_first)
    moment = _first(read.moment, _on_the_second(column.moment))
    return Stamps(moment, _first(read.instant, column.instant))


def _first(one: pl.Series, other: pl.Series) -> pl.Series:
    return pl.select(pl.coalesce(one, other)).to_series()


def _joined(dates: Column, times: Column) -> Column:
    day = _first(dates.text, dates.moment.dt.to_string("%Y-%m-%d"))
    # A workbook types a time of day as one of the day 0, or as a time alone.
    clock = _first(times.text, times.moment.dt.to_string("%H:%M:%S"))
    both = pl.select(pl.concat_str(day, clock, separator=" ")).to_series()
    none = dates.number.clear(len(day))
    return type(dates)(
        text=both,
        number=none,
        moment=pl.Series([None], dtype=_NAIVE).new_from_index(0, len(day)),
        instant=pl.Series([None], dtype=_INSTANT).new_from_index(0, len(day)),
    )


def _on_the_second(moment: pl.Series) -> pl.Series:
    rounded = moment.dt.round("1s")
    frame = pl.DataFrame({"said": moment, "rounded": rounded})
    near = (pl.col("said") - pl.col("rounded")).abs() <= _NEAR
    return frame.select(pl.when(near).then("rounded").otherwise("said")).to_series()


def _of_numbers(column: Column, *, time_format: str) -> Stamps:
    number = _first(column.number, column.text.cast(pl.Float64, strict=False))
    nothing = pl.Series([None], dtype=_INSTANT).new_from_index(0, len(number))
    if time_format == "excel":
        microseconds = (number * 86_400_000_000).round(0).cast(pl.Int64, strict=False)
        days = (
            pl.DataFrame({"us": microseconds})
            .select(pl.lit(EXCEL_EPOCH) + pl.duration(microseconds="us"))
            .to_series()
        )
        return Stamps(_on_the_second(_first(days.cast(_NAIVE), column.moment)), nothing)
    scale = 1_000_000 if time_format == "epoch" else 1000
    us = (number * scale).round(0).cast(pl.Int64, strict=False)
    nowhere = pl.Series([None], dtype=_NAIVE).new_from_index(0, len(number))
    return Stamps(nowhere, us.cast(_NAIVE).dt.replace_time_zone("UTC"))


def _by_format(texts: pl.Series, time_format: str) -> Stamps:
    has_offset = "%z" in time_format or "%:z" in time_format or "%#z" in time_format
    try:
        read = texts.str.to_datetime(
            time_format,
            time_unit="us",
            time_zone="UTC" if has_offset else None,
            strict=False,
            exact=True,
        )
    except pl.exceptions.PolarsError as error:
        raise RefusedFileError(
            f"time_format {time_format!r} in the mapping is not a format of an instant such as "
            "%d.%m.%Y %H:%M"
        ) from error
    if has_offset:
        return Stamps(pl.Series([None], dtype=_NAIVE).new_from_index(0, len(texts)), read)
    return Stamps(read, pl.Series([None], dtype=_INSTANT).new_from_index(0, len(texts)))


def _recognised(texts: pl.Series, *, day_first: bool | None) -> Stamps:
    whole = texts.str.extract_groups(_WHOLE)
    parts = pl.DataFrame({"whole": whole, "compact": texts.str.extract_groups(_COMPACT)})
    field = {
        name: pl.coalesce(pl.col("whole").struct.field(name), pl.col("compact").struct.field(name))
        for name in ("a", "b", "c", "h", "mi", "s")
    } | {name: pl.col("whole").struct.field(name) for name in ("sep", "f", "half", "zone")}
    frame = parts.select(**field)
    number = {name: pl.col(name).cast(pl.Int64, strict=False) for name in ("a", "b", "c")}
    is_year_first = pl.col("a").str.len_chars() == 4  # noqa: PLR2004 - digits of a year
    first_is_day = _is_day_first(frame.filter(~is_year_first), day_first=day_first)
    two_digits = pl.col("c").str.len_chars() == 2  # noqa: PLR2004 - digits of a short year
    short_year = pl.when(two_digits).then(number["c"] + 2000).otherwise(number["c"])
    day, month = ("a", "b") if first_is_day else ("b", "a")
    hour = pl.col("h").cast(pl.Int64, strict=False).fill_null(0)
    afternoon = pl.col("half").str.to_lowercase()
    hour = (
        pl.when(afternoon == "p")
        .then(pl.when(hour < 12).then(hour + 12).otherwise(hour))  # noqa: PLR2004 - noon
        .when((afternoon == "a") & (hour == 12))  # noqa: PLR2004 - midnight
        .then(0)
        .otherwise(hour)
    )
    # The end of a day is written 24:00 by many meters.
    is_end = (hour == 24) & (pl.col("mi") == "00") & (pl.col("s").fill_null("00") == "00")  # noqa: PLR2004
    date_text = pl.concat_str(
        pl.when(is_year_first).then(number["a"]).otherwise(short_year).cast(pl.String),
        pl.when(is_year_first).then(number["b"]).otherwise(number[month]).cast(pl.String),
        pl.when(is_year_first).then(number["c"]).otherwise(number[day]).cast(pl.String),
        separator="-",
    )
    clock_text = pl.concat_str(
        pl.when(is_end).then(0).otherwise(hour).cast(pl.String),
        pl.col("mi").fill_null("00"),
        pl.col("s").fill_null("00"),
        separator=":",
    )
    moment = pl.concat_str(date_text, clock_text, separator=" ").str.to_datetime(
        "%Y-%m-%d %H:%M:%S", time_unit="us", strict=False
    )
    fraction = pl.col("f").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64, strict=False)
    zone = pl.col("zone").str.replace(":", "")
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    digits = zone.str.strip_chars("+-")
    offset = (
        pl.when(zone.is_in(["Z", "z", "UTC", "GMT"]))
        .then(0)
        .otherwise(
            sign
            * (
                digits.str.slice(0, 2).cast(pl.Int64, strict=False) * 60
                + digits.str.slice(2, 2).cast(pl.Int64, strict=False).fill_null(0)
            )
        )
    )
    read = frame.select(
        moment=moment + pl.duration(days=is_end.cast(pl.Int64), microseconds=fraction.fill_null(0)),
        offset=offset,
    )
    return Stamps(
        moment=read.select(pl.when(pl.col("offset").is_null()).then("moment")).to_series(),
        instant=read.select(
            (pl.col("moment") - pl.duration(minutes=pl.col("offset"))).dt.replace_time_zone("UTC")
        ).to_series(),
    )


def _is_day_first(dates: pl.DataFrame, *, day_first: bool | None) -> bool:
    """Say whether dates without the year in front begin with the day.

    Raises:
        RefusedFileError: No date tells.
    """
    if day_first is not None or dates.is_empty():
        return day_first is not False
    # Who parts a date by dots puts the day first, in every country that does.
    by_dots = dates.filter(pl.col("sep") == ".").height == dates.height
    highest = dates.select(pl.col("a", "b").cast(pl.Int64, strict=False).max())
    first, second = highest.row(0)
    most = 12
    if first is not None and first > most and (second is None or second <= most):
        return True
    if by_dots:
        return True
    if second is not None and second > most and first <= most:
        return False
    a, sep, b, c = dates.select("a", "sep", "b", "c").row(0)
    raise RefusedFileError(
        f"{a}{sep}{b}{sep}{c} can be a day of two months, and no other date tells; say "
        "day_first: true or day_first: false in the mapping"
    )


def place(stamps: Stamps, *, zone: str | None, series: pl.Series | None = None) -> Placed:
    """Turn stamps into instants.

    Args:
        stamps: In the order of the lines.
        zone: Clock of the stamps that say no offset.
        series: Which series each line is of, where the lines of several follow one another.

    Raises:
        RefusedFileError: There are stamps without an offset, and no zone.

    >>> from energy_platform.sources.files.cells import column_of
    >>> stamps = read_stamps([column_of(["2026-03-29 01:30", "2026-03-29 02:30"])])
    >>> placed = place(stamps, zone="Europe/Paris")
    >>> [None if at is None else at.isoformat() for at in placed.at]
    ['2026-03-29T00:30:00+00:00', None]
    """
    moment = stamps.moment
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(moment))
    if moment.null_count() == len(moment):
        return Placed(stamps.instant, nothing, 0)
    if zone is None:
        raise RefusedFileError(
            f"its times say no zone (such as {moment.drop_nulls()[0]:%Y-%m-%d %H:%M}); say "
            "timezone: in the mapping, such as Europe/Paris, or +01:00 for a logger that keeps "
            "winter time, or set FILES_TIMEZONE for all loggers"
        )
    offset = timedelta(0) if zone in {"UTC", "Etc/UTC"} else offset_of(zone)
    if offset is not None:
        at = pl.select((moment - offset).dt.replace_time_zone("UTC")).to_series()
        return Placed(_first(stamps.instant, at), nothing, 0)
    clocks = pl.DataFrame({"moment": moment}).select(
        "moment",
        earlier=_on(zone, "earliest"),
        later=_on(zone, "latest"),
        series=pl.lit("") if series is None else series,
    )
    clocks = clocks.with_row_index("row")
    told, unplaced = _told_apart(clocks)
    # When all of the hour was told, each line is one of the two.
    second = pl.col("row").is_in(sorted(told))
    lost = pl.col("row").is_in(sorted(unplaced))
    placed = clocks.select(
        at=pl.when(lost).then(None).when(second).then("later").otherwise("earlier"),
        reason=pl.when(pl.col("moment").is_not_null() & pl.col("earlier").is_null())
        .then(
            pl.format(
                "{} is not there on the clock of {}: it was put forward; a logger that keeps "
                "winter time needs its offset as timezone",
                pl.col("moment").dt.to_string("%Y-%m-%d %H:%M"),
                pl.lit(zone),
            )
        )
        .when(lost)
        .then(
            pl.format(
                "{} is there twice on the clock of {}, and the order of the lines does not tell "
                "which is meant",
                pl.col("moment").dt.to_string("%Y-%m-%d %H:%M"),
                pl.lit(zone),
            )
        ),
    )
    doubled = clocks.filter(pl.col("earlier") != pl.col("later")).height
    return Placed(_first(stamps.instant, placed["at"]), placed["reason"], doubled - len(unplaced))


def _on(zone: str, which: str) -> pl.Expr:
    return (
        pl.col("moment")
        .dt.replace_time_zone(zone, ambiguous=which, non_existent="null")  # type: ignore[arg-type]
        .dt.convert_time_zone("UTC")
    )


def _told_apart(clocks: pl.DataFrame) -> tuple[set[int], set[int]]:
    """Return the rows of the second of two equal hours, and the rows that cannot be told.

    The clock goes back once a night. So the lines of that hour fall back once: what stands before
    the fall is the first of the two, what stands behind it the second; in a file that begins with
    its newest line, the other way round.
    """
    second: set[int] = set()
    unknown: set[int] = set()
    doubled = clocks.filter(pl.col("earlier") != pl.col("later")).with_columns(
        night=pl.col("moment").dt.date()
    )
    for (name, night), lines in doubled.group_by("series", "night", maintain_order=True):
        own = clocks.filter(pl.col("series") == name)
        rows, moments = lines["row"].to_list(), lines["moment"].to_list()
        around = own.filter(pl.col("moment").dt.date() == night)["moment"]
        descends = around.len() > 1 and around[0] > around[-1]
        turns = [
            index
            for index in range(1, len(moments))
            if (
                moments[index] >= moments[index - 1]
                if descends
                else moments[index] <= moments[index - 1]
            )
        ]
        if len(turns) != 1:
            unknown.update(rows)
            continue
        before, behind = moments[: turns[0]], moments[turns[0] :]
        if before[-1] == behind[0] and set(before) != set(behind):
            # A line that stands there twice would look the same.
            unknown.update(rows)
            continue
        second.update(rows[: turns[0]] if descends else rows[turns[0] :])
    return second, unknown
