"""Killed by ``kill -9`` at any moment and started again, a push loses nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.delivery.ledger import Ledger
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

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.crash

STREAMS = 15
DAYS = 1


FAULTS = "http_503=0.1 http_429=0.02 stored_cut=0.1 stored_503=0.05 unauthorized=@40"


def test_killed_ten_times_every_interval_is_stored_once_and_in_order(
    tmp_path: Path, ledger_url: str
) -> None:
    path = tmp_path / "portfolio.yaml"
    write_portfolio(path, streams=STREAMS)
    agreed = load_portfolio(path)
    start = utc("2026-03-01 00:00")
    end = start + timedelta(days=DAYS)
    quarter = timedelta(minutes=15)
    with (
        Ledger(ledger_url) as ledger,
        open_harness(
            tmp_path,
            ledger=ledger,
            now=end,
            behaviour=WatticsBehaviour(latency_s=0.01),
        ) as harness,
    ):
        harness.register_streams(agreed)
        harness.sim.faults.set(FAULTS)
        for n in range(1, STREAMS + 1):
            for key in ("E", "H"):
                harness.scenario.registers[point(n, key)] = regular(
                    start, end - quarter, every=quarter, value=rising(start, face_wh=n, power_w=997)
                )
            harness.scenario.gauges[point(n, "V")] = regular(
                start, end - quarter, every=quarter, value=steady(230.5)
            )
        harness.scenario.write_days("2026-03-01")
        order = Order(
            lake=str(harness.scenario.lake.root),
            portfolio=str(path),
            ledger=ledger_url,
            base_url=harness.url,
            now=noon(DAYS),
            parallel=8,
        )
        with Nursery(order, folder=tmp_path) as nursery:
            ended = list(kill_often(nursery, kills=10, longest_s=0.7, seed=11))
        assert sum(one.killed for one in ended) >= 4
        judged = harness.sim.delivery_report()
        assert judged.clean, judged.complaints
        assert not judged.without_cookie
        for stream_id, one in judged.streams.items():
            assert one.last_at == end - quarter, stream_id
            assert one.missing_intervals == one.crowded_intervals == 0, stream_id
            states = ledger.states()
            assert states[stream_id].acknowledged == len(
                harness.sim.packets_per_interval(stream_id)
            )
        assert ledger.pending_counts() == {}
