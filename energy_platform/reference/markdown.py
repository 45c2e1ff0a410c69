"""Markdown that any text may be put into."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    r"""Return a text as a cell of a table holds it: on one line, and no markup.

    >>> cell("a | b,\nsuch as <id> or [x]")
    'a \\| b, such as \\<id> or \\[x]'
    """
    whole = " ".join(str(text).split())
    for sign in ("\\", "|", "<", "*", "[", "_", "`", "$", "{"):
        whole = whole.replace(sign, f"\\{sign}")
    return whole


def code(text: object) -> str:
    r"""Return a text as code in a cell; nothing for an empty one.

    >>> code("Load|1")
    '`Load\\|1`'
    """
    whole = " ".join(str(text).split()).replace("|", "\\|")
    fence = "``" if "`" in whole else "`"
    return f"{fence}{whole}{fence}" if whole else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown already.

    >>> print(table(["a", "b"], [["1", "2"]]), end="")
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(
        f"|{'|'.join(line)}|\n" if line and line[0] == "---" else f"| {' | '.join(line)} |\n"
        for line in lines
    )
