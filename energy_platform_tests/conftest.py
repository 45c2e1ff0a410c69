"""What holds for every test."""

from __future__ import annotations

import os
import signal
from typing import Final

import pytest
from hypothesis import is_hypothesis_test, settings

# Tests speak of days of their own; data that lie in the working directory must not limit them.
os.environ["ENERGY_PLATFORM_PARTITIONS_FROM"] = "2020-01-01"

# How long an example takes says more about the machine's other work than about the property.
settings.register_profile("platform", deadline=None, print_blob=True)
settings.load_profile("platform")

# A shell has what it starts in the background ignore SIGINT, and so would each command that a test
# starts and interrupts (POSIX shell command language, asynchronous lists).
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


BUILDING: Final = frozenset({"dbt", "end_to_end", "figures", "cli", "refresh", "warehouse"})
"""Folders of tests that run dbt or a whole installation, tens of seconds each."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every hypothesis test, so that ``-m property`` finds one that nobody thought to mark.

    What builds and runs comes first, so that no worker is left with it alone at the end.
    """
    for item in items:
        if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
            item.add_marker(pytest.mark.property)
    items.sort(key=lambda item: item.path.parent.name not in BUILDING)
