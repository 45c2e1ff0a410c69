"""The refresh: makes derived files follow from what they are made of, day after day.

A day's energy starts from the registers' state at the end of the nearest earlier day, so a change
travels forward until a day's state comes out as it was; from there on every fingerprint matches and
nothing is touched. Each file is renamed into place by itself and carries what it was made of, so a
refresh that was killed anywhere is finished by the next one.
"""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.lake.lake import LakeError
from energy_platform.memory import default_memory
from energy_platform.refresh.config_fingerprints import ConfigFingerprints
from energy_platform.refresh.day_table import day_table
from energy_platform.refresh.lake_index import (
    ALLOCATED_FROM,
    POINTS,
    STATE_FINGERPRINT,
    Fingerprint,
    LakeIndex,
    state_fingerprint,
    table_versions,
)
from energy_platform.refresh.memory_budget import MemoryBudget
from energy_platform.refresh.results import (
    BlockedDay,
    Refreshed,
    RefreshedDay,
    RefreshedTable,
    StaleDay,
)
from energy_platform.refresh.shares import point_shares, raw_shares
from energy_platform.refresh.steps import (
    RULE_VERSIONS,
    energy_of_day,
    intervals_of_day,
    validate_day,
)
from energy_platform.refresh.virtual import VirtualRefresh
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
)
from energy_platform.sources.registry import day_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future

    from energy_platform.lake.lake import Footer, Lake
    from energy_platform.lake.opened import OpenedFile
    from energy_platform.portfolio import Portfolio
    from energy_platform.refresh.steps import EnergyShare, RuleVersions
    from energy_platform.schemas import Table, Vendor

LOCK: Final = "core"
"""The advisory lock of all derived tables: one refresh at a time."""

_LOG: Final = logging.getLogger(__name__)

_ENERGY_TABLES: Final = (
    CORE_ENERGY_DELTAS,
    CORE_CONSUMPTION_DELTAS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
)
"""Made together from the same readings and state."""

_INTERVAL_TABLES: Final = (CORE_ENERGY_INTERVALS, CORE_CONSUMPTION_INTERVALS)


class OutOfMemoryError(RuntimeError):
    """A day did not fit into memory; the message names the day and the setting."""


class _BlockedError(Exception):
    """A raw file cannot be read; the message says which, and what to do."""


class _UnreadableError(Exception):
    """A derived file has a sound footer and cannot be read."""

    def __init__(self, table: Table, day: str) -> None:
        super().__init__(f"{table.name}/day={day}")
        self.table = table
        self.day = day


def stale(
    lake: Lake, portfolio: Portfolio, *, versions: RuleVersions = RULE_VERSIONS
) -> tuple[StaleDay, ...]:
    """Find the days whose derived files no longer follow from what they were made of.

    Reads the catalogue only. Days that become stale because an earlier day changes are found by the
    refresh itself. Blocked days are not stale: no refresh can help them.

    Args:
        lake: The day files.
        portfolio: The portfolio as it is now.
        versions: Of the rules that make the days.
    """
    configs = ConfigFingerprints(portfolio, lake=lake)
    version, rules = lake.version(), repr(table_versions(versions))
    if configs.is_known_fresh(version, rules=rules):
        return ()
    index = LakeIndex(lake, configs=configs, versions=versions)
    virtual = VirtualRefresh(lake, index=index, virtual=configs.virtual).stale()
    found = []
    before: str | None = None
    is_known = True
    for day in index.days:
        why = _readings_differences(index, day)
        if index.stored(CORE_READINGS, day=day) is not None:
            for table in _ENERGY_TABLES:
                fingerprint = index.energy_fingerprint(table, day=day, before=before)
                why += index.differences(
                    table, day=day, expected=fingerprint, ignore_state=not is_known
                )
            for table in _INTERVAL_TABLES:
                if index.stored(ALLOCATED_FROM[table.name], day=day) is not None:
                    fingerprint = index.intervals_fingerprint(table, day=day)
                    why += index.differences(table, day=day, expected=fingerprint)
        why += virtual.pop(day, ())
        if why:
            found.append(StaleDay(day=day, why=tuple(dict.fromkeys(why))))
        is_known = index.stored(CORE_REGISTER_STATE, day=day) is not None
        if is_known:
            before = day
    found += [StaleDay(day=day, why=why) for day, why in virtual.items()]
    if not found:
        configs.note_fresh(version, rules=rules)
    configs.save()
    return tuple(sorted(found, key=lambda one: one.day))


