"""One portfolio out of several files: what each section holds together, and where an entry stands.

Reading the files belongs to ``files``, checking what they say together to ``load``.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

from energy_platform.portfolio.text import compose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.portfolio.messages import Place

LISTS: Final = ("sites", "devices", "corrections", "accept", "streams")
"""Sections whose entries of all files follow one another."""

TYPES: Final = "device_types"
"""The section whose entries have names: of all files together, each name once."""


class YamlFile(NamedTuple):
    """A file of a portfolio.

    Attributes:
        name: What to call it in errors.
        text: What stands in it.
    """

    name: str
    text: str


class Owner(NamedTuple):
    """Where an entry of the whole portfolio stands.

    Attributes:
        file: Position of its file: 0 for the main one.
        place: Keys and positions from the top of that file.
    """

    file: int
    place: Place


class PartsError(ValueError):
    """The files cannot be put together; one line per problem with file and line."""


class MergedFiles:
    """The content of all files together; each entry keeps its file and line.

    Args:
        files: The main file, then its parts.
        contents: What each says.

    Raises:
        PartsError: The same name in two files, or a section that is not what it must be.
    """

    def __init__(self, files: Sequence[YamlFile], contents: Sequence[dict[Any, Any]]) -> None:
        self._files = [_File(one) for one in files]
        self._starts: dict[str, list[tuple[int, int]]] = {}
        self._keys: dict[Any, int] = {}
        self._types: dict[Any, int] = {}
        self.content: dict[Any, Any] = dict(contents[0])
        problems = [
            problem
            for file, content in enumerate(contents)
            if file
            for problem in self._add(file, content)
        ]
        if problems:
            raise PartsError("\n".join(problems))

    def _add(self, file: int, content: dict[Any, Any]) -> list[str]:
        """Add what a part says; return what is wrong with it."""
        problems = []
        for key, value in content.items():
            before = self.content.get(key)
            if value is None and key in (*LISTS, TYPES):
                continue  # all its entries are commented out
            if key in LISTS and isinstance(value, list) and isinstance(before, list | None):
                joined = list(before or ())
                self._starts.setdefault(key, []).append((len(joined), file))
                self.content[key] = joined + value
            elif key == TYPES and isinstance(value, dict) and isinstance(before, dict | None):
                for name in value:
                    if name in (before or {}):
                        first = self.where((TYPES, name))
                        here = self._files[file].where((TYPES, name))
                        problems.append(
                            f"{here}: device type {name!r} is there twice, first in {first}"
                        )
                    else:
                        self._types[name] = file
                self.content[key] = {**value, **(before or {})}
            elif key in (*LISTS, TYPES):
                expected = "names with points" if key == TYPES else "a list"
                problems.append(f"{self._files[file].where((key,))}: {key}: expected {expected}")
            elif key not in self.content:
                self._keys[key] = file
                self.content[key] = value
            elif value != before or isinstance(value, bool) != isinstance(before, bool):
                problems.append(
                    f"{self._files[file].where((key,))}: {key}: {value!r} here, {before!r} in "
                    f"{self.where((key,))}"
                )
        return problems

    def owner(self, place: Place) -> Owner:
        """Return the file of an entry and where it stands there."""
        if not place:
            return Owner(0, place)
        key, *rest = place
        if rest and isinstance(rest[0], int):
            for start, file in reversed(self._starts.get(str(key), [])):
                if rest[0] >= start:
                    return Owner(file, (key, rest[0] - start, *rest[1:]))
        elif rest and key == TYPES:
            return Owner(self._types.get(rest[0], 0), place)
        return Owner(self._keys.get(key, 0), place)

    def where(self, place: Place) -> str:
        """Return ``file:line`` of an entry."""
        file, own = self.owner(place)
        return self._files[file].where(own)


class _File:
    """One file; its lines are counted when somebody asks, which nobody does of a sound one."""

    def __init__(self, file: YamlFile) -> None:
        self._file = file

    def where(self, place: Place) -> str:
        known = [part for part in place if part != "[key]"]
        while tuple(known) not in self._lines:
            known = known[:-1]
        return f"{self._file.name}:{self._lines[tuple(known)]}"

    @cached_property
    def _lines(self) -> dict[Place, int]:
        lines: dict[Place, int] = {(): 1}
        node = compose(self._file.text)
        if node is not None:
            _note_lines(node, (), lines)
        return lines


def _note_lines(node: yaml.Node, place: Place, lines: dict[Place, int]) -> None:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*place, str(key.value))
            lines[below] = key.start_mark.line + 1
            _note_lines(value, below, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*place, index), lines)
