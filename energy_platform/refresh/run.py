"""The refresh: makes derived files follow from what they are made of, day after day.

A day's energy starts from the registers' state at the end of the nearest earlier day, so a change
travels forward until a day's state comes out as it was; from there on every fingerprint matches and
nothing is touched. Each file is renamed into place by itself and carries what it was made of, so a
refresh that was killed anywhere is finished by the next one.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Final

from energy_platform.lake.lake import FINGERPRINT, LakeError, fingerprint_text
from energy_platform.refresh.config_fingerprints import ConfigFingerprints
from energy_platform.refresh.lake_index import (
    ALLOCATED_FROM,
    POINTS,
    STATE_FINGERPRINT,
    TIME_KEYS,
    Fingerprint,
    LakeIndex,
    state_fingerprint,
    table_versions,
)
from energy_platform.refresh.results import (
    BlockedDay,
    Refreshed,
    RefreshedDay,
    RefreshedTable,
    StaleDay,
)
from energy_platform.refresh.steps import (
    RULE_VERSIONS,
    energy_of_day,
    intervals_of_day,
    validate_day,
)
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
    from collections.abc import Callable, Mapping

    import polars as pl

    from energy_platform.lake.lake import Footer, Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.refresh.steps import RuleVersions
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

_STATUS_COLUMNS: Final[Mapping[str, str]] = {
    CORE_READINGS.name: "status",
    CORE_ENERGY_DELTAS.name: "status",
    CORE_REGISTER_REJECTS.name: "reason",
    CORE_REGISTER_STATE.name: "kind",
    CORE_ENERGY_INTERVALS.name: "method",
    CORE_CONSUMPTION_DELTAS.name: "status",
    CORE_CONSUMPTION_INTERVALS.name: "method",
}


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
        if why:
            found.append(StaleDay(day=day, why=tuple(dict.fromkeys(why))))
        is_known = index.stored(CORE_REGISTER_STATE, day=day) is not None
        if is_known:
            before = day
    if not found:
        configs.note_fresh(version, rules=rules)
    configs.save()
    return tuple(found)


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
) -> Refreshed:
    """Make every derived file follow from the raw days, the portfolio and the rules.

    Waits for a refresh that is under way. One day is in memory at a time.

    Args:
        lake: The day files.
        portfolio: The portfolio as it is now.
        on_day: Told of each day that was rebuilt, when its files are in place.
        versions: Of the rules that make the days.

    Returns:
        What was rebuilt, and the days that need an operator.

    Raises:
        LakeError: A derived file cannot be read and cannot be made again, because its raw file
            is gone.
    """
    configs = ConfigFingerprints(portfolio, lake=lake)
    with lake.lock(LOCK):
        while True:
            try:
                return _RefreshRun(lake, configs=configs, versions=versions, on_day=on_day).run()
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


class _RefreshRun:
    """One pass over the days."""

    def __init__(
        self,
        lake: Lake,
        *,
        configs: ConfigFingerprints,
        versions: RuleVersions,
        on_day: Callable[[RefreshedDay], None] | None,
    ) -> None:
        self._lake = lake
        self._configs = configs
        self._on_day = on_day
        self._index = LakeIndex(lake, configs=configs, versions=versions)
        self._state: tuple[str, pl.DataFrame] | None = None

    def run(self) -> Refreshed:
        """Make every day follow, in order."""
        index = self._index
        days = index.days
        done = []
        before: str | None = None
        for day in days:
            try:
                fresh = self._day(day, before=before)
            except Exception as error:
                error.add_note(f"while rebuilding {day}")
                raise
            if fresh is not None:
                done.append(fresh)
                if self._on_day is not None:
                    self._on_day(fresh)
            if index.stored(CORE_REGISTER_STATE, day=day) is not None:
                before = day
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

    def _day(self, day: str, *, before: str | None) -> RefreshedDay | None:
        """Make what is stale of a day; return None when nothing was."""
        index = self._index
        why = list(_readings_differences(index, day))
        tables: dict[str, RefreshedTable] = {}
        merged: Mapping[str, int] = {}
        readings: pl.DataFrame | None = None
        if why:
            readings, merged = self._validate(day, tables)
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
            if readings is None:
                readings = self._read(CORE_READINGS, day)
            outdated = {
                name: fingerprints[name] for name, phrases in differences.items() if phrases
            }
            self._make_energy(day, readings, before=before, fingerprints=outdated, tables=tables)
        del readings
        for table in _INTERVAL_TABLES:
            fingerprint = index.intervals_fingerprint(table, day=day)
            if outdated_by := index.differences(table, day=day, expected=fingerprint):
                why += outdated_by
                tables[table.name] = self._write(
                    table,
                    day,
                    intervals_of_day(table, self._read(ALLOCATED_FROM[table.name], day)),
                    fingerprint=fingerprint,
                )
        if not tables:
            return None
        return RefreshedDay(
            day=day, why=tuple(dict.fromkeys(why)), tables=tables, merged=dict(merged)
        )

    def _validate(
        self, day: str, tables: dict[str, RefreshedTable]
    ) -> tuple[pl.DataFrame | None, Mapping[str, int]]:
        """Make the readings of a day; None when its raw files keep them from being made."""
        index = self._index
        raw: dict[Vendor, pl.DataFrame] = {}
        present = index.raw.get(day, {})
        try:
            for vendor, table in day_tables().items():
                if table.name in present:
                    raw[vendor] = self._read_raw(table, day, present)
        except LakeError as error:
            index.blocked[day] = str(error)
            return None, {}
        if not raw and day in index.blocked:
            return None, {}
        readings, merged = validate_day(
            raw,
            day=day,
            points=self._configs.points,
            states=self._configs.states,
            corrections=self._configs.corrections(day),
        )
        points = self._configs.name_of(readings["point_id"])
        tables[CORE_READINGS.name] = self._write(
            CORE_READINGS,
            day,
            readings,
            fingerprint=index.readings_fingerprint(day, points=points),
            meta={POINTS: points},
        )
        return readings, merged

    def _read_raw(self, table: Table, day: str, present: dict[str, Footer]) -> pl.DataFrame:
        """Read a raw day and note its footer: a pull may have replaced it since it was listed."""
        while True:
            frame = self._lake.read(table, day=day)
            footer = self._lake.footer(table, day=day)
            if footer is None:
                raise LakeError(f"{self._lake.path(table, day=day)}: vanished; run its day again")
            if footer.content_id == present[table.name].content_id:
                return frame
            present[table.name] = footer

    def _make_energy(
        self,
        day: str,
        readings: pl.DataFrame,
        *,
        before: str | None,
        fingerprints: Mapping[str, Fingerprint],
        tables: dict[str, RefreshedTable],
    ) -> None:
        energy = energy_of_day(
            readings,
            points=self._configs.energy_points,
            state=None if before is None else self._state_of(before),
            policies=self._configs.policies(day),
        )
        frames: tuple[tuple[Table, pl.DataFrame, dict[str, str]], ...] = (
            (CORE_ENERGY_DELTAS, energy.deltas, {}),
            (CORE_CONSUMPTION_DELTAS, energy.consumption, {}),
            (CORE_REGISTER_REJECTS, energy.rejects, {}),
            (
                CORE_REGISTER_STATE,
                energy.state,
                {STATE_FINGERPRINT: state_fingerprint(energy.state)},
            ),
        )
        for table, frame, meta in frames:
            if table.name in fingerprints:
                fingerprint = fingerprints[table.name]
                tables[table.name] = self._write(
                    table, day, frame, fingerprint=fingerprint, meta=meta
                )
        self._state = (day, energy.state)

    def _state_of(self, day: str) -> pl.DataFrame:
        if self._state is None or self._state[0] != day:
            self._state = (day, self._read(CORE_REGISTER_STATE, day))
        return self._state[1]

    def _read(self, table: Table, day: str) -> pl.DataFrame:
        try:
            return self._lake.read(table, day=day)
        except LakeError as error:
            raise _UnreadableError(table, day) from error

    def _write(
        self,
        table: Table,
        day: str,
        frame: pl.DataFrame,
        *,
        fingerprint: Fingerprint,
        meta: Mapping[str, str] | None = None,
    ) -> RefreshedTable:
        column, first_key, last_key = TIME_KEYS[table.name]
        first, last = frame[column].min(), frame[column].max()
        bounds = {
            key: instant.isoformat()
            for key, instant in ((first_key, first), (last_key, last))
            if isinstance(instant, datetime)
        }
        if (table.name, day) in self._index.damaged:
            self._lake.path(table, day=day).unlink(missing_ok=True)
            self._index.damaged.discard((table.name, day))
        written = self._lake.write(
            table,
            frame,
            day=day,
            meta={FINGERPRINT: fingerprint_text(fingerprint), **bounds, **(meta or {})},
        )
        self._index.put(table, day=day, footer=written.after)
        return RefreshedTable(
            rows=frame.height,
            written=written.written,
            changed=written.changed,
            first_at=first if isinstance(first, datetime) else None,
            last_at=last if isinstance(last, datetime) else None,
            statuses=_counts(frame, _STATUS_COLUMNS[table.name]),
            reasons=_counts(frame, "reason") if "reason" in frame.columns else {},
        )


def _counts(frame: pl.DataFrame, column: str) -> dict[str, int]:
    counted = frame[column].drop_nulls().value_counts().sort(column)
    return dict(counted.iter_rows())