def blocked(
    lake: Lake, portfolio: Portfolio, *, versions: RuleVersions = RULE_VERSIONS
) -> tuple[BlockedDay, ...]:
    """List the days whose raw files vanished or are damaged, with what to do."""
    index = LakeIndex(lake, configs=ConfigFingerprints(portfolio, lake=lake), versions=versions)
    return tuple(BlockedDay(day=day, why=why) for day, why in sorted(index.blocked.items()))


def refresh(
    lake: Lake,
    *,
    portfolio: Portfolio,
    on_day: Callable[[RefreshedDay], None] | None = None,
    versions: RuleVersions = RULE_VERSIONS,
    memory: int | None = None,
    most_rows: int | None = None,
) -> Refreshed:
    """Make every derived file follow from the raw days, the portfolio and the rules.

    Waits for a refresh that is under way. One day is in memory at a time, or two where both fit, so
    that readings of the next are judged while a day becomes energy; of a day that does not fit some
    points at a time. The files are the same.

    Args:
        lake: The day files.
        portfolio: The portfolio as it is now.
        on_day: Told of each day that was rebuilt, when its files are in place.
        versions: Of the rules that make the days.
        memory: Bytes that the process may hold; by default what an installation without the
            setting may use.
        most_rows: Rows of a day that are worked on at once; by default what fits into the memory.

    Returns:
        What was rebuilt, and the days that need an operator.

    Raises:
        LakeError: A derived file cannot be read and cannot be made again, because its raw file
            is gone.
        OutOfMemoryError: The machine did not have the memory.
    """
    budget = MemoryBudget.of(memory or default_memory(), most_rows=most_rows)
    configs = ConfigFingerprints(portfolio, lake=lake)
    with lake.lock(LOCK):
        while True:
            try:
                return _RefreshRun(
                    lake, configs=configs, versions=versions, on_day=on_day, budget=budget
                ).run()
            except _UnreadableError as error:
                _discard(lake, error, configs=configs, versions=versions)


def _discard(
    lake: Lake, error: _UnreadableError, *, configs: ConfigFingerprints, versions: RuleVersions
) -> None:
    """Remove an unreadable derived file that can be made again."""
    blocked_days = LakeIndex(lake, configs=configs, versions=versions).blocked
    path = lake.path(error.table, day=error.day)
    if error.table is CORE_READINGS and error.day in blocked_days:
        raise LakeError(
            f"{path}: damaged, and cannot be made again: {blocked_days[error.day]}"
        ) from error
    _LOG.warning("%s is damaged; it is made again", path)
    path.unlink(missing_ok=True)


def _readings_differences(index: LakeIndex, day: str) -> tuple[str, ...]:
    stored = index.stored(CORE_READINGS, day=day)
    if day in index.blocked and stored is not None:
        return ()
    points = None if stored is None else stored.meta.get(POINTS)
    fingerprint = index.readings_fingerprint(day, points=points)
    return index.differences(CORE_READINGS, day=day, expected=fingerprint)


class _Judged(NamedTuple):
    """The readings of a day, as they should be.

    Attributes:
        why: Why they were made again; empty where they were not.
        tables: The file that was made.
        merged: Readings merged away, by kind of repetition.
        readings: Its rows, where they were made at once; whoever works on them takes them out, so
            that they are not in memory for longer.
    """

    why: tuple[str, ...]
    tables: Mapping[str, RefreshedTable]
    merged: Mapping[str, int]
    readings: list[pl.DataFrame]


