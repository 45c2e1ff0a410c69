"""How many rows of a day a refresh works on at once, and what is said when that is too much."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from energy_platform.memory import (
    LEAST,
    MEMORY,
    held_memory,
    memory_for_rows,
    rows_at_once,
    show_memory,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG: Final = logging.getLogger(__name__)


@dataclass(kw_only=True)
class MemoryBudget:
    """What a refresh may use.

    Attributes:
        memory: Bytes that the process may hold.
        held: Bytes that it held before it began.
        most_rows: Rows that are worked on at once.
    """

    memory: int
    held: int
    most_rows: int
    _largest: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, memory: int, *, most_rows: int | None = None) -> Self:
        """Return the budget of this process.

        Args:
            memory: Bytes that it may hold.
            most_rows: Rows that are worked on at once; by default what fits.
        """
        held = held_memory()
        rows = rows_at_once(memory, held=held) if most_rows is None else most_rows
        return cls(memory=memory, held=held, most_rows=rows)

    def on_large(self, day: str) -> Callable[[str, int], None]:
        """Return what warns, once a day, of rows taken at once although there are too many."""

        def warn(point_id: str, rows: int) -> None:
            is_first = day not in self._largest
            self._largest[day] = max(rows, self._largest.get(day, 0))
            if not is_first:
                return
            _LOG.warning(
                "%s: %d rows from %s on are judged together, and %s of %s has room for %d: should "
                "memory run out, set it to %s",
                day,
                rows,
                point_id,
                MEMORY,
                show_memory(self.memory),
                self.most_rows,
                show_memory(memory_for_rows(rows, held=self.held)),
            )

        return warn

    def exhausted(self, day: str) -> str:
        """Return what to say when memory ran out while a day was rebuilt."""
        if day in self._largest:
            needed = show_memory(memory_for_rows(self._largest[day], held=self.held))
            return (
                f"{day}: the readings of one device do not fit into memory; set {MEMORY} to "
                f"{needed}, on a machine that has it, and refresh again"
            )
        less = f", or set {MEMORY} to less" if self.memory > LEAST else ""
        return (
            f"{day}: {MEMORY} lets the refresh use {show_memory(self.memory)}, which the machine "
            f"does not have free. Free memory{less}, and refresh again; the days before are done"
        )
