"""Kills a push at random moments, again and again, under faults; the simulator judges what arrived.

python -m benchmarks.kill_push --kills 200 --streams 300 --days 7 [--ledger postgresql://…]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from energy_platform.delivery import Ledger
from energy_platform.portfolio import load_portfolio
from energy_platform.simulators.wattics import WatticsBehaviour
from energy_platform_tests.delivery.killing import (
    Nursery,
    Order,
    kill_often,
    noon,
    write_portfolio,
)
from energy_platform_tests.delivery.scenario import (
    open_harness,
    point,
    regular,
    rising,
    steady,
    utc,
)

FAULTS = (
    "http_500=0.1 http_503=0.1 http_429=0.1 stored_cut=0.1 stored_503=0.1 unauthorized=@50"
    " redirect=@90 cookie_expiry=500"
)


def main() -> None:
    """Run and print the verdict; exit 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--longest-s", type=float, default=3.0)
    parser.add_argument("--senders", type=int, default=16)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--faults", default=FAULTS)
    parser.add_argument("--ledger", help="URL of an empty database; SQLite by default")
    options = parser.parse_args()
    start = utc("2026-03-01 00:00")
    end = start + timedelta(days=options.days)
    quarter = timedelta(minutes=15)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_portfolio(folder / "portfolio.yaml", streams=options.streams)
        agreed = load_portfolio(folder / "portfolio.yaml")
        url = options.ledger or f"sqlite:///{folder}/ledger.sqlite"
        with (
            Ledger(url) as ledger,
            open_harness(
                folder, ledger=ledger, now=end, behaviour=WatticsBehaviour(latency_s=0.005)
            ) as harness,
        ):
            harness.register_streams(agreed)
            for n in range(1, options.streams + 1):
                for key in ("E", "H"):
                    harness.scenario.registers[point(n, key)] = regular(
                        start,
                        end - quarter,
                        every=quarter,
                        value=rising(start, face_wh=n, power_w=997),
                    )
                harness.scenario.gauges[point(n, "V")] = regular(
                    start, end - quarter, every=quarter, value=steady(230.5)
                )
            harness.scenario.write_days("2026-03-01", (end - quarter).date().isoformat())
            harness.sim.faults.set(options.faults)
            order = Order(
                lake=str(harness.scenario.lake.root),
                portfolio=str(folder / "portfolio.yaml"),
                ledger=url,
                base_url=harness.url,
                now=noon(options.days),
                parallel=options.senders,
            )
            kills = 0
            with Nursery(order, folder=folder) as nursery:
                for ended in kill_often(
                    nursery, kills=options.kills, longest_s=options.longest_s, seed=options.seed
                ):
                    kills += ended.killed
                    if kills and ended.killed and kills % 20 == 0:
                        print(f"{kills} kills, {harness.sim.delivery_report().packets} packets")  # noqa: T201
            judged = harness.sim.delivery_report()
            missing = sum(one.missing_intervals for one in judged.streams.values())
            late = [s for s, one in judged.streams.items() if one.last_at != end - quarter]
            repeats = sum(one.repeats for one in judged.streams.values())
            print(  # noqa: T201
                f"{kills} kills in {time.monotonic() - began:.0f} s: {judged.packets} packets, "
                f"{missing} intervals missing, {len(late)} streams incomplete, "
                f"{repeats} repeats after a lost answer, complaints: {judged.complaints or 'none'}"
            )
            if missing or late or not judged.clean or ledger.pending_counts():
                raise SystemExit(1)


if __name__ == "__main__":
    main()
