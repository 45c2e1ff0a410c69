"""The refresh: makes derived files follow from what they are made of, day after day.

A day's energy starts from the registers' state at the end of the nearest earlier day, so a change
travels forward until a day's state comes out as it was; from there on every fingerprint matches and
nothing is touched. Each file is renamed into place by itself and carries what it was made of, so a
refresh that was killed anywhere is finished by the next one.
"""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.lake.lake import LakeError
from energy_platform.memory import default_memory
from energy_platform.refresh.config_fingerprints import ConfigFingerprints
from energy_platform.refresh.day_table import day_table
from energy_platform.refresh.lake_index import (
    ALLOCATED_FROM,
    ENERGY_TABLES,
    INTERVAL_TABLES,
    POINTS,
    STATE_FINGERPRINT,
    Fingerprint,
    LakeIndex,
    state_fingerprint,
)
from energy_platform.refresh.memory_budget import MemoryBudget
from energy_platform.refresh.results import (
    BlockedDay,
    Refreshed,
    RefreshedDay,
    RefreshedTable,
)
from energy_platform.refresh.shares import point_shares, raw_shares
from energy_platform.refresh.steps import (
    RULE_VERSIONS,
    energy_of_day,
    intervals_of_day,
    validate_day,
)
from energy_platform.refresh.virtual import VirtualRefresh
from energy_platform.schemas import CORE_READINGS, CORE_REGISTER_STATE
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

_ROOM_OF_INTERVALS: Final = 3
"""A day takes a third of its room while its steps become intervals: 320 bytes a row, measured."""

_LOG: Final = logging.getLogger(__name__)


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

    Waits for a refresh that is under way. One day is in memory at a time, or up to three where they
    fit: readings of the next are judged while a day becomes energy and the one before intervals. Of
    a day that does not fit, some points at a time. The files are the same.

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


@dataclass
class _DayUnderWay:
    """A day on its way through the stages.

    Attributes:
        day: The day.
        why: Why files are made again; empty where none is.
        tables: The files that were made, by table name.
        merged: Readings merged away, by kind of repetition.
        readings: Its rows, where they were made at once; whoever works on them takes them out, so
            that they are not in memory for longer.
    """

    day: str
    why: list[str] = field(default_factory=list)
    tables: dict[str, RefreshedTable] = field(default_factory=dict)
    merged: Mapping[str, int] = field(default_factory=dict)
    readings: list[pl.DataFrame] = field(default_factory=list)


