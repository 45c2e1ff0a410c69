"""Run the fortnight: ``python -m energy_platform_tests.fortnight``.

Fifteen days of the real schedules and sensors on a fast clock, with the troubles of ``troubles``.
"""

# ruff: noqa: T201 - a program that prints

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from energy_platform_tests.fortnight.judge import judge
from energy_platform_tests.fortnight.scenario import REFRESH_EVERY, live
from energy_platform_tests.fortnight.troubles import FORTNIGHT, SHORT, SHORT_LASTS, Trouble


def main() -> int:
    """Print what happened; 1 when anything is not as it must be."""
    parser = argparse.ArgumentParser(prog="fortnight", description=__doc__)
    parser.add_argument("--days", type=int, default=15, help="simulated days")
    parser.add_argument("--intraday", type=int, default=360, help="minutes between intraday runs")
    parser.add_argument("--seed", type=int, default=7, help="of the world")
    parser.add_argument("--short", action="store_true", help="the day of the test")
    parser.add_argument("--raw", action="store_true", help="only read: derive and send nothing")
    parser.add_argument("--quiet", action="store_true", help="no line for each run")
    parser.add_argument("--folder", type=Path, help="keep the data here")
    options = parser.parse_args()
    troubles: tuple[Trouble, ...] = SHORT if options.short else FORTNIGHT
    lasts = SHORT_LASTS if options.short else timedelta(days=options.days)
    troubles = tuple(
        one for one in troubles if one.end < lasts and not (options.raw and one.who == "wattics")
    )
    logging.disable(logging.CRITICAL)
    out = sys.stdout
    began = time.monotonic()

    def say(line: str) -> None:
        if not options.quiet:
            print(f"{time.monotonic() - began:7.1f} s  {line}", file=out, flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(temporary)
        with live(
            folder,
            troubles=troubles,
            lasts=lasts,
            intraday_minutes=options.intraday,
            seed=options.seed,
            refresh_every=None if options.raw else REFRESH_EVERY,
            say=say,
        ) as scenario:
            found = judge(scenario)
    print(f"{'trouble':50} {'alert':58} {'mail':6} webhook")
    for row in found.rows:
        print(f"{row.name:50} {row.alert[:58]:58} {row.mail:6} {row.webhook}")
    print(*found.facts, f"{time.monotonic() - began:.0f} s", sep="\n")
    print(*(f"BREACH {one}" for one in found.breaches), sep="\n")
    print(f"{len(found.breaches)} breaches")
    return 1 if found.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
