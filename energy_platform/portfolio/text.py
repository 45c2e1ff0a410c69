"""YAML as it is meant: numbers are decimal, ``no`` is Norway, a key stands once."""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.reader import Reader, ReaderError
from yaml.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCALARS: Final = (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    (
        "float",
        r"^[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$",
        "-+.0123456789",
    ),
)
"""Plain scalars that are not text (YAML 1.2 core schema).

YAML 1.1 would read the serial number 020000000001 as an octal number and the state ``on`` as a
boolean, silently.
"""


_TEXT: Final = "tag:yaml.org,2002:str"

DEEPEST: Final = 50
"""Levels of lists and mappings; a portfolio has eight. Python's stack ends at some hundreds."""

LARGEST: Final = 1_000_000
"""Nodes that aliases may expand a text to: eighty thousand points, and seconds to read."""


try:
    from yaml._yaml import CParser as _Parser
except ImportError:  # a PyYAML that was built without libyaml: the same events, 20 times slower
    from yaml.parser import Parser
    from yaml.scanner import Scanner

    class _Parser(Reader, Scanner, Parser):  # type: ignore[no-redef]
        def __init__(self, text: str) -> None:
            Reader.__init__(self, text)
            Scanner.__init__(self)
            Parser.__init__(self)


class PortfolioLoader(Composer, _Parser, SafeConstructor, Resolver):
    """The safe loader without the surprises of YAML 1.1, and with an end.

    libyaml reads the text, nodes are composed here: aliases are what makes a short text endless,
    so an alias counts as all that it stands for.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012 - declared so by the library

    def __init__(self, text: str) -> None:
        _check_printable(text)
        _Parser.__init__(self, text)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)
        self._depth = 0
        self._nodes = 0
        self._sizes: dict[str, int] = {}
        self._open: list[str] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node, unless it is too deep, too large or part of itself."""
        event: Any = self.peek_event()
        anchor: str | None = event.anchor
        if anchor is None and isinstance(event, yaml.ScalarEvent):
            # Nine nodes of ten; nothing can stand in them.
            self._nodes += 1
            self.get_event()
            tag = event.tag
            if tag is None or tag == "!":
                tag = self.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
            start, end = cast("Any", event.start_mark), cast("Any", event.end_mark)
            return yaml.ScalarNode(tag, event.value, start, end, style=event.style)
        if isinstance(event, yaml.AliasEvent) and anchor is not None:
            self._nodes += self._sizes.get(anchor, 0)
            if anchor in self._open:
                raise _refused(f"the alias *{anchor} stands inside what it names", event)
            if self._nodes > LARGEST:
                raise _refused(f"aliases expand it to more than {LARGEST:,} entries", event)
            return super().compose_node(parent, index)
        if self._depth >= DEEPEST:
            raise _refused(f"lists and mappings are nested deeper than {DEEPEST} levels", event)
        before = self._nodes
        self._nodes += 1
        self._depth += 1
        if anchor is not None:
            self._open.append(anchor)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if anchor is not None:
            self._open.pop()
            self._sizes[anchor] = self._nodes - before
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Construct a value; one that there is not, such as a 13th month, has a line too."""
        if node.tag == _TEXT and isinstance(node, yaml.ScalarNode):
            return node.value
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(
                None, None, str(error), node.start_mark
            ) from error


def _check_printable(text: str) -> None:
    """Refuse what may not stand in YAML; libyaml would say its place in bytes.

    Raises:
        yaml.reader.ReaderError: With the place in characters.
    """
    found = Reader.NON_PRINTABLE.search(text)
    if found is not None:
        raise ReaderError(
            "<portfolio>", found.start(), ord(found[0]), "unicode", "special characters"
        )


def _refused(problem: str, event: yaml.NodeEvent) -> yaml.MarkedYAMLError:
    # The stubs know of a Mark in C, which only the C loader makes.
    return yaml.composer.ComposerError(None, None, problem, event.start_mark)  # type: ignore[arg-type]


for _first, _resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items():
    PortfolioLoader.yaml_implicit_resolvers[_first] = [
        (_tag, _pattern)
        for _tag, _pattern in _resolvers
        if _tag.rsplit(":", 1)[-1] not in {"bool", "int", "float"}
    ]
for _name, _text, _begins in _SCALARS:
    PortfolioLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(_text), list(_begins)
    )


class Document(NamedTuple):
    """A document as read.

    Attributes:
        content: What it says; None when it is empty.
        repeated: Keys that stand a second time in their mapping, where the first would be lost.
    """

    content: Any
    repeated: tuple[yaml.ScalarNode, ...]


@lru_cache(maxsize=2)
def read_yaml(text: str) -> Document:
    """Read one document; the last two are remembered, since a text is compared with its successor.

    Raises:
        yaml.YAMLError: It is not YAML, more than one document, nested without end, or a value is
            none, such as a date with a 13th month.
    """
    loader = PortfolioLoader(text)
    with without_collection():
        try:
            node: yaml.Node | None = loader.get_single_node()
            # Before the content is built, which writes merged keys into the node.
            repeated = tuple(_repeated_keys(node))
            content = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    return Document(content, repeated)


def compose(text: str) -> yaml.Node | None:
    """Return the node of a document, with the places of everything; None when it is empty.

    Raises:
        yaml.YAMLError: As of ``read_yaml``.
    """
    loader = PortfolioLoader(text)
    with without_collection():
        try:
            node: yaml.Node | None = loader.get_single_node()
        finally:
            loader.dispose()
    return node


@contextmanager
def without_collection() -> Iterator[None]:
    """Let the collector of cycles rest: a text is nodes by the hundred thousand, none in a cycle.

    Of 10,000 registers (260,000 nodes) it took two thirds of the time.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _repeated_keys(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield key
                seen.add(key.value)
            yield from _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated_keys(value)
