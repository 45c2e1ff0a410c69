"""A derived table's file of a day while it is written, with what is to be said of it.

Here belongs what is counted and noted of rows on their way into a file. What they are is made in
:mod:`energy_platform.refresh.steps`.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final

from energy_platform.lake.lake import FINGERPRINT, fingerprint_text
from energy_platform.refresh.lake_index import TIME_KEYS
from energy_platform.refresh.results import RefreshedTable
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
    CORE_VIRTUAL_DELTAS,
    CORE_VIRTUAL_INTERVALS,
    CORE_VIRTUAL_READINGS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from energy_platform.lake.lake import Lake, StagedFile
    from energy_platform.refresh.lake_index import Fingerprint, LakeIndex
    from energy_platform.schemas import Table

_STATUS_COLUMNS: Final[Mapping[str, str]] = {
    CORE_READINGS.name: "status",
    CORE_ENERGY_DELTAS.name: "status",
    CORE_REGISTER_REJECTS.name: "reason",
    CORE_REGISTER_STATE.name: "kind",
    CORE_ENERGY_INTERVALS.name: "method",
    CORE_CONSUMPTION_DELTAS.name: "status",
    CORE_CONSUMPTION_INTERVALS.name: "method",
    CORE_VIRTUAL_INTERVALS.name: "method",
    CORE_VIRTUAL_DELTAS.name: "status",
    CORE_VIRTUAL_READINGS.name: "status",
}


class DayTable:
    """One table's file of one day, written share by share.

    Args:
        lake: Where it is to lie.
        table: Contract of its rows.
        day: Partition key.
        file: The file so far.
    """

    def __init__(self, lake: Lake, table: Table, *, day: str, file: StagedFile) -> None:
        self._lake = lake
        self._table = table
        self._day = day
        self._file = file
        self._rows = 0
        self._instants: list[datetime] = []
        self._statuses: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def add(self, frame: pl.DataFrame) -> None:
        """Add the rows of some points, all behind those that were added before."""
        instants = frame[TIME_KEYS[self._table.name][0]]
        self._instants += [
            one for one in (instants.min(), instants.max()) if isinstance(one, datetime)
        ]
        self._rows += frame.height
        self._statuses += _counts(frame, _STATUS_COLUMNS[self._table.name])
        if "reason" in frame.columns:
            self._reasons += _counts(frame, "reason")
        self._file.add(frame)

    def put_in_place(
        self,
        index: LakeIndex,
        *,
        fingerprint: Fingerprint,
        meta: Mapping[str, str] | None = None,
    ) -> RefreshedTable:
        """Make it the day's file, unless that is equal; return what became of it.

        Args:
            index: Notes the file; one that is damaged is removed first.
            fingerprint: What it was made of.
            meta: What else the file is to say of itself, next to the bounds of its instants.
        """
        key = (self._table.name, self._day)
        if key in index.damaged:
            self._lake.path(self._table, day=self._day).unlink(missing_ok=True)
            index.damaged.discard(key)
        _, first_key, last_key = TIME_KEYS[self._table.name]
        first = min(self._instants, default=None)
        last = max(self._instants, default=None)
        bounds = {
            key: instant.isoformat()
            for key, instant in ((first_key, first), (last_key, last))
            if instant is not None
        }
        with self._lake.lock(self._table.name):
            before = self._lake.footer(self._table, day=self._day)
            written = self._file.put_in_place(
                meta={FINGERPRINT: fingerprint_text(fingerprint), **bounds, **(meta or {})},
                before=before,
            )
        table = RefreshedTable(
            rows=self._rows,
            written=written.written,
            changed=written.changed,
            first_at=first,
            last_at=last,
            statuses=dict(sorted(self._statuses.items())),
            reasons=dict(sorted(self._reasons.items())),
        )
        index.put(self._table, day=self._day, footer=written.after)
        return table


@contextmanager
def day_table(lake: Lake, table: Table, *, day: str) -> Iterator[DayTable]:
    """Begin a table's file of a day; it is dropped unless it is put in place."""
    with lake.stage(table, day=day) as file:
        yield DayTable(lake, table, day=day, file=file)


def _counts(frame: pl.DataFrame, column: str) -> Counter[str]:
    return Counter(dict(frame[column].drop_nulls().value_counts().iter_rows()))
