"""What is known of the files that were taken: an SQLite file beside their archive.

Belongs here: the rows about files, their days, points and bad lines, and the samples that were read
of each, as Parquet. The archive of the files themselves is the record: what was read of a file can
be read again from it, and is when its mapping changes.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from energy_platform.days import day_bounds, instant, microseconds
from energy_platform.lake.database import sqlite_engine
from energy_platform.lake.files import staged
from energy_platform.sources.files.reader import SAMPLES, BadLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from energy_platform.sources.files.reader import FileContent

INDEX: Final = "files.sqlite"
LOCK: Final = ".lock"
"""File that one process at a time holds while it takes files; its time is that of the last look."""

ARCHIVE: Final = "archive"
PARSED: Final = "parsed"

MOST_BAD_LINES: Final = 1000
"""Bad lines of one file that are kept one by one; the count is whole, and the archive has all."""


_meta = sa.MetaData()

_FILES: Final = sa.Table(
    "files",
    _meta,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("logger", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("content_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("reading", sa.Text, nullable=False),
    sa.Column("tried", sa.Text, nullable=False),
    sa.Column("taken_us", sa.BigInteger, nullable=False),
    sa.Column("read_us", sa.BigInteger, nullable=False),
    sa.Column("again", sa.Integer, nullable=False, default=0),
    sa.Column("samples", sa.Integer, nullable=False, default=0),
    sa.Column("bad_lines", sa.Integer, nullable=False, default=0),
    sa.Column("duplicates", sa.Integer, nullable=False, default=0),
    sa.Column("conflicts", sa.Integer, nullable=False, default=0),
    sa.Column("shape", sa.Text, nullable=False, default=""),
    sa.Column("remarks", sa.Text, nullable=False, default="[]"),
    sa.Column("first_us", sa.BigInteger),
    sa.Column("last_us", sa.BigInteger),
    sa.UniqueConstraint("logger", "content_id"),
)
_DAYS: Final = sa.Table(
    "file_days",
    _meta,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("day", sa.Text, primary_key=True, index=True),
    # A day that a file gave before its mapping changed stays known: it has to be read again.
    sa.Column("samples", sa.Integer, nullable=False),
)
_POINTS: Final = sa.Table(
    "file_points",
    _meta,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("point", sa.Text, primary_key=True),
    sa.Column("unit", sa.Text),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Column("step_s", sa.Float),
    sa.Column("lowest", sa.Float),
    sa.Column("highest", sa.Float),
    sa.Column("rises", sa.Integer, nullable=False),
    sa.Column("falls", sa.Integer, nullable=False),
    sa.Column("texts", sa.Text, nullable=False),
)
_BAD_LINES: Final = sa.Table(
    "bad_lines",
    _meta,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("line", sa.Integer, nullable=False),
    sa.Column("point", sa.Text, nullable=False),
    sa.Column("stamp_text", sa.Text),
    sa.Column("value_text", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("day", sa.Text, nullable=False, index=True),
)


LONGEST_NAME: Final = 200
"""Bytes of a file's name here; file systems allow 255, and names are added to."""


def short_name(name: str) -> str:
    """Return a file's name cut to what file systems allow; its ending stays.

    >>> short_name("readings.csv")
    'readings.csv'
    >>> len(short_name(300 * "é" + ".csv").encode())
    200
    """
    data = name.encode("utf-8", "surrogateescape")
    if len(data) <= LONGEST_NAME:
        return name
    half = LONGEST_NAME // 2
    return data[:half].decode("utf-8", "ignore") + data[-half:].decode("utf-8", "ignore")