def _thread(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)


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
        done = []
        for fresh in self._days():
            done.append(fresh)
            if self._on_day is not None:
                self._on_day(fresh)
        done = self._with_virtual(done)
        if done:
            self._configs.forget_sets_except(index.point_sets())
        self._configs.save()
        return Refreshed(
            days=tuple(done),
            blocked=tuple(
                BlockedDay(day=day, why=why) for day, why in sorted(index.blocked.items())
            ),
            seen=len(index.days),
        )

    def _days(self) -> Iterator[RefreshedDay]:
        """Make every day follow; yield those that were rebuilt, when their files are in place.

        Readings depend on no other day, energy on the day before, and what quarter-hours get on the
        energy of their day: three stages, which work on three days at once where these fit.
        """
        index = self._index
        days = index.days
        before: str | None = None
        with _thread("readings") as readings, _thread("intervals") as intervals:
            judged: Future[_DayUnderWay] | None = None
            made: Future[RefreshedDay | None] | None = None
            for last, day, following in zip([None, *days], days, [*days[1:], None], strict=False):
                one = self._judge(day) if judged is None else judged.result()
                at_once = self._fit(last, day, following)
                judged = (
                    None
                    if following is None or not at_once
                    else readings.submit(self._judge, following)
                )
                self._make_energy(one, before=before)
                one.readings.clear()
                if made is not None and (fresh := made.result()) is not None:
                    yield fresh
                made = intervals.submit(self._make_intervals, one)
                if not at_once:
                    wait([made])
                if index.stored(CORE_REGISTER_STATE, day=day) is not None:
                    before = day
            if made is not None and (fresh := made.result()) is not None:
                yield fresh

    @contextmanager
    def _named(self, day: str) -> Iterator[None]:
        """Let an error say which day it met."""
        try:
            yield
        except MemoryError as error:
            raise OutOfMemoryError(self._budget.exhausted(day)) from error
        except Exception as error:
            error.add_note(f"while rebuilding {day}")
            raise

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

    def _fit(self, last: str | None, day: str, following: str | None) -> bool:
        """Whether some days may be worked on at once; the last one's intervals are all it lacks."""

        def rows(of: str | None) -> int:
            return sum(file.rows for file in self._index.raw.get(of or "", {}).values())

        at_once = rows(last) // _ROOM_OF_INTERVALS + rows(day) + rows(following)
        return at_once <= self._budget.most_rows

    def _judge(self, day: str) -> _DayUnderWay:
        """Make the readings of a day where they are stale."""
        one = _DayUnderWay(day)
        with self._named(day):
            one.why += self._index.readings_differences(day)
            if one.why:
                self._validate(one)
        return one

    def _make_energy(self, one: _DayUnderWay, *, before: str | None) -> None:
        """Make what steps and state are stale of a day with readings."""
        index, day = self._index, one.day
        if index.stored(CORE_READINGS, day=day) is None:
            return
        with self._named(day):
            fingerprints = {
                table.name: index.energy_fingerprint(table, day=day, before=before)
                for table in ENERGY_TABLES
            }
            differences = {
                table.name: index.differences(table, day=day, expected=fingerprints[table.name])
                for table in ENERGY_TABLES
            }
            if not any(differences.values()):
                return
            one.why += [phrase for phrases in differences.values() for phrase in phrases]
            shares = (
                iter([one.readings.pop()]) if one.readings else self._shares(CORE_READINGS, day)
            )
            self._write_energy(
                one,
                shares,
                before=before,
                fingerprints={
                    name: fingerprints[name] for name, phrases in differences.items() if phrases
                },
            )

    def _make_intervals(self, one: _DayUnderWay) -> RefreshedDay | None:
        """Make what intervals are stale of a day; return None when nothing of it was stale."""
        index, day = self._index, one.day
        if index.stored(CORE_READINGS, day=day) is None:
            return None
        with self._named(day):
            for table in INTERVAL_TABLES:
                fingerprint = index.intervals_fingerprint(table, day=day)
                outdated_by = index.differences(table, day=day, expected=fingerprint)
                if not outdated_by:
                    continue
                one.why += outdated_by
                with day_table(self._lake, table, day=day) as written:
                    for deltas in self._shares(ALLOCATED_FROM[table.name], day):
                        written.add(intervals_of_day(table, deltas))
                        del deltas
                    one.tables[table.name] = written.put_in_place(index, fingerprint=fingerprint)
        if not one.tables:
            return None
        return RefreshedDay(
            day=day,
            why=tuple(dict.fromkeys(one.why)),
            tables=dict(one.tables),
            merged=dict(one.merged),
        )

    def _validate(self, one: _DayUnderWay) -> None:
        """Make the readings of a day, or note what blocks it."""
        index, day = self._index, one.day
        present = index.raw.get(day, {})
        wanted = {vendor: table for vendor, table in day_tables().items() if table.name in present}
        if not wanted and day in index.blocked:
            return
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
                one.tables[CORE_READINGS.name] = written.put_in_place(
                    index,
                    fingerprint=index.readings_fingerprint(day, points=name),
                    meta={POINTS: name},
                )
        except _BlockedError as error:
            index.blocked[day] = str(error)
            return
        one.merged = merged
        one.readings += [] if readings is None else [readings]

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

    def _write_energy(
        self,
        one: _DayUnderWay,
        shares: Iterable[pl.DataFrame],
        *,
        before: str | None,
        fingerprints: Mapping[str, Fingerprint],
    ) -> None:
        day = one.day
        with ExitStack() as stack:
            written = {
                table: stack.enter_context(day_table(self._lake, table, day=day))
                for table in ENERGY_TABLES
                if table.name in fingerprints
            }

            def add(share: EnergyShare) -> None:
                for table, frame in zip(ENERGY_TABLES, share, strict=False):
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
            for table, file in written.items():
                is_state = table is CORE_REGISTER_STATE
                one.tables[table.name] = file.put_in_place(
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
