"""Variables that this process has for a while, for what it starts meanwhile."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def variables_set(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process, and give each back what it was.

    Args:
        values: By name.

    >>> with variables_set({"EXAMPLE_OF_A_VARIABLE": "1"}):
    ...     os.environ["EXAMPLE_OF_A_VARIABLE"]
    '1'
    >>> "EXAMPLE_OF_A_VARIABLE" in os.environ
    False
    """
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