class KnownFile(NamedTuple):
    """A file as it was taken or refused.

    Attributes:
        seq: Its number: of two files the newer one has the larger.
        logger: Whose it is.
        name: Its name when it came first.
        content_id: Digest of its bytes.
        state: ``taken``, or ``refused``.
        reason: Why it was refused, or why a changed mapping could not be applied; else empty.
        reading: Fingerprint of how it was read.
        tried: Fingerprint of how it was last tried to be read.
        taken_at: When it was taken.
        read_at: When it was read last.
        samples: Samples read of it.
        bad_lines: Lines or cells of it that could not be used.
        conflicts: Rows of it that contradicted another one of it.
        shape: What it was taken for.
        remarks: What somebody should know of it.
    """

    seq: int
    logger: str
    name: str
    content_id: str
    state: str
    reason: str
    reading: str
    tried: str
    taken_at: datetime
    read_at: datetime
    samples: int
    bad_lines: int
    conflicts: int
    shape: str
    remarks: tuple[str, ...]


class Store:
    """The files that were taken, in a landing folder.

    Args:
        landing: ``data/landing/files``; made when the first file is taken.
    """

    def __init__(self, landing: Path) -> None:
        self.landing = landing
        self._engine: sa.Engine | None = None

    @property
    def exists(self) -> bool:
        """Whether any file was ever taken or refused."""
        return (self.landing / INDEX).exists()

    def close(self) -> None:
        """Let go of the index."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one process at a time take files; the kernel frees it when a process dies."""
        self.landing.mkdir(parents=True, exist_ok=True)
        with (self.landing / LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
            os.utime(self.landing / LOCK)

    def _reader(self) -> sa.Connection:
        return self._open().connect().execution_options(isolation_level="AUTOCOMMIT")

    def _open(self) -> sa.Engine:
        if self._engine is None:
            url = sa.URL.create("sqlite", database=str(self.landing / INDEX))
            self._engine = sqlite_engine(url)
            _meta.create_all(self._engine)
        return self._engine

    def known(self, logger: str, content_id: str) -> KnownFile | None:
        """Return the file of a logger that has some bytes; None when none has come yet."""
        return next(
            iter(self.files(_FILES.c.logger == logger, _FILES.c.content_id == content_id)), None
        )

    def files(self, *where: sa.ColumnElement[bool]) -> list[KnownFile]:
        """Return the files in the order in which they came.

        Args:
            where: Which ones; all by default.
        """
        if not self.exists:
            return []
        with self._reader() as connection:
            rows = connection.execute(sa.select(_FILES).where(*where).order_by(_FILES.c.seq))
            return [_known(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name

    def refused(self) -> list[KnownFile]:
        """Return the files that could not be read and still wait for a mapping that can."""
        return self.files(_FILES.c.state == "refused")

    def taken(self) -> list[KnownFile]:
        """Return the files that were taken."""
        return self.files(_FILES.c.state == "taken")

    def archived(self, file: KnownFile) -> Path:
        """Return where the bytes of a taken file lie."""
        return self.landing / ARCHIVE / file.logger / short_name(f"{file.content_id}_{file.name}")

    def _parsed(self, file: KnownFile) -> Path:
        return self.landing / PARSED / f"{file.seq}-{file.reading}.parquet"

    def add(
        self, logger: str, name: str, content_id: str, *, reading: str, now: datetime
    ) -> KnownFile:
        """Note a file that came, before anything is done with it."""
        at = microseconds(now)
        values = {"name": name, "reading": reading, "tried": reading, "read_us": at}
        row = insert(_FILES).values(
            logger=logger, content_id=content_id, state="came", taken_us=at, **values
        )
        with self._open().begin() as connection:
            connection.execute(
                row.on_conflict_do_update(index_elements=["logger", "content_id"], set_=values)
            )
        found = self.known(logger, content_id)
        assert found is not None  # noqa: S101 - the row that was just written
        return found

    def note_again(self, file: KnownFile) -> None:
        """Count a file that came once more."""
        self._update(file, again=_FILES.c.again + 1)

    def note_refused(self, file: KnownFile, reason: str, *, tried: str) -> None:
        """Note why a file cannot be read, or a taken one not be read in its new way."""
        state = "taken" if file.state == "taken" else "refused"
        self._update(file, state=state, reason=reason, tried=tried)

    def forget(self, file: KnownFile) -> None:
        """Drop a refused file that somebody has removed."""
        with self._open().begin() as connection:
            connection.execute(sa.delete(_FILES).where(_FILES.c.seq == file.seq))

    def _update(self, file: KnownFile, **values: Any) -> None:
        with self._open().begin() as connection:
            connection.execute(sa.update(_FILES).where(_FILES.c.seq == file.seq).values(values))

    def put(
        self, file: KnownFile, content: FileContent, *, reading: str, now: datetime
    ) -> KnownFile:
        """Keep what was read of a file: first its samples on disk, then the rows about it.

        Days that it gave when it was read before stay known as days to be read again.
        """
        new = file._replace(reading=reading)
        with staged(self._parsed(new)) as path:
            content.samples.sort("at", "point").write_parquet(
                path, compression="zstd", row_group_size=50_000
            )
        at = content.samples["at"]
        days = content.samples.group_by(at.dt.date().cast(pl.String).alias("day")).len().sort("day")
        bad = content.bad_lines[:MOST_BAD_LINES]
        values = {
            "state": "taken",
            "reason": "",
            "reading": reading,
            "tried": reading,
            "read_us": microseconds(now),
            "samples": content.samples.height,
            "bad_lines": len(content.bad_lines),
            "duplicates": content.duplicates,
            "conflicts": content.conflicts,
            "shape": content.shape,
            "remarks": json.dumps(content.remarks),
            "first_us": at.dt.epoch("us").min(),
            "last_us": at.dt.epoch("us").max(),
        }
        counted = dict(days.rows()) | dict.fromkeys({one.day for one in bad} - set(days["day"]), 0)
        is_own = _DAYS.c.seq == file.seq
        with self._open().begin() as connection:
            before = connection.execute(sa.select(_DAYS.c.day).where(is_own)).scalars()
            counted = dict.fromkeys(before, 0) | counted
            for table in (_DAYS, _POINTS, _BAD_LINES):
                connection.execute(sa.delete(table).where(table.c.seq == file.seq))
            connection.execute(sa.update(_FILES).where(_FILES.c.seq == file.seq).values(values))
            _insert(
                connection,
                _DAYS,
                [{"seq": file.seq, "day": day, "samples": count} for day, count in counted.items()],
            )
            _insert(
                connection,
                _POINTS,
                [{"seq": file.seq, **row} for row in behaviour(content.samples).to_dicts()],
            )
            _insert(
                connection,
                _BAD_LINES,
                [
                    {"seq": file.seq, "number": number, **one._asdict()}
                    for number, one in enumerate(bad)
                ],
            )
        if file.reading != reading:
            self._parsed(file).unlink(missing_ok=True)
        return self.files(_FILES.c.seq == file.seq)[0]

    def arrivals(self) -> dict[str, datetime]:
        """Return the UTC days that files have something of, and when the newest of it was read."""
        if not self.exists:
            return {}
        newest = (
            sa.select(_DAYS.c.day, sa.func.max(_FILES.c.read_us))
            .join(_FILES, _FILES.c.seq == _DAYS.c.seq)
            .where(_FILES.c.state == "taken")
            .group_by(_DAYS.c.day)
            .order_by(_DAYS.c.day)
        )
        with self._reader() as connection:
            return {day: instant(at) for day, at in connection.execute(newest)}

    def days_by_logger(self) -> dict[str, dict[str, int]]:
        """Return how many samples of each day the files of each logger have."""
        if not self.exists:
            return {}
        counted = (
            sa.select(_FILES.c.logger, _DAYS.c.day, sa.func.sum(_DAYS.c.samples))
            .join(_FILES, _FILES.c.seq == _DAYS.c.seq)
            .where(_FILES.c.state == "taken")
            .group_by(_FILES.c.logger, _DAYS.c.day)
        )
        found: dict[str, dict[str, int]] = {}
        with self._reader() as connection:
            for logger, day, samples in connection.execute(counted):
                found.setdefault(logger, {})[day] = samples
        return found

    def files_of(self, day: str) -> list[KnownFile]:
        """Return the taken files that have samples of a day, the oldest first."""
        has = sa.select(_DAYS.c.seq).where(_DAYS.c.day == day, _DAYS.c.samples > 0)
        return self.files(_FILES.c.state == "taken", _FILES.c.seq.in_(has))

    def samples_of(self, file: KnownFile, day: str) -> pl.DataFrame | None:
        """Return the samples that a file has of a day; None where they must be read again."""
        path = self._parsed(file)
        if not path.exists():
            return None
        start, end = day_bounds(day)
        is_inside = pl.col("at").is_between(start, end, closed="left")
        try:
            return pl.scan_parquet(path).filter(is_inside).select(SAMPLES.names()).collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            return None

    def bad_lines_of(self, day: str) -> list[tuple[KnownFile, BadLine]]:
        """Return the bad lines that belong to a day, each with its file."""
        known = {file.seq: file for file in self.taken()}
        if not known:
            return []
        query = sa.select(_BAD_LINES).where(_BAD_LINES.c.day == day)
        with self._reader() as connection:
            rows = connection.execute(query.order_by("seq", "number")).all()
        return [(known[row.seq], BadLine(*row[2:])) for row in rows if row.seq in known]

    def points(self) -> pl.DataFrame:
        """Return how the points of all taken files behave, one row per logger and point."""
        schema = {"logger": pl.String(), "seq": pl.Int64(), **BEHAVIOUR}
        if not self.exists:
            return pl.DataFrame(schema=schema)
        query = sa.select(_FILES.c.logger, _POINTS).join(_FILES, _FILES.c.seq == _POINTS.c.seq)
        with self._reader() as connection:
            rows = connection.execute(query.where(_FILES.c.state == "taken")).all()
        return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")

    def spans(self) -> dict[str, tuple[datetime | None, datetime | None]]:
        """Return the first and last sample of each logger."""
        if not self.exists:
            return {}
        query = (
            sa.select(
                _FILES.c.logger, sa.func.min(_FILES.c.first_us), sa.func.max(_FILES.c.last_us)
            )
            .where(_FILES.c.state == "taken")
            .group_by(_FILES.c.logger)
        )
        with self._reader() as connection:
            return {
                logger: (
                    None if first is None else instant(first),
                    None if last is None else instant(last),
                )
                for logger, first, last in connection.execute(query)
            }


BEHAVIOUR: Final = pl.Schema(
    {
        "point": pl.String(),
        "unit": pl.String(),
        "samples": pl.Int64(),
        "step_s": pl.Float64(),
        "lowest": pl.Float64(),
        "highest": pl.Float64(),
        "rises": pl.Int64(),
        "falls": pl.Int64(),
        "texts": pl.String(),
    }
)
"""How the numbers of a point behave: what tells a register from a gauge."""

MOST_TEXTS: Final = 8
"""Different texts of a point that are kept for ``discover``; a state has few."""


def behaviour(samples: pl.DataFrame) -> pl.DataFrame:
    """Return how the points of a file behave, in the columns of ``BEHAVIOUR``.

    Args:
        samples: Columns of ``SAMPLES``, sorted by point and instant.
    """
    step = pl.col("value").diff()
    return (
        samples.sort("point", "at")
        .group_by("point", maintain_order=True)
        .agg(
            pl.col("unit").last(),
            pl.len().alias("samples"),
            (pl.col("at").diff().dt.total_microseconds() / 1e6).median().alias("step_s"),
            pl.col("value").min().alias("lowest"),
            pl.col("value").max().alias("highest"),
            (step > 0).sum().alias("rises"),
            (step < 0).sum().alias("falls"),
            pl.col("value_text")
            .drop_nulls()
            .unique()
            .sort()
            .head(MOST_TEXTS)
            .str.join(",")
            .alias("texts"),
        )
        .cast(BEHAVIOUR)
        .select(BEHAVIOUR.names())
    )


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def _known(row: Mapping[Any, Any]) -> KnownFile:
    own = {name: row[name] for name in KnownFile._fields if name in row}
    return KnownFile(
        **own | {"remarks": tuple(json.loads(row["remarks"]))},
        taken_at=instant(row["taken_us"]),
        read_at=instant(row["read_us"]),
    )
