"""A data folder of version 0.1.0 is taken over: lake, ledger and portfolio, and what changes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest

from energy_platform.days import microseconds
from energy_platform.delivery import Ledger, PushOutcome, delivery_frame, push
from energy_platform.destinations.wattics import WatticsSettings
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import load_portfolio
from energy_platform.refresh import refresh, stale
from energy_platform.simulators.serving import LoopbackServers
from energy_platform.simulators.wattics import PUSH_PATH
from energy_platform.sources.registry import day_tables
from energy_platform.warehouse import DELIVERY, Warehouse
from energy_platform_tests.upgrade.kept import (
    NEXT,
    NOW,
    figures,
    land_next_day,
    unpack,
    wattics,
)
from energy_platform_tests.warehouse.warehouse_world import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.portfolio import Portfolio
    from energy_platform.simulators.wattics import WatticsSimulator

pytestmark = [pytest.mark.long, pytest.mark.end_to_end, pytest.mark.timeout(1800)]

FINAL_IS_STRICTER = "final now asks that 99 % of the day is covered"
NULL_IS_NOT_ZERO = "nothing covers the day: unknown, no longer 0"
ZERO_COUNTS = "a register that shows 0 alone has a figure, no longer none"

THE_SAME_WH = 0.5


@dataclass
class TakenOver:
    """The kept folder under this version, and its Wattics."""

    data: Path
    lake: Lake
    portfolio: Portfolio
    sim: WatticsSimulator
    url: str
    raw_before: dict[tuple[str, str], str]

    def push(self, ledger: Ledger, *, now: datetime) -> PushOutcome:
        settings: dict[str, Any] = {
            "base_url": self.url,
            "username": "demo-user",
            "password": "demo-password",
            "give_up_s": 20,
            "max_backoff_s": 0.05,
        }
        return push(
            self.lake,
            ledger=ledger,
            portfolio=self.portfolio,
            settings=WatticsSettings.model_validate(settings),
            clock=lambda: now,
        )


def raw_ids(lake: Lake) -> dict[tuple[str, str], str]:
    return {
        (table.name, day): footer.content_id
        for table in day_tables().values()
        for day, footer in lake.footers(table).items()
        if day != NEXT
    }


@pytest.fixture(scope="module")
def taken_over(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TakenOver]:
    """The folder of 0.1.0, every derived day computed again by this version."""
    data = unpack(tmp_path_factory.mktemp("kept"))
    lake, portfolio = Lake(data / "lake"), load_portfolio(data / "demo" / "portfolio.yaml")
    before = raw_ids(lake)
    assert stale(lake, portfolio)
    refresh(lake, portfolio=portfolio)
    sim = wattics(data, portfolio)
    with LoopbackServers({"wattics": sim.app}) as servers:
        yield TakenOver(data, lake, portfolio, sim, servers.url("wattics") + PUSH_PATH, before)
    sim.close()


def test_the_lake_and_the_portfolio_are_taken_over(taken_over: TakenOver) -> None:
    assert len(taken_over.raw_before) == 6
    assert raw_ids(taken_over.lake) == taken_over.raw_before
    assert stale(taken_over.lake, taken_over.portfolio) == ()
    assert len(taken_over.portfolio.streams) == 24


def test_figures_that_changed_are_those_whose_rule_did(
    taken_over: TakenOver, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = Warehouse(data_dir=taken_over.data, lake=taken_over.lake, dbt_project_dir=PROJECT)
    warehouse.build(taken_over.portfolio, delivery=pl.DataFrame(schema=DELIVERY))
    warehouse.publish()
    with duckdb.connect(str(warehouse.published_file), read_only=True) as connection:
        now = connection.execute(
            "select point_id, local_day, energy_kwh, status, covered_share, refused_wh "
            "from fct_energy_daily"
        ).pl()
    both = figures().join(
        now, on=["point_id", "local_day"], how="full", suffix="_now", coalesce=True
    )
    changes = [row for row in both.sort("point_id", "local_day").to_dicts() if is_changed(row)]
    reasons = Counter(reason_of(row) for row in changes)
    with capsys.disabled():
        print()  # noqa: T201 - the list of what an upgrade changes
        for row in changes:
            print(  # noqa: T201
                f"{row['point_id']} {row['local_day']}: {row['energy_kwh']} kWh {row['status']} → "
                f"{row['energy_kwh_now']} kWh {row['status_now']}: {reason_of(row)}"
            )
    # No figure that was published is another number; none is lost.
    assert not [row for row in both.to_dicts() if row["status_now"] is None]
    assert reasons == {FINAL_IS_STRICTER: 39, NULL_IS_NOT_ZERO: 2, ZERO_COUNTS: 6}


def is_changed(row: dict[str, Any]) -> bool:
    before, now = row["energy_kwh"], row["energy_kwh_now"]
    if before is None or now is None:
        return bool(before != now or row["status"] != row["status_now"])
    return bool(abs(before - now) * 1000 > THE_SAME_WH or row["status"] != row["status_now"])


def reason_of(row: dict[str, Any]) -> str:
    """Say why a figure is another one; what nothing explains fails the test by its words."""
    before, now = row["energy_kwh"], row["energy_kwh_now"]
    if row["status"] is None and now == 0:
        return ZERO_COUNTS
    if before == 0 and now is None and row["covered_share"] == 0:
        return NULL_IS_NOT_ZERO
    same = before is not None and now is not None and abs(before - now) * 1000 <= THE_SAME_WH
    if same and (row["status"], row["status_now"]) == ("final", "partial"):
        return FINAL_IS_STRICTER if row["covered_share"] < 0.99 else "partial without a reason"
    return f"unexplained: {row}"


def test_nothing_is_sent_twice_and_nothing_is_lost(taken_over: TakenOver) -> None:
    sent = {
        name: [packet.body for packet in taken_over.sim.packets(name)]
        for name in taken_over.portfolio.streams
    }
    assert sum(map(len, sent.values())) == 3869
    with Ledger.at(taken_over.data / "ledger.sqlite") as ledger:
        states = ledger.states()
        assert {name: one.acknowledged for name, one in states.items()} == {
            name: len(bodies) for name, bodies in sent.items()
        }
        assert taken_over.push(ledger, now=NOW).ok
        again = {name: [packet.body for packet in taken_over.sim.packets(name)] for name in sent}
        for name, bodies in sent.items():
            # New data may be ready by newer rules; what was sent stays as it was sent.
            assert again[name][: len(bodies)] == bodies
            instants = [packet.at for packet in taken_over.sim.packets(name)]
            assert instants == sorted(set(instants))
        land_next_day(taken_over.lake)
        refresh(taken_over.lake, portfolio=taken_over.portfolio)
        outcome = taken_over.push(ledger, now=NOW + timedelta(days=1, hours=6))
        assert outcome.ok, outcome.problems
        frame = delivery_frame(ledger, taken_over.lake, taken_over.portfolio)
        assert not frame["blocked"].any()
        assert sum(ledger.pending_counts().values()) == 0
        newest = {name: one.last_acknowledged_us for name, one in ledger.states().items()}
    report = taken_over.sim.delivery_report()
    assert report.clean, report.complaints
    for name, one in report.streams.items():
        assert one.packets > len(sent[name]), name
        assert one.duplicates == one.repeats == one.conflicts == one.falling == 0, one
        assert one.last_at is not None
        assert newest[name] == microseconds(one.last_at)
        # The day that was added goes on without a hole where the one before ended.
        seam = [gap for gap in one.gaps if f"{gap.before:%F}" == NEXT and gap.after < NOW]
        assert not seam, seam
