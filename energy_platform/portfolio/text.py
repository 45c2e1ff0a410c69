"""YAML as people mean it: numbers are decimal, ``no`` is Norway, a key stands once."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

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
"""Plain scalars that are no text (YAML 1.2 core schema).

YAML 1.1 would read the serial number 020000000001 as an octal number and the state ``on`` as a
boolean, silently.
"""


class PortfolioLoader(yaml.SafeLoader):
    """The safe loader without the surprises of YAML 1.1."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - declared so by the library


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
        node: Its node, with the places of everything; None when it is empty.
        content: What it says.
        repeated: Keys that stand a second time in their mapping, where the first would be lost.
    """

    node: yaml.Node | None
    content: Any
    repeated: tuple[yaml.ScalarNode, ...]


@lru_cache(maxsize=4)
def read_yaml(text: str) -> Document:
    """Read one document; the last few are remembered, since the same text is read over and over.

    Raises:
        yaml.YAMLError: It is no YAML, or more than one document.
        ValueError: A value is none, such as a date with a 13th month.
    """
    loader = PortfolioLoader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
        # Before the content is built, which writes merged keys into the node.
        repeated = tuple(_repeated_keys(node))
        content = None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()
    return Document(node, content, repeated)


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
