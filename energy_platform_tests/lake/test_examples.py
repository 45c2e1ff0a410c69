"""The examples in the lake's docstrings run, and give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import energy_platform.lake

MODULES = sorted(one.name for one in pkgutil.iter_modules(energy_platform.lake.__path__))

WITH_EXAMPLES = {"catalogue", "digests", "footers", "lake", "merging", "parquet", "raw_days"}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str) -> None:
    module = importlib.import_module(f"energy_platform.lake.{name}")
    failed, attempted = doctest.testmod(module)
    assert failed == 0
    assert bool(attempted) == (name in WITH_EXAMPLES)
