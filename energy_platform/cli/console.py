"""The consoles, tables and texts of the command line: what a pipe gets and what a terminal gets.

A pipe gets every line whole, however long: programs read lines, and a path or a command that is
broken in two cannot be pasted. A terminal breaks long lines itself, without adding line breaks to
what is copied from it; a table that would break a word there, such as an id, is printed as one line
per row. Words of vendors are data: their control characters are shown, never sent.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import unicodedata
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from rich.console import Console as RichConsole
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

WIDE: Final = 1_000_000
"""Columns of a pipe: more than any line has. Tables take what they need, not what there is."""

_CONTROLS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, break the line or cannot be written."""

_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that show what follows in another order than it stands (CVE-2021-42574)."""


class _LineConsole(RichConsole):
    """A console whose messages are never broken into lines, nor carry control characters."""

    def print(self, *objects: Any, **options: Any) -> None:
        if len(objects) == 1 and isinstance(objects[0], Table) and self._breaks(objects[0]):
            objects = ("\n".join(_row_lines(objects[0])),)
            options |= {"markup": False, "highlight": False}
        cleaned = [visible(one, keep="\n\t") if isinstance(one, str) else one for one in objects]
        if all(isinstance(one, str | Text) for one in objects):
            options.setdefault("soft_wrap", True)
        super().print(*cleaned, **options)

    def on_broken_pipe(self) -> None:
        """Leave it to `app.run`, which knows how a command ends that nobody reads."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    def _breaks(self, shown: Table) -> bool:
        """Say whether a table has to break a word to fit."""
        wide = self.options.update(width=WIDE)
        return Measurement.get(self, wide, shown).minimum > self.width


def _row_lines(shown: Table) -> list[str]:
    """Return a table's rows as one line each: the first cell, then what the others are called."""
    heads, *columns = (
        [str(column.header).strip(), *map(str, column.cells)] for column in shown.columns
    )
    return [
        "; ".join([first, *(f"{head} {cell}" for head, cell in named if cell)])
        for n, first in enumerate(heads[1:], 1)
        for named in [[(one[0], one[n]) for one in columns]]
    ]


def console(file: IO[str] | None = None) -> Console:
    """Return the console for a command's output.

    Args:
        file: Where to; standard output by default.
    """
    target = sys.stdout if file is None else file
    # COLUMNS is the width of a terminal; what it says does not hold for a pipe or a file.
    return _LineConsole(file=target, width=None if target.isatty() else WIDE)


def error_console() -> Console:
    """Return the console for messages that are not the command's output: standard error."""
    return console(sys.stderr)


def print_error(to: Console, message: str) -> None:
    """Print one message for the person at the terminal; nothing in it is markup."""
    to.print(Text.assemble(("error:", "bold red"), " ", visible(message, keep="\n")))


def table(*columns: str, **options: Any) -> Table:
    """Return a table whose cells are shown whole: folded on a terminal, never cut.

    Args:
        columns: Heads of the columns.
        options: As of `rich.table.Table`.
    """
    options.setdefault("header_style", "bold")
    found = Table(**options)
    for column in columns:
        found.add_column(Text(visible(column)), overflow="fold")
    return found


def add_row(to: Table, *cells: object) -> None:
    """Add cells as they are: words of a vendor are neither markup nor commands of a terminal."""
    to.add_row(*(Text("" if cell is None else visible(str(cell))) for cell in cells))


def program() -> str:
    """Return how this program is called in a shell: by its name where the PATH leads to it."""
    name = "energy-platform"
    script = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if not script.exists() or (found is not None and Path(found).samefile(script)):
        return name
    here = Path.cwd()
    return str(script.relative_to(here) if script.is_relative_to(here) else script)


def visible(text: str, *, keep: str = "") -> str:
    r"""Return a text with its control characters written as escapes.

    Args:
        text: Any text, such as a serial number as a vendor says it.
        keep: Control characters that stay, such as the line break of a message of several lines.

    Example:
        >>> visible("SN\x1b[2J")
        'SN\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(one if one in keep or not _is_control(one) else _escaped(one) for one in text)


def _is_control(one: str) -> bool:
    return one in _BIDI or unicodedata.category(one) in _CONTROLS


def _escaped(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")
