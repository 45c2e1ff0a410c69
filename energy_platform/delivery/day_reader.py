"""Day files as delivery needs them: small columns, numbered points, microseconds."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from energy_platform.days import day_bounds, microseconds
from energy_platform.identity import is_virtual
from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_READINGS,
    CORE_REGISTER_STATE,
    CORE_VIRTUAL_DELTAS,
    CORE_VIRTUAL_READINGS,
)
from energy_platform.transforms.states import UNCONFIRMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from energy_platform.delivery.ledger import Register
    from energy_platform.lake.lake import Lake

_KEPT_DAYS: Final = 3
"""Day frames of one kind kept in memory: the day planned and its successors."""

_DELTA_COLUMNS: Final = (
    "start_at",
    "end_at",
    "energy_wh",
    "register_start_wh",
    "register_end_wh",
    "estimated",
)


EVER_US: Final = 1 << 62
"""Later than any instant."""


class DayReader:
    """Reads the energy and the gauges of some points, a day at a time.

    Args:
        lake: The day files.
        registers: Points whose energy is delivered.
        gauges: Points whose readings are delivered.
    """

    def __init__(self, lake: Lake, *, registers: Iterable[str], gauges: Iterable[str]) -> None:
        self._lake = lake
        registers, gauges = set(registers), set(gauges)
        self.number: Final = {name: n for n, name in enumerate(sorted(registers | gauges))}
        """The number that stands for each point in the frames."""
        self._has_virtual = any(is_virtual(name) for name in self.number)
        self._register_points = self._numbered(registers)
        self._gauge_points = self._numbered(gauges)
        self._deltas: OrderedDict[str, pl.DataFrame] = OrderedDict()
        self._gauges: OrderedDict[str, pl.DataFrame] = OrderedDict()
        self._newest: dict[tuple[str, str], dict[int, int]] = {}
        self._gaps: dict[str, dict[int, int]] = {}
        self._unconfirmed: dict[str, set[str]] = {}

    def _numbered(self, points: set[str]) -> pl.LazyFrame:
        names = sorted(points)
        numbers = [self.number[name] for name in names]
        schema = {"point_id": pl.String(), "point": pl.Int32()}
        return pl.DataFrame({"point_id": names, "point": numbers}, schema=schema).lazy()

    def deltas(self, day: str) -> pl.DataFrame:
        """Return the steps of a day, in order: ``point`` and what ``energy_at`` takes."""
        return _remembered(self._deltas, day, lambda: self._read_deltas([day]))

    def gauges(self, day: str) -> pl.DataFrame:
        """Return the usable readings of a day, in order: ``point, at, value``."""
        return _remembered(self._gauges, day, lambda: self._read_gauges([day]))

    def newest(self, kind: Literal["register", "gauge"], day: str) -> dict[int, int]:
        """Return the newest instant of each point on a day: of its readings, or its steps."""
        found = self._newest.get((kind, day))
        if found is None:
            if kind == "gauge":
                frame = self.gauges(day).select("point", "at")
            else:
                frame = self.deltas(day).select("point", at="end_at")
            newest = frame.group_by("point").agg(pl.col("at").max())
            found = self._newest[kind, day] = dict(newest.iter_rows())
        return found

    def gaps(self, day: str) -> dict[int, int]:
        """Return where the first long gap of each point begins, of those that end on a day."""
        found = self._gaps.get(day)
        if found is None:
            long = self.deltas(day).filter("estimated")
            found = dict(long.group_by("point").agg(pl.col("start_at").min()).iter_rows())
            self._gaps[day] = found
        return found

    def unconfirmed(self, day: str) -> set[str]:
        """Return the points whose register has unconfirmed readings after a day."""
        found = self._unconfirmed.get(day)
        if found is None:
            state = (
                self._lake.scan(CORE_REGISTER_STATE, days=[day])
                .filter(pl.col("kind").is_in(UNCONFIRMED))
                .select("point_id")
                .collect()
            )
            found = self._unconfirmed[day] = set(state["point_id"].to_list())
        return found

    def first_data(
        self, points: Sequence[str], *, days: Sequence[str]
    ) -> dict[str, tuple[str, int]]:
        """Return, per point that occurs in some days, the first such day and its first instant."""
        missing = set(points)
        found: dict[str, tuple[str, int]] = {}
        for day in days:
            if not missing:
                break
            ends = self.deltas(day).lazy().select("point", at="end_at")
            readings = self.gauges(day).lazy().select("point", "at")
            firsts = pl.concat([ends, readings]).group_by("point").agg(pl.col("at").min())
            names = {self.number[name]: name for name in missing}
            for number, at_us in firsts.collect().iter_rows():
                if number in names:
                    found[names[number]] = (day, at_us)
                    missing.discard(names[number])
        return found

    def energy(
        self, asked: Sequence[tuple[Register, str, str, int]], *, days: Sequence[str]
    ) -> list[float]:
        """Return the energy of registers since their baselines, one sum for each.

        A step that a bound cuts counts in proportion. Steps are added file by file, so that memory
        does not grow with the number of days.

        Args:
            asked: Registers, each with the first file that counts, the first later one that does
                not, and the instant up to which it is wanted; ``EVER_US`` for all that the files
                hold.
            days: Days that have a file.
        """
        total = [0.0] * len(asked)
        if not asked:
            return total
        wanted = pl.DataFrame(
            [
                (key, self.number[one.point_id], one.baseline_us, until_us, first_day, end_day)
                for key, (one, first_day, end_day, until_us) in enumerate(asked)
            ],
            schema={
                "key": pl.Int64(),
                "point": pl.Int32(),
                "after": pl.Int64(),
                "until": pl.Int64(),
                "first_day": pl.String(),
                "end_day": pl.String(),
            },
            orient="row",
        ).lazy()
        first = min(first_day for _, first_day, _, _ in asked)
        end = max(end_day for _, _, end_day, _ in asked)
        length = (pl.col("end_at") - pl.col("start_at")).cast(pl.Float64)
        inside = pl.min_horizontal("end_at", "until") - pl.max_horizontal("start_at", "after")
        share = (
            pl.when(length > 0)
            .then((inside.cast(pl.Float64) / length).clip(0.0, 1.0))
            .otherwise(
                ((pl.col("end_at") > pl.col("after")) & (pl.col("end_at") <= pl.col("until"))).cast(
                    pl.Float64
                )
            )
        )
        for day in days:
            if not first <= day < end:
                continue
            frame = self._deltas.get(day)
            steps = self._scan_deltas([day]) if frame is None else frame.lazy()
            due = wanted.filter(pl.col("first_day") <= day, pl.col("end_day") > day)
            parts = (
                steps.join(due, on="point")
                .filter(pl.col("end_at") > pl.col("after"), pl.col("start_at") <= pl.col("until"))
                .group_by("key")
                .agg((pl.col("energy_wh").fill_null(0.0) * share).sum())
                .collect()
            )
            for key, energy_wh in parts.iter_rows():
                total[key] += energy_wh
        return total

    def _read_deltas(self, days: Sequence[str]) -> pl.DataFrame:
        return self._scan_deltas(days).collect()

    def _scan_deltas(self, days: Sequence[str]) -> pl.LazyFrame:
        steps = self._lake.scan(CORE_ENERGY_DELTAS, days=days)
        sums = self._lake.scan(CORE_VIRTUAL_DELTAS, days=days) if self._has_virtual else None
        return _numbered_rows(steps, sums, points=self._register_points).select(
            "point",
            *(
                pl.col(name).dt.epoch("us") if name.endswith("_at") else pl.col(name)
                for name in _DELTA_COLUMNS
            ),
        )

    def _read_gauges(self, days: Sequence[str]) -> pl.DataFrame:
        is_usable = (pl.col("status") == "ok") & pl.col("value").is_not_null()
        readings = self._lake.scan(CORE_READINGS, days=days).filter(is_usable)
        sums = self._lake.scan(CORE_VIRTUAL_READINGS, days=days) if self._has_virtual else None
        return (
            _numbered_rows(readings, sums, points=self._gauge_points)
            .filter(pl.col("value").is_finite())
            .select("point", pl.col("at").dt.epoch("us"), "value")
            .collect()
        )


def _numbered_rows(
    measured: pl.LazyFrame, virtual: pl.LazyFrame | None, *, points: pl.LazyFrame
) -> pl.LazyFrame:
    """Return the rows of some points with their numbers, by point and in the order of the files."""
    found = [
        rows.join(points, on="point_id", maintain_order="left")
        for rows in (measured, virtual)
        if rows is not None
    ]
    if len(found) == 1:
        return found[0]
    return pl.concat(found).sort("point_id", maintain_order=True)


def _remembered(
    kept: OrderedDict[str, pl.DataFrame], day: str, read: Callable[[], pl.DataFrame]
) -> pl.DataFrame:
    frame = kept.get(day)
    if frame is None:
        frame = read()
        kept[day] = frame
        while len(kept) > _KEPT_DAYS:
            kept.popitem(last=False)
    else:
        kept.move_to_end(day)
    return frame


def midnight_us(day: str) -> int:
    """Return the start of a UTC day in microseconds."""
    return microseconds(day_bounds(day)[0])
