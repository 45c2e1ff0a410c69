"""What a process that asks again and again keeps of the lake: the code server, tick after tick.

A tick asks the catalogue alone. That the folder holds what the catalogue says is looked at every
few minutes, not at every tick: ten years of days are thirty thousand files, whose times alone take
a third of a second. Whoever writes a file notes it in the catalogue, so that only what was put or
removed by hand, or left by a process that was killed, waits for the next look. Runs and commands
remember nothing.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
    from datetime import timedelta
    from pathlib import Path

    from energy_platform.lake.day_files import CataloguedFile

T = TypeVar("T")

_LOOK_EVERY_S: Final[ContextVar[float | None]] = ContextVar("look_every_s", default=None)
"""How old a look at the folder may be; None: nothing is remembered."""

_LAKES: Final[dict[Path, RememberedFiles]] = {}
_ANSWERS: Final[dict[Hashable, tuple[object, object]]] = {}


@contextmanager
def remembering(*, look_every: timedelta) -> Iterator[None]:
    """Answer from the catalogue and from what this process knows of it already.

    Args:
        look_every: How old a look at the lake's folder may be.
    """
    token = _LOOK_EVERY_S.set(look_every.total_seconds())
    try:
        yield
    finally:
        _LOOK_EVERY_S.reset(token)


def remembered(root: Path) -> RememberedFiles | None:
    """Return what this process remembers of a lake; None where it is to look."""
    if _LOOK_EVERY_S.get() is None:
        return None
    return _LAKES.setdefault(root, RememberedFiles())


def remembered_answer(key: Hashable, *, state: Callable[[], object], read: Callable[[], T]) -> T:
    """Return what a question was answered while its state is as it was; read it where it is not.

    Args:
        key: What is asked.
        state: What is another when the answer may be another.
        read: Gives the answer, which nobody may change. Asked each time where nothing is
            remembered.
    """
    if _LOOK_EVERY_S.get() is None:
        return read()
    # First, so that an answer is never older than the state it is kept with.
    now = state()
    known = _ANSWERS.get(key)
    if known is None or known[0] != now:
        known = _ANSWERS[key] = (now, read())
    return cast("T", known[1])


class RememberedFiles:
    """The catalogue's rows of one lake at a version, and when the folder was looked at.

    Attributes:
        lock: To be held while it is brought up to date.
        version: The version of the lake at which the rows are known; 0: none is.
    """

    def __init__(self) -> None:
        self.lock: Final = threading.Lock()
        self.version = 0
        self._looked_at: float | None = None
        self._files: dict[str, dict[str, CataloguedFile]] = {}

    @property
    def is_looked_at(self) -> bool:
        """Whether the folder was looked at so lately that the catalogue can be taken to know it."""
        every = _LOOK_EVERY_S.get()
        if every is None or self._looked_at is None:
            return False
        return time.monotonic() - self._looked_at < every

    def note_look(self) -> None:
        """Keep that the folder was looked at just now."""
        self._looked_at = time.monotonic()

    def forget(self) -> None:
        """Begin again: the catalogue is another one."""
        self.version = 0
        self._files.clear()

    def add(self, files: Iterable[CataloguedFile], *, version: int) -> None:
        """Take the rows that changed up to a version."""
        for one in files:
            self._files.setdefault(one.table, {})[one.day] = one
        self.version = version

    def __len__(self) -> int:
        """Return how many rows are known."""
        return sum(map(len, self._files.values()))

    def files(
        self, tables: Collection[str], *, since: str | None = None
    ) -> tuple[CataloguedFile, ...]:
        """Return the files of some tables, or of all, by table and day in order."""
        return tuple(
            days[day]
            for table, days in sorted(self._files.items())
            if not tables or table in tables
            for day in sorted(days)
            if since is None or day >= since
        )
