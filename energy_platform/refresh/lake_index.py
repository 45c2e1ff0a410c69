"""What the catalogue says of the lake, next to what it should say: the question of a refresh.

Here belongs what a derived file should be made of, and in what a stored one differs from it. How
it is made is in :mod:`energy_platform.refresh.steps`, in what order in
:mod:`energy_platform.refresh.run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.lake.digests import digest_of
from energy_platform.lake.lake import fingerprint_of
from energy_platform.lake.parquet import content_id
from energy_platform.refresh.config_fingerprints import UnknownPointSetError
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
    CORE_TABLES,
    CORE_VIRTUAL_DELTAS,
    CORE_VIRTUAL_INTERVALS,
    CORE_VIRTUAL_READINGS,
    DERIVED_TABLES,
    VIRTUAL_TABLES,
)
from energy_platform.sources.registry import day_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.lake.lake import Footer, Lake
    from energy_platform.refresh.config_fingerprints import ConfigFingerprints, Purpose
    from energy_platform.refresh.steps import RuleVersions
    from energy_platform.schemas import Table

POINTS: Final = "points"
"""Footer key of readings: name of the set of points that occur in the day."""

STATE_FINGERPRINT: Final = "carry"
"""Footer key of states: digest of all that can change the next day's deltas, so without totals."""

FIRST_AT: Final = "first_at"
LAST_AT: Final = "last_at"
BUCKET_MIN: Final = "bucket_min"
BUCKET_MAX: Final = "bucket_max"

TIME_KEYS: Final[Mapping[str, tuple[str, str, str]]] = {
    CORE_READINGS.name: ("at", FIRST_AT, LAST_AT),
    CORE_ENERGY_DELTAS.name: ("end_at", FIRST_AT, LAST_AT),
    CORE_REGISTER_REJECTS.name: ("at", FIRST_AT, LAST_AT),
    CORE_REGISTER_STATE.name: ("at", FIRST_AT, LAST_AT),
    CORE_ENERGY_INTERVALS.name: ("interval_start", BUCKET_MIN, BUCKET_MAX),
    CORE_CONSUMPTION_DELTAS.name: ("end_at", FIRST_AT, LAST_AT),
    CORE_CONSUMPTION_INTERVALS.name: ("interval_start", BUCKET_MIN, BUCKET_MAX),
    CORE_VIRTUAL_INTERVALS.name: ("interval_start", BUCKET_MIN, BUCKET_MAX),
    CORE_VIRTUAL_DELTAS.name: ("end_at", FIRST_AT, LAST_AT),
    CORE_VIRTUAL_READINGS.name: ("at", FIRST_AT, LAST_AT),
}
"""Per derived table its time column and the footer keys of its bounds: ISO, absent without rows."""

ALLOCATED_FROM: Final[Mapping[str, Table]] = {
    CORE_ENERGY_INTERVALS.name: CORE_ENERGY_DELTAS,
    CORE_CONSUMPTION_INTERVALS.name: CORE_CONSUMPTION_DELTAS,
}
"""Per table of intervals the steps it is made from."""

ENERGY_TABLES: Final = (
    CORE_ENERGY_DELTAS,
    CORE_CONSUMPTION_DELTAS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
)
"""Made together from the same readings and state."""

INTERVAL_TABLES: Final = (CORE_ENERGY_INTERVALS, CORE_CONSUMPTION_INTERVALS)
"""Made from the steps of their day alone."""

_NONE_BEFORE: Final = "none"

_RULES: Final = "rules"
_PORTFOLIO: Final = "portfolio"

Fingerprint = dict[str, str]
"""Content ids, digests and versions by name: what a file was made of."""


