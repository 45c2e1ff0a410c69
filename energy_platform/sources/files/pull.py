"""Whole days folded from the files that were taken, and the loggers they are of.

Of two files with a sample of one point and instant, the one that came later counts. Where both say
the same, the row keeps naming the first: a file that repeats old days leaves them byte for byte.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.days import day_bounds, day_range
from energy_platform.sources.base import DayPull
from energy_platform.sources.coverage import DeviceDay, Reject, unproven_spans
from energy_platform.sources.files.errors import RefusedFileError
from energy_platform.sources.files.inbox import read_loggers
from energy_platform.sources.files.mapping import Mapping
from energy_platform.sources.files.tables import (
    RAW_FILES_LOGGERS,
    RAW_FILES_POINTS,
    RAW_FILES_SAMPLES,
)
from energy_platform.sources.http.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from energy_platform.sources.files.inbox import Logger
    from energy_platform.sources.files.store import KnownFile, Store

SHOWN: Final = 3
"""Things a sentence names; the others are counted."""


def loggers_of(inbox: Path | None) -> dict[str, Logger]:
    """Return the loggers of the inbox; none where it cannot be listed."""
    if inbox is None or not inbox.is_dir():
        return {}
    return read_loggers(inbox)


def inventory(store: Store, loggers: dict[str, Logger]) -> dict[str, pl.DataFrame]:
    """Return the loggers and points of all files that were taken, by table name.

    Args:
        store: The files.
        loggers: Their mappings, as they are now.
    """
    points = store.points()
    spans = store.spans()
    taken = store.taken()
    rows = []
    for logger, (first, last) in sorted(spans.items()):
        mapping = loggers[logger].mapping if logger in loggers else Mapping()
        own = [file for file in taken if file.logger == logger]
        rows.append(
            {
                "id": logger,
                "name": mapping.name or logger,
                "timezone": mapping.timezone,
                "every_s": mapping.every.total_seconds() if mapping.every else None,
                "files": len(own),
                "bad_lines": sum(file.bad_lines for file in own),
                "first_at": first,
                "last_at": last,
            }
        )
    stated = pl.DataFrame(
        [
            (
                logger.id,
                logger.mapping.key_of(column),
                spec.name,
                spec.kind,
                spec.quantity,
                spec.width.total_seconds() if spec.width else None,
                spec.stamp,
            )
            for logger in loggers.values()
            for column, spec in logger.mapping.points.items()
        ],
        schema={
            **dict.fromkeys(("device_id", "point", "name", "kind", "quantity"), pl.String()),
            "width_s": pl.Float64(),
            "stamp": pl.String(),
        },
        orient="row",
    )
    behaves = (
        points.sort("seq")
        .group_by("logger", "point", maintain_order=True)
        .agg(
            pl.col("unit").drop_nulls().last(),
            pl.col("samples").sum(),
            pl.col("step_s").median(),
            pl.col("lowest").min(),
            pl.col("highest").max(),
            pl.col("rises", "falls").sum(),
            pl.col("texts").filter(pl.col("texts") != "").last(),
        )
        .rename({"logger": "device_id"})
        .join(stated, on=["device_id", "point"], how="left", maintain_order="left")
        .with_columns(pl.coalesce("name", "point").alias("name"))
    )
    return {
        RAW_FILES_LOGGERS.name: pl.DataFrame(rows, schema=RAW_FILES_LOGGERS.schema),
        RAW_FILES_POINTS.name: behaves.select(RAW_FILES_POINTS.schema.names())
        .cast(RAW_FILES_POINTS.schema)
        .sort(RAW_FILES_POINTS.sort_key),
    }


def days(
    store: Store,
    days: Sequence[str],
    *,
    until: datetime,
    loggers: dict[str, Logger],
    left_out: frozenset[str] = frozenset(),
    warnings: Sequence[str] = (),
) -> Iterator[DayPull]:
    """Fold whole UTC days, in order; a failing day stops no other.

    Args:
        store: The files.
        days: UTC days.
        until: The present; later samples wait for their day.
        loggers: Their mappings.
        left_out: Loggers that are not read.
        warnings: Sentences about the inbox as a whole, said with the newest day.
    """
    known = store.days_by_logger()
    wanted = sorted(set(days))
    for one in wanted:
        said = tuple(warnings) if one == wanted[-1] else ()
        try:
            yield _day(
                store,
                one,
                until=until,
                loggers=loggers,
                known={name: own for name, own in known.items() if name not in left_out},
                warnings=said,
            )
        except RefusedFileError as error:
            yield DayPull(
                one,
                None,
                PermanentError(
                    str(error),
                    vendor="files",
                    endpoint="archive",
                    day=one,
                    advice="Put the archived file back from a backup, or drop it again",
                ),
            )


def _day(
    store: Store,
    day: str,
    *,
    until: datetime,
    loggers: dict[str, Logger],
    known: dict[str, dict[str, int]],
    warnings: tuple[str, ...],
) -> DayPull:
    start, end = day_bounds(day)
    parts = [
        _samples(store, file, day).with_columns(
            pl.lit(file.logger).alias("device_id"),
            pl.lit(file.name).alias("file"),
            pl.lit(file.seq, pl.Int64()).alias("seq"),
        )
        for file in store.files_of(day)
        if file.logger in known
    ]
    if parts:
        said = pl.concat(parts).filter(pl.col("at") < until)
        frame, duplicates, conflicts = newest_of(said)
    else:
        frame, duplicates, conflicts = RAW_FILES_SAMPLES.empty(), 0, {}
    is_over = end <= until
    notes = [
        f"files: logger {logger}: {count} samples of {day} differ between two files; the newer "
        "file counts"
        for logger, count in sorted(conflicts.items())
    ]
    return DayPull(
        day=day,
        frame=frame,
        duplicates=duplicates,
        conflicts=sum(conflicts.values()),
        warnings=(*notes, *warnings),
        devices=tuple(
            _logger_day(
                name,
                frame.filter(pl.col("device_id") == name),
                window=(start, end),
                mapping=loggers[name].mapping if name in loggers else Mapping(),
                own=own,
                is_over=is_over,
                day=day,
            )
            for name, own in sorted(known.items())
            if min(own) <= day <= max(own)
        ),
        rejects=tuple(
            Reject(
                file.logger,
                bad.point,
                bad.stamp_text,
                bad.value_text,
                f"{file.name}, line {bad.line}: {bad.reason}",
            )
            for file, bad in store.bad_lines_of(day)
            if file.logger in known
        ),
    )


def _samples(store: Store, file: KnownFile, day: str) -> pl.DataFrame:
    """Return what a file has of a day.

    Raises:
        RefusedFileError: What was read of it is gone, and its bytes are too.
    """
    samples = store.samples_of(file, day)
    if samples is None:
        raise RefusedFileError(
            f"what was read of {file.name} ({file.logger}) is gone or damaged in {store.landing}"
        )
    return samples


def newest_of(said: pl.DataFrame) -> tuple[pl.DataFrame, int, dict[str, int]]:
    """Leave one row per logger, point and instant: what the newest file says.

    Args:
        said: Columns of raw_files__samples and ``seq``, the order in which the files came.

    Returns:
        Rows of raw_files__samples; how many samples were repeated unchanged; and how many a newer
        file changed, by logger. A row names the first file that said what counts now.
    """
    key = list(RAW_FILES_SAMPLES.sort_key)
    what = ["value", "value_text", "unit"]
    ordered = said.sort(*key, "seq")
    newest = ordered.unique(key, keep="last", maintain_order=True).select(*key, *what)
    same = ordered.join(
        newest, on=[*key, *what], how="semi", nulls_equal=True, maintain_order="left"
    )
    first = same.unique(key, keep="first", maintain_order=True)
    changed = ordered.group_by("device_id", *key[1:]).agg(
        pl.struct("value", "value_text").n_unique().alias("values")
    )
    conflicts = changed.filter(pl.col("values") > 1).group_by("device_id").len()
    counted = dict(conflicts.rows())
    duplicates = said.height - first.height - sum(counted.values())
    return first.select(RAW_FILES_SAMPLES.schema.names()), max(duplicates, 0), counted


def _logger_day(
    name: str,
    frame: pl.DataFrame,
    *,
    window: tuple[datetime, datetime],
    mapping: Mapping,
    own: dict[str, int],
    is_over: bool,
    day: str,
) -> DeviceDay:
    series = frame.partition_by("point", maintain_order=True) if frame.height else []
    return DeviceDay(
        device=name,
        asked=max(len(series), len(mapping.points)),
        answered=len(series),
        rows=frame.height,
        first_at=frame["at"].min(),  # type: ignore[arg-type]
        last_at=frame["at"].max(),  # type: ignore[arg-type]
        why_partial=_lacks(series, window=window, every=mapping.every)
        # Of the newest day a logger has, the next file may bring the rest.
        if is_over and mapping.every is not None and day < max(own)
        else "",
    )


def _lacks(
    series: Sequence[pl.DataFrame], *, window: tuple[datetime, datetime], every: timedelta | None
) -> str:
    """Say which stretch of a day no file has; empty when the logger's own pace has no gap."""
    if not series:
        return (
            "no file has samples of the day, and the logger's mapping states how often it samples"
        )
    lacking = []
    for frame in series:
        start, end = window
        spans = unproven_spans(frame["at"].sort(), start=start, end=end, cadence=every)
        lacking += [
            (frame["point"][0], *span)
            for span in spans
            if every is None or span[1] - span[0] > every
        ]
    if not lacking:
        return ""
    shown = ", ".join(f"{point} {a:%H:%M} to {b:%H:%M}" for point, a, b in lacking[:SHOWN])
    more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
    return f"no file has (UTC) {shown}{more}"


def missing_days(store: Store, loggers: dict[str, Logger]) -> dict[str, datetime]:
    """Return days without any sample that a logger's stated pace misses, and since when.

    A day counts between the first and the last one that the logger's files have.
    """
    arrived = store.arrivals()
    found: dict[str, datetime] = {}
    for name, own in store.days_by_logger().items():
        mapping = loggers[name].mapping if name in loggers else Mapping()
        if mapping.every is None or mapping.every > timedelta(days=1):
            continue
        spoken = sorted(day for day, samples in own.items() if samples)
        if not spoken:
            continue
        newest = max(at for day, at in arrived.items() if day in own)
        for day in day_range(spoken[0], spoken[-1]):
            if day not in arrived:
                found[day] = newest
    return found
