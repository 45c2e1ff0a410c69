"""The virtual points of a lake: which of their days are stale, and how those are made again.

A virtual day is made of all that touches it: the energy of its parts in the quarter-hours of the
day, wherever that lies. Mostly it lies in the day's own file; a step over midnight, or one after a
gap of a week, brings it in a later one. So a virtual file says, of its own day, which rows of the
parts it was made of (the content of their file), and of each later day that reaches into it, a
digest of what that brings. A later file that is written again and brings the same, as today's is
every few minutes, leaves the days before as they are.

Here belongs what a virtual file is made of. The sums are in
:mod:`energy_platform.transforms.virtual`, where the points come from in
:mod:`energy_platform.portfolio.virtual`.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.days import day_before, day_bounds, day_of, day_range
from energy_platform.lake.digests import digest_of
from energy_platform.lake.lake import fingerprint_of
from energy_platform.lake.parquet import content_id
from energy_platform.refresh.day_table import day_table
from energy_platform.refresh.lake_index import BUCKET_MIN
from energy_platform.refresh.results import RefreshedDay
from energy_platform.schemas import (
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_VIRTUAL_DELTAS,
    CORE_VIRTUAL_INTERVALS,
    CORE_VIRTUAL_READINGS,
    VIRTUAL_TABLES,
)
from energy_platform.transforms.virtual import (
    virtual_deltas,
    virtual_intervals,
    virtual_readings,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from energy_platform.lake.lake import Lake
    from energy_platform.refresh.config_fingerprints import VirtualPoints
    from energy_platform.refresh.lake_index import Fingerprint, LakeIndex
    from energy_platform.refresh.results import RefreshedTable
    from energy_platform.schemas import Table
    from energy_platform.transforms.virtual import VirtualEnergy, VirtualPower

REACHES_FROM: Final = "parts_from"
"""Footer key of virtual intervals: the first day that the parts' rows of the day reach into."""

_KEPT_DAYS: Final = 35
"""Days whose rows before the day are kept in memory: mostly one quarter-hour for each part."""

_RULES: Final = "rules"
_PORTFOLIO: Final = "portfolio"
_NONE: Final = "none"

_ENERGY_TABLES: Final = (CORE_VIRTUAL_INTERVALS, CORE_VIRTUAL_DELTAS)
"""Made together."""


