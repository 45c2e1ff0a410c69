"""Print the fault matrix: ``python -m energy_platform_tests.faults.matrix [VENDOR ...]``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from energy_platform_tests.faults.cases import cases
from energy_platform_tests.faults.harness import Result, open_harness

if TYPE_CHECKING:
    from energy_platform.schemas import Vendor

VENDORS: Final[tuple[Vendor, ...]] = ("socomec", "belimo", "skycentrics")


def main(arguments: list[str] | None = None) -> int:
    """Run every case and print one row for each; 1 when one of them is not as expected."""
    parser = argparse.ArgumentParser(prog="matrix", description=main.__doc__)
    parser.add_argument("vendor", nargs="*", help=f"of {', '.join(VENDORS)}; all by default")
    parser.add_argument("--fault", default="", help="only cases whose faults contain this text")
    given = parser.parse_args(arguments)
    vendors = [vendor for vendor in VENDORS if not given.vendor or vendor in given.vendor]
    console = Console(width=None if sys.stdout.isatty() else 200)
    table = Table("vendor", "fault", "the day", "requests", "retries", "s", "what was said")
    verdicts: Counter[str] = Counter()
    bad = 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, open_harness(Path(folder)) as harness:
        for case in [one for vendor in vendors for one in cases(vendor)]:
            if given.fault not in case.faults:
                continue
            result = harness.judge(case.vendor, case.faults)
            is_good = result.fits(case.expected)
            bad += not is_good
            verdicts[result.verdict] += 1
            table.add_row(*_cells(result, is_good=is_good, expected=case.expected))
            if sys.stderr.isatty():
                console.print(f"{case.vendor} {case.faults}", end="\r", soft_wrap=True)
    console.print(table)
    counted = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    console.print(
        f"{verdicts.total()} cases in {time.monotonic() - started:.0f} s: {counted};"
        f" {bad} not as expected"
    )
    return 1 if bad else 0


def _cells(result: Result, *, is_good: bool, expected: str) -> tuple[str, ...]:
    shown = result.verdict if is_good else f"[red]{result.verdict}, expected {expected}[/red]"
    return (
        result.vendor,
        result.faults,
        shown,
        str(result.requests),
        str(result.retries),
        f"{result.seconds:.2f}",
        result.remark.replace("[", r"\[")[:160],
    )


if __name__ == "__main__":
    sys.exit(main())
