"""Additions to a portfolio's text that leave every other byte of it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import yaml

from energy_platform.discovery.yaml_entries import indented
from energy_platform.portfolio.schema import MODELINE
from energy_platform.portfolio.text import compose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.discovery.yaml_entries import Lines

NEW_FILE: Final = f"""\
{MODELINE}
# Sites, devices and points, guessed by `energy-platform discover` from the vendors' inventories.
# Look for TO CONFIRM: these are things that no vendor says. Edit freely: running discover again
# adds what is new and changes nothing that is there. `confidence` says how sure a guess is; remove
# it once you have looked: a figure that rests on an entry with it is published as unconfirmed.
# A date without a time (`until`; `from` and `to` of a correction) is the start of that day on the
# site's clock.
version: 1

sites: []

device_types: {{}}

devices: []
"""
"""What a first portfolio begins as."""

_STEP: Final = 2


class TextError(ValueError):
    """The text is laid out in a way that additions cannot be made without rewriting it."""


class PortfolioText:
    """A portfolio's text with additions to come.

    Args:
        text: A portfolio that loads.
    """

    def __init__(self, text: str) -> None:
        # A byte order mark stays in front; places are counted behind it.
        self._mark = "\ufeff" * text.startswith("\ufeff")
        self._text = text = text.removeprefix("\ufeff")
        self._break = "\r\n" if "\r\n" in text else "\n"
        node = compose(text)
        if not isinstance(node, yaml.MappingNode):
            raise TextError("expected a mapping with version, sites and devices")
        self._root = node
        if node.flow_style:
            raise TextError("the file is written in braces; write it in block style")
        self._changes: list[tuple[int, int, str]] = []
        self._sections: list[str] = []

    def add(self, section: str, lines: Sequence[str]) -> None:
        """Add entries at the end of a section: items of a list, or members of a mapping.

        Raises:
            TextError: The section is written in flow style and is not empty.
        """
        if not lines:
            return
        found = _member(self._root, section)
        if found is None:
            block = f"{section}:{self._break}{self._joined(indented(lines, by=_STEP))}"
            self._sections.append(block)
            return
        key, value = found
        if _is_empty(value):
            self._fill(key, value, indented(lines, by=key.start_mark.column + _STEP))
            return
        if not isinstance(value, yaml.CollectionNode) or value.flow_style:
            raise TextError(
                f"line {key.start_mark.line + 1}: {section} is written in brackets; write it as "
                "one entry per line, so that entries can be added"
            )
        column = value.start_mark.column
        self._insert(self._end_of(value, column=column), indented(lines, by=column))

    def has(self, section: str) -> bool:
        """Return whether a section is there, alive or as a comment."""
        return _member(self._root, section) is not None or f"\n# {section}:" in self._text

    def remark(self, section: str, lines: Sequence[str]) -> None:
        """Add comment lines at the left margin behind a section, with a blank line before them."""
        found = _member(self._root, section)
        if not lines:
            return
        if found is None:
            self._sections.append(self._joined(lines))
            return
        key, value = found
        at = (
            self._line_end(max(value.end_mark.index, key.end_mark.index))
            if _is_empty(value)
            else self._end_of(value, column=value.start_mark.column)
        )
        self._insert(at, ["", *lines])

    def add_points(self, path: Sequence[str | int], lines: Lines) -> bool:
        """Add comments behind a list of points.

        Args:
            path: Keys and positions that lead to the list.
            lines: Comment lines.

        Returns:
            Whether there is such a list in block style.
        """
        node = self._at(path)
        if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
            return False
        column = node.start_mark.column
        self._insert(self._end_of(node, column=column), indented(lines, by=column))
        return True

    def add_to_entry(self, path: Sequence[str | int], lines: Lines) -> bool:
        """Add comments behind the first line of an entry, as deep as its other lines.

        Args:
            path: Keys and positions that lead to the entry.
            lines: Comment lines.

        Returns:
            Whether there is such an entry in block style.
        """
        node = self._at(path)
        if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
            return False
        at = self._line_end(_last_index(node.value[0][1], self._text))
        self._insert(at, indented(lines, by=node.start_mark.column))
        return True

    def comments_of(self, path: Sequence[str | int]) -> str:
        """Return the comment lines in and behind the list at a path."""
        node = self._at(path)
        if node is None:
            return ""
        end = self._end_of(node, column=node.start_mark.column)
        part = self._text[node.start_mark.index : end]
        return "\n".join(line for line in part.splitlines() if line.strip().startswith("#"))

    def result(self) -> str:
        """Return the text with all additions."""
        text = self._text
        # From the end to the beginning, and of those in one place the last one first.
        in_order = sorted(enumerate(self._changes), key=lambda one: (one[1][0], one[0]))
        for _, (start, end, new) in reversed(in_order):
            text = text[:start] + new + text[end:]
        if self._changes and not text.endswith("\n"):
            text += self._break
        for block in self._sections:
            text += ("" if text.endswith("\n") else self._break) + self._break + block
        return self._mark + text

    def _at(self, path: Sequence[str | int]) -> yaml.Node | None:
        node: yaml.Node | None = self._root
        for part in path:
            if isinstance(part, int) and isinstance(node, yaml.SequenceNode):
                node = node.value[part]
            elif isinstance(part, str) and isinstance(node, yaml.MappingNode):
                found = _member(node, part)
                node = found[1] if found else None
            else:
                return None
        return node

    def _insert(self, at: int, lines: Lines) -> None:
        block = self._joined(lines)
        if at > 0 and self._text[at - 1] != "\n":
            block = self._break + block
        self._changes.append((at, at, block))

    def _fill(self, key: yaml.ScalarNode, value: yaml.Node, lines: Lines) -> None:
        """Put lines in the place of an empty value, behind whatever its line says."""
        start, end = value.start_mark.index, value.end_mark.index
        if start < end:
            # The brackets and the blanks before them.
            begin = len(self._text[:start].rstrip(" "))
            self._changes.append((begin, end, ""))
        self._insert(self._line_end(max(end, key.end_mark.index)), lines)

    def _end_of(self, node: yaml.Node, *, column: int) -> int:
        """Return where the line begins that follows a block and the comments belonging to it."""
        at = self._line_end(_last_index(node, self._text))
        end = at
        while at < len(self._text):
            stop = self._line_end(at)
            line = self._text[at:stop]
            if line.strip():
                indent = len(line) - len(line.lstrip(" "))
                # A comment further left, or at the left margin, speaks of what follows.
                if not line.lstrip().startswith("#") or indent < column or indent == 0:
                    break
                end = stop
            at = stop
        return end

    def _line_end(self, index: int) -> int:
        found = self._text.find("\n", index)
        return len(self._text) if found < 0 else found + 1

    def _joined(self, lines: Sequence[str]) -> str:
        return "".join(f"{line}{self._break}" for line in lines)


def _member(node: yaml.MappingNode, key: str) -> tuple[yaml.ScalarNode, yaml.Node] | None:
    return next(
        ((one, value) for one, value in node.value if getattr(one, "value", None) == key), None
    )


def _is_empty(node: yaml.Node) -> bool:
    return not node.value if isinstance(node, yaml.CollectionNode) else node.value in {"", "~"}


def _last_index(node: yaml.Node, text: str) -> int:
    """Return the index behind the last character of a node's last leaf."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        if isinstance(last, tuple) and last[1].start_mark.index < last[0].start_mark.index:
            # An alias: its node is the one it stands for.
            return int(last[0].end_mark.index)
        node = last[1] if isinstance(last, tuple) else last
    # The end of a block scalar lies behind its line break.
    return max(node.start_mark.index, len(text[: node.end_mark.index].rstrip()))
