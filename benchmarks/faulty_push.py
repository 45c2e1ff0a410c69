"""Pushes many streams under each fault of Wattics in turn; its simulator judges what arrived.

python -m benchmarks.faulty_push --streams 2000 --rate 0.05 [--faults page_head stored_cut …]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from energy_platform.delivery import Ledger
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import Portfolio, load_portfolio
from energy_platform.simulators.wattics import WatticsBehaviour
from energy_platform.simulators.wattics.odd_answers import ODD_ANSWERS
from energy_platform_tests.delivery.killing import write_portfolio
from energy_platform_tests.delivery.scenario import (
    Scenario,
    open_harness,
    point,
    regular,
    rising,
    steady,
    utc,
)

START = utc("2026-03-01 00:00")
QUARTER = timedelta(minutes=15)
FAULTS = (
    *("http_408", "http_429", "http_500", "http_503", "cut_connection", "redirect"),
    *("stored_cut", "stored_503", *ODD_ANSWERS, *(f"stored_{name}" for name in ODD_ANSWERS)),
)


def write_lake(folder: Path, *, streams: int, hours: int) -> Lake:
    """Write some hours of registers and gauges, once for all faults."""
    scenario = Scenario(Lake(folder))
    end = START + timedelta(hours=hours)
    for n in range(1, streams + 1):
        for key in ("E", "H"):
            scenario.registers[point(n, key)] = regular(
                START, end - QUARTER, every=QUARTER, value=rising(START, face_wh=n, power_w=997)
            )
        scenario.gauges[point(n, "V")] = regular(
            START, end - QUARTER, every=QUARTER, value=steady(230.5)
        )
    scenario.write_days("2026-03-01", until=end)
    return scenario.lake


def push_under(fault: str, *, lake: Lake, agreed: Portfolio, hours: int, senders: int) -> list[str]:
    """Push under one fault until all is delivered; return what is wrong then."""
    end = START + timedelta(hours=hours)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as name,
        Ledger.at(Path(name) / "ledger.sqlite") as ledger,
        open_harness(
            Path(name), ledger=ledger, now=end, behaviour=WatticsBehaviour(latency_s=0.001)
        ) as harness,
    ):
        harness.scenario = Scenario(lake)
        harness.register_streams(agreed)
        harness.sim.faults.set(fault)
        pushes = 0
        problems = ["not begun"]
        while problems and pushes < 20:  # noqa: PLR2004 - then it will never end
            problems = harness.push(agreed, parallel_streams=senders).problems
            pushes += 1
        judged = harness.sim.delivery_report()
        short = [
            f"{stream_id}: {one.missing_intervals} missing, up to {one.last_at}"
            for stream_id, one in judged.streams.items()
            if one.missing_intervals or one.crowded_intervals or one.last_at != end - QUARTER
        ]
        faults_seen = sum(harness.sim.faults.occurred.values())
        repeats = sum(one.repeats for one in judged.streams.values())
        print(  # noqa: T201
            f"{fault}: {judged.packets} packets, {faults_seen} faults, {repeats} repeats, "
            f"{pushes} pushes, {time.monotonic() - began:.0f} s",
            flush=True,
        )
        return [*problems, *judged.complaints, *short]


def main() -> None:
    """Run and print the verdict; exit 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--hours", type=int, default=2)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--senders", type=int, default=32)
    parser.add_argument("--faults", nargs="*", default=FAULTS)
    options = parser.parse_args()
    complaints: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_portfolio(folder / "portfolio.yaml", streams=options.streams)
        agreed = load_portfolio(folder / "portfolio.yaml")
        lake = write_lake(folder / "lake", streams=options.streams, hours=options.hours)
        for fault in options.faults:
            found = push_under(
                f"{fault}={options.rate}",
                lake=lake,
                agreed=agreed,
                hours=options.hours,
                senders=options.senders,
            )
            complaints += [f"{fault}: {one}" for one in found]
    print("\n".join(complaints[:50]) or "nothing lost, nothing doubled")  # noqa: T201
    raise SystemExit(1 if complaints else 0)


if __name__ == "__main__":
    main()
