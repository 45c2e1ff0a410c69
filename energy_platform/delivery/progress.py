"""Counts what a push does, stream by stream, and tells how far it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from energy_platform.delivery.outcome import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from energy_platform.delivery.tasks import SendTask

TELL_EVERY_S: Final = 1.0
"""How often a push tells how far it is."""


class ProgressCounter:
    """The counts of one push.

    Args:
        of_streams: Streams in all.
        on_progress: Told now and then.
    """

    def __init__(self, *, of_streams: int, on_progress: Callable[[Progress], None] | None) -> None:
        self._of_streams = of_streams
        self._on_progress = on_progress
        self._streams: dict[str, tuple[int, int, int]] = {}
        self._acknowledged = 0
        self._refused = 0
        self._heard_at: float | None = None
        self._told_at = float("-inf")
        self.planned = 0
        """Packets planned or found pending so far."""

    def add(self, task: SendTask) -> None:
        """Count a task that ended."""
        if task.acknowledged or task.refused:
            self._heard_at = time.monotonic()
        stream_id = task.plan.stream.id
        sent, acknowledged, refused = self.of(stream_id)
        self._streams[stream_id] = (
            sent + task.sent,
            acknowledged + task.acknowledged,
            refused + task.refused,
        )
        self._acknowledged += task.acknowledged
        self._refused += task.refused

    def of(self, stream_id: str) -> tuple[int, int, int]:
        """Return how many packets of a stream were sent, acknowledged and refused."""
        return self._streams.get(stream_id, (0, 0, 0))

    def heard_since(self, moment: float) -> bool:
        """Whether any stream got through after a moment of the monotonic clock."""
        return self._heard_at is not None and self._heard_at >= moment

    def tell(self, in_hand: Iterable[SendTask], *, waiting: int, at_last: bool = False) -> None:
        """Tell how far the push is, unless that was told a moment ago."""
        now = time.monotonic()
        if self._on_progress is None or (now - self._told_at < TELL_EVERY_S and not at_last):
            return
        self._told_at = now
        working = list(in_hand)
        self._on_progress(
            Progress(
                planned=self.planned,
                acknowledged=self._acknowledged + sum(task.acknowledged for task in working),
                refused=self._refused + sum(task.refused for task in working),
                streams=self._of_streams - len(working) - waiting,
                of_streams=self._of_streams,
            )
        )
