"""The simulated vendors beside the platform: for the demo and for ``ui --simulated``."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from energy_platform.origin import claim
from energy_platform.partitions import day_bounds, day_of
from energy_platform.settings import ENV_FILE
from energy_platform.simulators.demo_events import demo_events, event_lines
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.process import FleetProcess
from energy_platform.simulators.world import World, parse_event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACE: Final = {
    # The simulators are on this machine: the pace that spares a real vendor would only be waiting.
    "SOCOMEC_RPS": "500",
    "BELIMO_RPS": "500",
    "SKYCENTRICS_RPS": "500",
    "SKYCENTRICS_HISTORY_GAP": "5",
    "WATTICS_PARALLEL_STREAMS": "8",
}
"""Settings that differ from those for real vendors; a value of the environment wins."""


@contextmanager
def simulated_vendors(data_dir: Path, *, days: int) -> Iterator[FleetProcess]:
    """Serve the vendors in a process of their own and point this process at them.

    The portfolio of the demo is written once and kept, so that it can be edited; its streams
    begin with the demo's first day. So is what goes wrong in its data: a vendor's past does not
    change from one run to the next.

    Args:
        data_dir: The data folder, claimed for the demo.
        days: Closed days the streams shall hold on their first run.

    Raises:
        OriginError: The folder holds a real account's data.
    """
    claim(data_dir, origin="demo")
    folder = data_dir / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    portfolio, wrong = folder / "portfolio.yaml", folder / "events.jsonl"
    start = day_bounds(day_of(datetime.now(tz=UTC)))[0] - timedelta(days=days)
    if not portfolio.exists() and not wrong.exists():
        declared = event_lines(demo_events(start=start, days=days))
        wrong.write_text("".join(f"{line}\n" for line in declared), encoding="utf-8")
    lines = wrong.read_text(encoding="utf-8").splitlines() if wrong.exists() else []
    if not portfolio.exists():
        events = map(parse_event, lines)
        text = demo_portfolio(World(), start=start, events=events, reviewed=True)
        portfolio.write_text(text, encoding="utf-8")
    with FleetProcess(
        events=lines, wattics_record=folder / "wattics.jsonl", skycentrics_history=True
    ) as fleet:
        for name, value in PACE.items():
            os.environ.setdefault(name, value)
        os.environ.update(fleet.environment())
        # Nothing of a real installation's .env may reach the demo, its ledger least of all.
        os.environ[ENV_FILE] = os.devnull
        os.environ.pop("ENERGY_PLATFORM_LEDGER_URL", None)
        os.environ["ENERGY_PLATFORM_DATA_DIR"] = str(data_dir)
        os.environ["ENERGY_PLATFORM_PORTFOLIO"] = str(portfolio)
        yield fleet