class _RefreshRun:
    """One pass over the days."""

    def __init__(
        self,
        lake: Lake,
        *,
        configs: ConfigFingerprints,
        versions: RuleVersions,
        on_day: Callable[[RefreshedDay], None] | None,
        budget: MemoryBudget,
    ) -> None:
        self._lake = lake
        self._configs = configs
        self._on_day = on_day
        self._budget = budget
        self._index = LakeIndex(lake, configs=configs, versions=versions)
        self._state: tuple[str, pl.DataFrame] | None = None

    def run(self) -> Refreshed:
        """Make every day follow, in order."""
        index = self._index
        days = index.days
        done = []
        before: str | None = None
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="next-day") as next_day:
            ahead: Future[_Judged] | None = None
            for day, following in zip_longest(days, days[1:]):
                try:
                    judged = self._judge(day) if ahead is None else ahead.result()
                    # Readings depend on no other day, energy on the day before: half of the work
                    # each, and either keeps one processor busy.
                    ahead = (
                        next_day.submit(self._judge, following)
                        if following is not None and self._fit(day, following)
                        else None
                    )
                    fresh = self._day(day, judged, before=before)
                except MemoryError as error:
                    raise OutOfMemoryError(self._budget.exhausted(day)) from error
                except Exception as error:
                    error.add_note(f"while rebuilding {day}")
                    raise
                if fresh is not None:
                    done.append(fresh)
                    if self._on_day is not None:
                        self._on_day(fresh)
                if index.stored(CORE_REGISTER_STATE, day=day) is not None:
                    before = day
        done = self._with_virtual(done)
        if done:
            self._configs.forget_sets_except(index.point_sets())
        self._configs.save()
        return Refreshed(
            days=tuple(done),
            blocked=tuple(
                BlockedDay(day=day, why=why) for day, why in sorted(index.blocked.items())
            ),
            seen=len(days),
        )

    def _with_virtual(self, done: list[RefreshedDay]) -> list[RefreshedDay]:
        """Make the virtual points follow; return all days that were rebuilt, each once."""
        found = {one.day: one for one in done}
        virtual = VirtualRefresh(self._lake, index=self._index, virtual=self._configs.virtual)
        for one in virtual.run():
            if self._on_day is not None:
                self._on_day(one)
            before = found.get(one.day)
            found[one.day] = (
                one
                if before is None
                else replace(
                    before,
                    why=tuple(dict.fromkeys((*before.why, *one.why))),
                    tables={**before.tables, **one.tables},
                )
            )
        return [found[day] for day in sorted(found)]

    def _fit(self, *days: str) -> bool:
        """Whether all raw rows of some days may be worked on at once."""
        raw = (self._index.raw.get(day, {}) for day in days)
        return sum(file.rows for one in raw for file in one.values()) <= self._budget.most_rows

    def _judge(self, day: str) -> _Judged:
        """Make the readings of a day where they are stale."""
        tables: dict[str, RefreshedTable] = {}
        if why := _readings_differences(self._index, day):
            readings, merged = self._validate(day, tables)
            return _Judged(why, tables, merged, [] if readings is None else [readings])
        return _Judged((), tables, {}, [])

    def _day(self, day: str, judged: _Judged, *, before: str | None) -> RefreshedDay | None:
        """Make what is stale of a day, given its readings; return None when nothing was."""
        index = self._index
        why, tables = list(judged.why), dict(judged.tables)
        if index.stored(CORE_READINGS, day=day) is None:
            return None
        fingerprints = {
            table.name: index.energy_fingerprint(table, day=day, before=before)
            for table in _ENERGY_TABLES
        }
        differences = {
            table.name: index.differences(table, day=day, expected=fingerprints[table.name])
            for table in _ENERGY_TABLES
        }
        if any(differences.values()):
            why += [phrase for phrases in differences.values() for phrase in phrases]
            outdated = {
                name: fingerprints[name] for name, phrases in differences.items() if phrases
            }
            held = judged.readings
            shares = iter([held.pop()]) if held else self._shares(CORE_READINGS, day)
            self._make_energy(day, shares, before=before, fingerprints=outdated, tables=tables)
        for table in _INTERVAL_TABLES:
            fingerprint = index.intervals_fingerprint(table, day=day)
            if outdated_by := index.differences(table, day=day, expected=fingerprint):
                why += outdated_by
                with day_table(self._lake, table, day=day) as written:
                    for deltas in self._shares(ALLOCATED_FROM[table.name], day):
                        written.add(intervals_of_day(table, deltas))
                        del deltas
                    tables[table.name] = written.put_in_place(index, fingerprint=fingerprint)
        if not tables:
            return None
        return RefreshedDay(
            day=day, why=tuple(dict.fromkeys(why)), tables=tables, merged=dict(judged.merged)
        )

    def _validate(
        self, day: str, tables: dict[str, RefreshedTable]
    ) -> tuple[pl.DataFrame | None, Mapping[str, int]]:
        """Make the readings of a day; return them where they were made at once."""
        index = self._index
        present = index.raw.get(day, {})
        wanted = {vendor: table for vendor, table in day_tables().items() if table.name in present}
        if not wanted and day in index.blocked:
            return None, {}
        merged, points = Counter[str](), set[str]()
        readings: pl.DataFrame | None = None
        try:
            with ExitStack() as stack:
                raw = {
                    vendor: stack.enter_context(self._raw(table, day, present))
                    for vendor, table in wanted.items()
                }
                is_cut = sum(file.rows for file in raw.values()) > self._budget.most_rows
                written = stack.enter_context(day_table(self._lake, CORE_READINGS, day=day))
                for rows in self._raw_shares(raw, day):
                    readings, again = validate_day(
                        rows,
                        day=day,
                        points=self._configs.points,
                        states=self._configs.states,
                        corrections=self._configs.corrections(day),
                    )
                    del rows
                    merged.update(again)
                    points.update(readings["point_id"].unique())
                    written.add(readings)
                    if is_cut:
                        readings = None  # else two shares would be in memory
                name = self._configs.name_of(pl.Series("point_id", sorted(points), pl.String()))
                tables[CORE_READINGS.name] = written.put_in_place(
                    index,
                    fingerprint=index.readings_fingerprint(day, points=name),
                    meta={POINTS: name},
                )
        except _BlockedError as error:
            index.blocked[day] = str(error)
            return None, {}
        return readings, merged

    @contextmanager
    def _raw(self, table: Table, day: str, present: dict[str, Footer]) -> Iterator[OpenedFile]:
        """Open a raw day and note its footer: a pull may have replaced it since it was listed."""
        with ExitStack() as stack:
            try:
                file = stack.enter_context(self._lake.open(table, day=day))
                present[table.name] = file.footer
                _ = file.rows  # they cannot be counted where the file is damaged
            except FileNotFoundError as error:
                path = self._lake.path(table, day=day)
                raise _BlockedError(f"{path}: vanished; run its day again") from error
            except LakeError as error:
                raise _BlockedError(str(error)) from error
            yield file

    def _raw_shares(
        self, raw: Mapping[Vendor, OpenedFile], day: str
    ) -> Iterator[dict[Vendor, pl.DataFrame]]:
        try:
            yield from raw_shares(
                raw,
                most_rows=self._budget.most_rows,
                on_large=self._budget.on_large(day),
            )
        except LakeError as error:
            raise _BlockedError(str(error)) from error

    def _make_energy(
        self,
        day: str,
        shares: Iterable[pl.DataFrame],
        *,
        before: str | None,
        fingerprints: Mapping[str, Fingerprint],
        tables: dict[str, RefreshedTable],
    ) -> None:
        with ExitStack() as stack:
            written = {
                table: stack.enter_context(day_table(self._lake, table, day=day))
                for table in _ENERGY_TABLES
                if table.name in fingerprints
            }

            def add(share: EnergyShare) -> None:
                for table, frame in zip(_ENERGY_TABLES, share, strict=False):
                    if table in written:
                        written[table].add(frame)

            state = energy_of_day(
                shares,
                points=self._configs.energy_points,
                state=None if before is None else self._state_of(before),
                policies=self._configs.policies(day),
                on_share=add,
            )
            if CORE_REGISTER_STATE in written:
                written[CORE_REGISTER_STATE].add(state)
            for table, one in written.items():
                is_state = table is CORE_REGISTER_STATE
                tables[table.name] = one.put_in_place(
                    self._index,
                    fingerprint=fingerprints[table.name],
                    meta={STATE_FINGERPRINT: state_fingerprint(state)} if is_state else {},
                )
        self._state = (day, state)

    def _state_of(self, day: str) -> pl.DataFrame:
        if self._state is None or self._state[0] != day:
            self._state = (day, self._read(CORE_REGISTER_STATE, day))
        return self._state[1]

    def _read(self, table: Table, day: str) -> pl.DataFrame:
        try:
            return self._lake.read(table, day=day)
        except LakeError as error:
            raise _UnreadableError(table, day) from error

    def _shares(self, table: Table, day: str) -> Iterator[pl.DataFrame]:
        """Yield the rows of a derived file, some points at a time."""
        try:
            with self._lake.open(table, day=day) as file:
                yield from point_shares(
                    file,
                    most_rows=self._budget.most_rows,
                    on_large=self._budget.on_large(day),
                )
        except (LakeError, FileNotFoundError) as error:
            raise _UnreadableError(table, day) from error
