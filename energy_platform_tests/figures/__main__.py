"""Recompute every published figure: ``python -m energy_platform_tests.figures``.

A year with both clock changes, gaps, faults and silent meters. Exit code 1 when any figure differs.
"""

# ruff: noqa: T201 - a program that prints

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from energy_platform_tests.figures.compare import compare
from energy_platform_tests.figures.scenario import FIRST, Scenario

MOST_SHOWN = 20


def main() -> int:
    """Print each table with its figures and differences; 1 when there is any difference."""
    parser = argparse.ArgumentParser(prog="figures", description=__doc__)
    parser.add_argument("--days", type=int, default=366, help="UTC days from " + FIRST)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    scenario = Scenario(FIRST, days=options.days)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        warehouse = scenario.build(folder)
        print(f"{options.days} days derived and published in {time.monotonic() - began:.0f} s")
        found = compare(scenario, folder, warehouse.published_file)
    for one in found:
        print(
            f"{one.table:24} {one.rows:9,} rows {one.figures:11,} figures "
            f"{len(one.differences):6,} differences"
        )
        for difference in one.differences[:MOST_SHOWN]:
            print(f"    {difference}")
    wrong = sum(len(one.differences) for one in found)
    print(f"{sum(one.figures for one in found):,} figures, {wrong:,} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
