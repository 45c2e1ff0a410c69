"""Signs of life of a command that takes longer than a person waits in peace: standard error only.

A terminal shows one moving line, which is gone when the output begins. Whatever else standard error
is (a log, a mail of cron) gets a plain line every so often. Standard output has nothing of it.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from energy_platform.cli.console import error_console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHOWN_AFTER_S: Final = 1.0
"""Seconds until a terminal shows it: what is quicker must not flicker."""

FIRST_LINE_S: Final = 3.0
"""Seconds until a log gets its first line."""

LINES_EVERY_S: Final = 15.0
"""Seconds between the lines of a log."""


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show that a command works while the context lasts; print nothing within it.

    Args:
        what: What it is doing, such as ``reading the lake``.

    Yields:
        Takes what is done next, in place of what was.
    """
    doing = [what]
    ended = threading.Event()
    show = _moving if sys.stderr.isatty() else _lines
    thread = threading.Thread(target=show, args=(doing, ended), daemon=True)
    thread.start()
    try:
        yield lambda step: doing.__setitem__(0, step)
    finally:
        ended.set()
        thread.join()


def _moving(doing: list[str], ended: threading.Event) -> None:
    began = time.monotonic()
    if ended.wait(SHOWN_AFTER_S):
        return
    to = error_console()
    with to.status("") as status:
        while not ended.wait(0.2):
            seconds = time.monotonic() - began
            status.update(f"[dim]{doing[0]}, {seconds:.0f} s[/dim]")


def _lines(doing: list[str], ended: threading.Event) -> None:
    began = time.monotonic()
    pause = FIRST_LINE_S
    while not ended.wait(pause):
        seconds = time.monotonic() - began
        error_console().print(f"{doing[0]}: {seconds:.0f} s so far", markup=False, highlight=False)
        pause = LINES_EVERY_S