class LakeIndex:
    """The footers of the lake at one moment, kept up to date by the run.

    Attributes:
        raw: Per day the footers of its raw files, by table name.
        blocked: Per day what is wrong with its raw files.
    """

    def __init__(self, lake: Lake, *, configs: ConfigFingerprints, versions: RuleVersions) -> None:
        self._lake = lake
        self._configs = configs
        self._versions: Final = table_versions(versions)
        self.raw: Final[dict[str, dict[str, Footer]]] = {}
        self.blocked: Final[dict[str, str]] = {}
        self.damaged: Final[set[tuple[str, str]]] = set()
        self._core: Final[dict[str, dict[str, Footer]]] = {
            table.name: {} for table in DERIVED_TABLES
        }
        for one in lake.day_files(*day_tables().values(), *DERIVED_TABLES):
            if one.table in self._core:
                if one.footer is None:
                    self.damaged.add((one.table, one.day))
                else:
                    self._core[one.table][one.day] = one.footer
            elif one.footer is None:
                self.blocked[one.day] = one.damage
            else:
                self.raw.setdefault(one.day, {})[one.table] = one.footer
        for day, footer in self._core[CORE_READINGS.name].items():
            self._block_vanished(day, footer)

    @property
    def days(self) -> list[str]:
        """Every day that has a raw or a derived file, in order; virtual points add none."""
        core = (day for table in CORE_TABLES for day in self._core[table.name])
        damaged = (day for name, day in self.damaged if name not in _VIRTUAL_NAMES)
        return sorted({*self.raw, *self.blocked, *core, *damaged})

    def stored(self, table: Table, *, day: str) -> Footer | None:
        """Return the footer of a derived file, None when it is missing or damaged."""
        return self._core[table.name].get(day)

    def put(self, table: Table, *, day: str, footer: Footer) -> None:
        """Note a derived file that was written."""
        self._core[table.name][day] = footer

    def days_of(self, table: Table) -> list[str]:
        """Return the days that have a sound file of a derived table, in order."""
        return sorted(self._core[table.name])

    def point_sets(self) -> set[str]:
        """Return the names of all sets of points that days refer to."""
        return {
            footer.meta[POINTS]
            for footer in self._core[CORE_READINGS.name].values()
            if POINTS in footer.meta
        }

    def version_of(self, table: Table) -> str:
        """Return the version of the rules of a derived table."""
        return self._versions[table.name]

    def readings_fingerprint(self, day: str, *, points: str | None) -> Fingerprint:
        """Return what the readings of a day should be made of.

        Args:
            day: Partition key.
            points: Name of the set of points that occur in the day, None when unknown.
        """
        expected = {name: footer.content_id for name, footer in self.raw.get(day, {}).items()}
        expected[_RULES] = self._versions[CORE_READINGS.name]
        expected[_PORTFOLIO] = (
            "" if points is None else self._config("readings", day, points=points)
        )
        return expected

    def readings_differences(self, day: str) -> tuple[str, ...]:
        """Say why the readings of a day do not follow from its raw files; empty where they do."""
        stored = self.stored(CORE_READINGS, day=day)
        if day in self.blocked and stored is not None:
            return ()
        points = None if stored is None else stored.meta.get(POINTS)
        fingerprint = self.readings_fingerprint(day, points=points)
        return self.differences(CORE_READINGS, day=day, expected=fingerprint)

    def energy_fingerprint(self, table: Table, *, day: str, before: str | None) -> Fingerprint:
        """Return what a day's deltas, rejects or state should be made of.

        Args:
            table: One of the four.
            day: Partition key; its readings are in place.
            before: The nearest earlier day with a state, None when there is none.
        """
        readings = self._core[CORE_READINGS.name][day]
        state = None if before is None else self._core[CORE_REGISTER_STATE.name][before]
        expected = {
            CORE_READINGS.name: readings.content_id,
            STATE_FINGERPRINT: _NONE_BEFORE
            if state is None
            else state.meta.get(STATE_FINGERPRINT, ""),
            _RULES: self._versions[table.name],
            _PORTFOLIO: self._config("energy", day, points=readings.meta.get(POINTS, "")),
        }
        if table is CORE_REGISTER_STATE:
            expected[table.name] = _NONE_BEFORE if state is None else state.content_id
        return expected

    def intervals_fingerprint(self, table: Table, *, day: str) -> Fingerprint:
        """Return what the intervals of a day, of energy or of consumption, should be made of."""
        source = ALLOCATED_FROM[table.name]
        deltas = self._core[source.name][day]
        return {source.name: deltas.content_id, _RULES: self._versions[table.name]}

    def differences(
        self, table: Table, *, day: str, expected: Fingerprint, ignore_state: bool = False
    ) -> tuple[str, ...]:
        """Say in what a derived file differs from what it should be made of; empty: fresh.

        Args:
            table: Contract of the derived table.
            day: Partition key.
            expected: What the file should be made of.
            ignore_state: Whether to leave out the state before the day, because it is not known.
        """
        if (table.name, day) in self.damaged:
            return (f"{table.name} is damaged",)
        stored = self.stored(table, day=day)
        if stored is None:
            return (f"{table.name} is missing",)
        was = fingerprint_of(stored)
        return tuple(
            _PHRASES.get(key, "{key} changed").format(key=key, table=table.name)
            for key in sorted(was.keys() | expected.keys())
            if was.get(key) != expected.get(key) and not (ignore_state and key in _STATE_KEYS)
        )

    def _config(self, purpose: Purpose, day: str, *, points: str) -> str:
        try:
            return self._configs.fingerprint(purpose, day=day, points=points)
        except UnknownPointSetError:
            present = self._lake.scan(CORE_READINGS, days=[day]).select(pl.col("point_id").unique())
            again = self._configs.name_of(present.collect(engine="streaming")["point_id"])
            return self._configs.fingerprint(purpose, day=day, points=again)

    def _block_vanished(self, day: str, readings: Footer) -> None:
        present = self.raw.get(day, {})
        vanished = sorted(
            key for key in fingerprint_of(readings) if key in _RAW_NAMES and key not in present
        )
        if vanished and day not in self.blocked:
            names = " and ".join(f"{name}/day={day}" for name in vanished)
            self.blocked[day] = (
                f"{names}: the raw file vanished, its readings are kept. Run its day again; or, to "
                f"give up its readings, remove {CORE_READINGS.name}/day={day}"
            )


