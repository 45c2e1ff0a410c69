"""What virtual points cost: one day more, and one corrected point, with them and without.

    python -m benchmarks.virtual_points
    python -m benchmarks.virtual_points --registers 1000 --days 7

Two lakes have the same raw days and the same registers. The portfolio of one of them has a sum of
the ten registers of each device, and of the 500 of each site. Both are loaded, then one day more
lands in both, then one point of it is corrected. Refresh, build and publication are measured as in
``benchmarks.scale``, by turns; processor seconds are what is compared, because they depend least
on what else the machine does.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.scale import FIRST_DAY, PER_DEVICE, PER_SITE, RawDays, run_step, write_portfolio
from energy_platform.days import day_range
from energy_platform.lake.lake import Lake

if TYPE_CHECKING:
    from collections.abc import Sequence

STEPS: Final = ("refresh", "build", "publish")


def add_sums(path: Path, *, registers: int) -> int:
    """Add a sum of each device and of each site to a portfolio; return how many."""
    lines = path.read_text().splitlines()
    count = 0
    for site in range(-(-registers // PER_SITE)):
        first, last = site * PER_SITE, min((site + 1) * PER_SITE, registers)
        parts = {f"device-{n // PER_DEVICE}": (n, n + PER_DEVICE) for n in range(first, last, 10)}
        lines.append(
            f"  - {{vendor: virtual, serial: site-{site:04d}, site: site-{site:04d}, name: Sums, "
            "points: ["
        )
        for name, (start, end) in {**parts, "all": (first, last)}.items():
            of = ", ".join(f'"{_register(n)}"' for n in range(start, min(end, last)))
            lines.append(
                f"      {{key: {name}, name: Sum, quantity: active_energy_import, of: [{of}]}},"
            )
            count += 1
        lines.append("    ]}")
    path.write_text("\n".join(lines) + "\n")
    return count


def _register(number: int) -> str:
    device, place = divmod(number, PER_DEVICE)
    return f"socomec/SN{device:06d}/Global|{place}|140100"


def measure(folder: Path, *, registers: int, days: int, steps: Sequence[str] = STEPS) -> None:
    """Print what each step costs with virtual points and without, and the ratio."""
    last = (FIRST_DAY + timedelta(days=days)).isoformat()
    *first, more = day_range(FIRST_DAY.isoformat(), last)
    raws = {}
    for name in ("without", "with"):
        own = folder / name
        own.mkdir()
        write_portfolio(own / "portfolio.yaml", registers=registers)
        raws[name] = RawDays(Lake(own / "lake"), registers=registers)
        for day in first:
            raws[name].write(day)
    count = add_sums(folder / "with" / "portfolio.yaml", registers=registers)
    print(f"{registers:,} registers, {count:,} virtual points", flush=True)
    compare("first days", folder, steps=steps)
    for raw in raws.values():
        raw.write(more)
    compare("one day more", folder, steps=steps)
    for raw in raws.values():
        raw.correct(more)
    compare("one corrected point", folder, steps=steps)


def compare(what: str, folder: Path, *, steps: Sequence[str]) -> None:
    """Run the steps in both folders by turns, and print their processor seconds."""
    totals = dict.fromkeys(("without", "with"), 0.0)
    for one in steps:
        spent = {}
        for name in totals:
            done = run_step(one, folder=folder / name, memory=None)
            spent[name] = done.cpu_s
            totals[name] += done.cpu_s
        print(f"{what:<20} {one:<8} {_shown(spent)}", flush=True)
    print(f"{what:<20} {'all':<8} {_shown(totals)}", flush=True)


def _shown(spent: dict[str, float]) -> str:
    ratio = spent["with"] / spent["without"]
    return f"{spent['without']:7.1f} s without, {spent['with']:7.1f} s with, x {ratio:.2f}"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--registers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), registers=asked.registers, days=asked.days, steps=asked.steps)


if __name__ == "__main__":
    main()