class VirtualRefresh:
    """One pass over the virtual days of a lake, after those of the parts.

    Args:
        lake: The day files.
        index: What the catalogue says of them; virtual files that are written are noted in it.
        virtual: The virtual points.
    """

    def __init__(self, lake: Lake, *, index: LakeIndex, virtual: VirtualPoints) -> None:
        self._lake = lake
        self._index = index
        self._virtual = virtual
        self._energy_parts = _parts(virtual.energies)
        self._power_parts = _parts(virtual.powers)
        self._energy_digest = digest_of(repr(virtual.energies))
        self._power_digest = digest_of(repr(virtual.powers))
        self._strays: dict[str, pl.DataFrame] = {}

    def stale(self) -> dict[str, tuple[str, ...]]:
        """Return, by day, in what virtual files differ from what the catalogue says of their day.

        What a later day brings to an earlier one is found when the later one is made again.
        """
        return {day: why for day in self._days() if (why := self._differences(day))}

    def run(self) -> Iterator[RefreshedDay]:
        """Make every virtual day follow, in order; yield those that were made again.

        A day goes after the earlier ones that it reaches into: killed in between, the next pass
        finds it stale and looks at those again.
        """
        stale = self.stale()
        earlier = {
            day
            for later in stale
            if self._index.stored(CORE_ENERGY_INTERVALS, day=later) is not None
            for day in self._reached(later)
        }
        for day in sorted(stale.keys() | earlier):
            why = list(stale.get(day, ()))
            tables: dict[str, RefreshedTable] = {}
            expected = self._expected(day, changed=stale.keys())
            if not _is_made_of(self._index, CORE_VIRTUAL_INTERVALS, day, expected) or not (
                _is_made_of(self._index, CORE_VIRTUAL_DELTAS, day, expected)
            ):
                why = why or ["what a later day brings to the parts of virtual points changed"]
                tables |= self._make_energy(day, expected)
            readings = self._readings_fingerprint(day)
            if not _is_made_of(self._index, CORE_VIRTUAL_READINGS, day, readings):
                tables |= self._make_readings(day, readings)
            self._strays.pop(day, None)
            if tables:
                yield RefreshedDay(day=day, why=tuple(dict.fromkeys(why)), tables=tables)

    # --- what a day should be made of --------------------------------------------------------

    def _days(self) -> list[str]:
        """Return the days that have, or should have, virtual files."""
        index = self._index
        virtual = {day for table in _ENERGY_TABLES for day in index.days_of(table)}
        virtual |= {*index.days_of(CORE_VIRTUAL_READINGS)}
        virtual |= {day for name, day in index.damaged if name in _NAMES}
        if self._virtual.energies or self._virtual.powers:
            virtual |= {*index.days_of(CORE_ENERGY_INTERVALS)}
        return sorted(virtual)

    def _differences(self, day: str) -> tuple[str, ...]:
        own = self._own_fingerprint(day)
        why: tuple[str, ...] = ()
        for table in _ENERGY_TABLES:
            stored = self._index.stored(table, day=day)
            later = {} if stored is None else _later(fingerprint_of(stored))
            why += self._index.differences(table, day=day, expected=own | later)
        return why + self._index.differences(
            CORE_VIRTUAL_READINGS, day=day, expected=self._readings_fingerprint(day)
        )

    def _own_fingerprint(self, day: str) -> Fingerprint:
        """Return what the energy of a day should be made of, without what later days bring."""
        intervals = self._index.stored(CORE_ENERGY_INTERVALS, day=day)
        return {
            CORE_ENERGY_INTERVALS.name: _NONE if intervals is None else intervals.content_id,
            _RULES: self._index.version_of(CORE_VIRTUAL_INTERVALS),
            _PORTFOLIO: self._energy_digest,
        }

    def _readings_fingerprint(self, day: str) -> Fingerprint:
        readings = self._index.stored(CORE_READINGS, day=day) if self._virtual.powers else None
        return {
            CORE_READINGS.name: _NONE if readings is None else readings.content_id,
            _RULES: self._index.version_of(CORE_VIRTUAL_READINGS),
            _PORTFOLIO: self._power_digest,
        }

    def _expected(self, day: str, *, changed: Collection[str]) -> Fingerprint:
        stored = self._index.stored(CORE_VIRTUAL_INTERVALS, day=day)
        before = {} if stored is None or day in changed else _later(fingerprint_of(stored))
        expected = self._own_fingerprint(day)
        for later in self._touching(day, changed=changed):
            if later in changed or not before:
                brought = self._brought(later, day=day)
                if brought.height:
                    expected[later] = content_id(brought)
            elif later in before:
                expected[later] = before[later]
        return expected

    def _touching(self, day: str, *, changed: Collection[str]) -> list[str]:
        """Return the later days whose rows of the parts may reach into a day."""
        found = []
        for later, first in self._reaching_back:
            if not first <= day < later:
                continue
            stored = self._index.stored(CORE_VIRTUAL_INTERVALS, day=later)
            if stored is not None and later not in changed:
                if stored.meta.get(REACHES_FROM, later) <= day:
                    found.append(later)
            elif self._reaches_from(later) <= day:
                found.append(later)
        return found

    @cached_property
    def _reaching_back(self) -> list[tuple[str, str]]:
        """The days whose files have rows before the day, and the first day of any such row."""
        firsts = [
            (day, self._first_bucket_day(day)) for day in self._index.days_of(CORE_ENERGY_INTERVALS)
        ]
        return [(day, first) for day, first in firsts if first is not None and first < day]

    def _first_bucket_day(self, day: str) -> str | None:
        """Return the first day that any row of a file of intervals lies in."""
        footer = self._index.stored(CORE_ENERGY_INTERVALS, day=day)
        first = None if footer is None else footer.meta.get(BUCKET_MIN)
        return None if first is None else day_of(datetime.fromisoformat(first))

    def _reached(self, day: str) -> list[str]:
        """Return the earlier days that a stale day reaches into, or did when it was made."""
        stored = self._index.stored(CORE_VIRTUAL_INTERVALS, day=day)
        before = day if stored is None else stored.meta.get(REACHES_FROM, day)
        first = min(before, self._reaches_from(day))
        return day_range(first, day_before(day)) if first < day else []

    # --- the rows of the parts ---------------------------------------------------------------

    def _reaches_from(self, day: str) -> str:
        first = self._stray_rows(day)["interval_start"].min()
        return day_of(first) if isinstance(first, datetime) else day

    def _brought(self, later: str, *, day: str) -> pl.DataFrame:
        """Return what a later file brings to the parts on a day."""
        start, end = day_bounds(day)
        return self._stray_rows(later).filter(
            pl.col("interval_start").is_between(start, end, closed="left")
        )

    def _stray_rows(self, day: str) -> pl.DataFrame:
        """Return the rows of the parts in a day's file that lie before the day."""
        first = self._first_bucket_day(day)
        if first is None or first >= day:
            return CORE_ENERGY_INTERVALS.empty()
        found = self._strays.get(day)
        if found is None:
            found = self._rows(
                CORE_ENERGY_INTERVALS,
                day,
                parts=self._energy_parts,
                where=pl.col("interval_start") < day_bounds(day)[0],
            )
            while len(self._strays) >= _KEPT_DAYS:
                del self._strays[next(iter(self._strays))]
            self._strays[day] = found
        return found

    def _rows(self, table: Table, day: str, *, parts: list[str], where: pl.Expr) -> pl.DataFrame:
        if not parts:
            return table.empty()
        return self._lake.read_where(table, pl.col("point_id").is_in(parts) & where, day=day)

    # --- making ------------------------------------------------------------------------------

    def _make_energy(self, day: str, expected: Fingerprint) -> dict[str, RefreshedTable]:
        start, end = day_bounds(day)
        wanted = pl.col("interval_start").is_between(start, end, closed="left")
        brought = {later: self._brought(later, day=day) for later in _later(expected)}
        kept = CORE_VIRTUAL_INTERVALS.empty()
        if added := self._only_added(day, expected):
            # The day before today, after midnight: of all its rows, those of one quarter-hour.
            touched = pl.concat([brought[later] for later in added])["interval_start"].unique()
            wanted = pl.col("interval_start").is_in(touched.implode())
            kept = self._lake.read(CORE_VIRTUAL_INTERVALS, day=day).filter(~wanted)
        own = self._rows(CORE_ENERGY_INTERVALS, day, parts=self._energy_parts, where=wanted)
        rows = pl.concat([own, *(one.filter(wanted) for one in brought.values())])
        made = virtual_intervals(rows, virtual=self._virtual.energies)
        intervals = pl.concat([kept, made]).sort(CORE_VIRTUAL_INTERVALS.sort_key)
        deltas = virtual_deltas(intervals)
        reach = {REACHES_FROM: self._reaches_from(day)}
        # The intervals last: what they reach into is read from them.
        return {
            CORE_VIRTUAL_DELTAS.name: self._put(CORE_VIRTUAL_DELTAS, day, deltas, expected),
            CORE_VIRTUAL_INTERVALS.name: self._put(
                CORE_VIRTUAL_INTERVALS, day, intervals, expected, meta=reach
            ),
        }

    def _only_added(self, day: str, expected: Fingerprint) -> list[str]:
        """Return the later days that are new to a day, where nothing else of it changed."""
        stored = self._index.stored(CORE_VIRTUAL_INTERVALS, day=day)
        before = {} if stored is None else fingerprint_of(stored)
        added = [key for key in _later(expected) if key not in before]
        is_rest_same = before == {key: expected[key] for key in expected if key not in added}
        return added if is_rest_same else []

    def _make_readings(self, day: str, expected: Fingerprint) -> dict[str, RefreshedTable]:
        rows = self._rows(CORE_READINGS, day, parts=self._power_parts, where=pl.lit(value=True))
        found = virtual_readings(rows, virtual=self._virtual.powers, start=day_bounds(day)[0])
        return {CORE_VIRTUAL_READINGS.name: self._put(CORE_VIRTUAL_READINGS, day, found, expected)}

    def _put(
        self,
        table: Table,
        day: str,
        rows: pl.DataFrame,
        fingerprint: Fingerprint,
        *,
        meta: Mapping[str, str] | None = None,
    ) -> RefreshedTable:
        with day_table(self._lake, table, day=day) as written:
            written.add(rows)
            return written.put_in_place(self._index, fingerprint=fingerprint, meta=meta)


_NAMES: Final = frozenset(table.name for table in VIRTUAL_TABLES)


def _parts(virtual: tuple[VirtualEnergy, ...] | tuple[VirtualPower, ...]) -> list[str]:
    return sorted({part.point_id for one in virtual for part in one.summands})


def _later(fingerprint: Fingerprint) -> Fingerprint:
    """Return what later days bring, of a fingerprint: its keys that are days."""
    return {key: value for key, value in fingerprint.items() if key[:1].isdigit()}


def _is_made_of(index: LakeIndex, table: Table, day: str, expected: Fingerprint) -> bool:
    stored = index.stored(table, day=day)
    return stored is not None and fingerprint_of(stored) == expected
