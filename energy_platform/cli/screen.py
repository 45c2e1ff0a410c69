"""Findings on one screen of output: the worst first, the rest counted and left to ``--verbose``.

A screen is the smallest that people have, whatever is larger: what fits there can be taken in at a
glance, is the same in a mail, and a pipe gets no other text than a terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROWS: Final = 22
"""Rows of a screen of 24 without the typed command and the next prompt."""

COLUMNS: Final = 80

_MOST_ROWS: Final = 3
"""Rows that one line may take on the screen; a longer one says that ``--verbose`` has it whole."""

_REST: Final = " … (whole by --verbose)"


@dataclass(frozen=True, kw_only=True)
class Section:
    """Something that is said in one line, and in more where there is room.

    Attributes:
        title: The line that always stands.
        lines: Lines below it, the most important first.
        style: How a terminal shows the title.
    """

    title: str
    lines: Sequence[str] = ()
    style: str = ""


def fitted(sections: Iterable[Section], *, taken: int = 0) -> list[Section]:
    """Return sections that fit on one screen: all titles, and of the lines what has room.

    Args:
        sections: In the order of their weight: the first gets its lines first.
        taken: Rows that are printed besides them.

    Example:
        >>> [one.lines for one in fitted([Section(title="late", lines=["a", "b"])], taken=20)]
        [['and 2 more; --verbose lists all']]
    """
    wanted = [(one, [_shortened(line) for line in one.lines]) for one in sections]
    left = ROWS - taken - sum(rows_of(one.title) for one, _ in wanted)
    shown = []
    for one, lines in wanted:
        kept: list[str] = []
        for n, line in enumerate(lines):
            rest = 1 if n + 1 < len(lines) else 0
            if rows_of(f"  {line}") + rest > left:
                break
            kept.append(line)
            left -= rows_of(f"  {line}")
        if (more := len(lines) - len(kept)) and left > 0:
            kept.append(f"and {more} more; --verbose lists all")
            left -= 1
        shown.append(Section(title=one.title, lines=kept, style=one.style))
    return shown


def counted(number: int, what: str) -> str:
    """Return a number with what is counted, which takes an s for all but one.

    Example:
        >>> counted(1, "warning"), counted(2, "warning")
        ('1 warning', '2 warnings')
    """
    return f"{number} {what}" + ("" if number == 1 else "s")


def rows_of(line: str) -> int:
    """Return how many rows of the screen a line takes."""
    return max(1, -(-len(line) // COLUMNS))


def _shortened(line: str) -> str:
    """Return a line of three rows at most; what is left of it ends with a whole word."""
    room = _MOST_ROWS * COLUMNS - 2
    if len(line) <= room:
        return line
    return line[: room - len(_REST)].rsplit(" ", 1)[0] + _REST