def table_versions(versions: RuleVersions) -> dict[str, str]:
    """Return the version of the rules of each derived table, the shape of its columns in it."""
    of_table = {
        CORE_READINGS: versions.readings,
        CORE_ENERGY_DELTAS: versions.energy,
        CORE_REGISTER_STATE: versions.energy,
        CORE_REGISTER_REJECTS: versions.energy,
        CORE_ENERGY_INTERVALS: versions.intervals,
        CORE_CONSUMPTION_DELTAS: versions.energy,
        CORE_CONSUMPTION_INTERVALS: versions.intervals,
        **dict.fromkeys(VIRTUAL_TABLES, versions.virtual),
    }
    return {table.name: f"{version} {_shape(table)}" for table, version in of_table.items()}


def _shape(table: Table) -> str:
    return digest_of(repr(dict(table.schema)), size=4)


def state_fingerprint(state: pl.DataFrame) -> str:
    """Return a digest of what the next day's deltas can depend on: all but the totals of energy.

    So energy that changed in the past moves the totals of all later days, and nothing else.
    """
    is_total = pl.col("kind") == "good"
    return content_id(state.with_columns(total_wh=pl.when(~is_total).then("total_wh")))


_RAW_NAMES: Final = frozenset(table.name for table in day_tables().values())

_VIRTUAL_NAMES: Final = frozenset(table.name for table in VIRTUAL_TABLES)

_STATE_KEYS: Final = frozenset({STATE_FINGERPRINT, CORE_REGISTER_STATE.name})

_PHRASES: Final = {
    _RULES: "rules of {table} changed",
    _PORTFOLIO: "the portfolio changed for points of the day ({table})",
    STATE_FINGERPRINT: "the registers' state before the day changed",
    CORE_REGISTER_STATE.name: "the registers' totals before the day changed",
}
"""How a difference is shown; other names are those of tables."""
