"""What a ledger remembers of the lake: losing it costs a look; no packet goes twice or never."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from energy_platform.delivery import push_decision, stream_backlog
from energy_platform.delivery.ledger import tables
from energy_platform.delivery.watermarks import Completeness
from energy_platform.lake.catalogue import CATALOGUE_FILE
from energy_platform.schemas import CORE_ENERGY_DELTAS
from energy_platform_tests.delivery.scenario import (
    ELECTRICITY,
    point,
    portfolio,
    regular,
    rising,
    utc,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from energy_platform_tests.delivery.scenario import DeliveryHarness

FIVE = timedelta(minutes=5)
START = utc("2026-03-01 00:00")
DIGEST = "0123456789012345"
"""What a ledger of 0.1.0 holds; this one by chance without a letter, like a version."""


@pytest.fixture
def delivered(harness: DeliveryHarness) -> DeliveryHarness:
    """Two days that Wattics holds, of a register that counts 1,200 W."""
    harness.register_streams(portfolio(ELECTRICITY))
    harness.scenario.registers[point(1)] = regular(
        START, utc("2026-03-04 23:55"), every=FIVE, value=rising(START, face_wh=0, power_w=1200)
    )
    harness.scenario.write_days("2026-03-01", "2026-03-02")
    assert harness.push(portfolio(ELECTRICITY)).ok
    assert stream_backlog(harness.scenario.lake, harness.ledger, portfolio(ELECTRICITY)) == ()
    return harness


def remembered(harness: DeliveryHarness) -> list[str]:
    with harness.ledger.engine.connect() as connection:
        return [
            *connection.execute(sa.select(tables.streams.c.seen_version)).scalars(),
            *connection.execute(sa.select(tables.registers.c.summed_version)).scalars(),
        ]


def remember(harness: DeliveryHarness, seen: str, summed: str) -> None:
    with harness.ledger.engine.begin() as connection:
        connection.execute(
            sa.update(tables.streams).values(seen_version=seen, late_seen_version=summed)
        )
        connection.execute(sa.update(tables.registers).values(summed_version=summed))


def a_digest(harness: DeliveryHarness) -> None:
    remember(harness, DIGEST, DIGEST)


def a_digest_of_a_part(harness: DeliveryHarness) -> None:
    remember(harness, f"{DIGEST}@1772712000000000", "fedcba9876543210")


def a_number_of_a_lost_catalogue(harness: DeliveryHarness) -> None:
    version = harness.scenario.lake.version() + 10**12
    remember(harness, f"v{version}", f"v{version}")


def a_catalogue_that_is_lost(harness: DeliveryHarness) -> None:
    for path in harness.scenario.lake.root.parent.glob(f"{CATALOGUE_FILE}*"):
        path.unlink()


def a_catalogue_that_cannot_be_used(harness: DeliveryHarness) -> None:
    path = harness.scenario.lake.root.parent / CATALOGUE_FILE
    if not path.is_dir():
        a_catalogue_that_is_lost(harness)
        path.mkdir()


@pytest.mark.parametrize(
    "happens",
    [
        a_digest,
        a_digest_of_a_part,
        a_number_of_a_lost_catalogue,
        a_catalogue_that_is_lost,
        a_catalogue_that_cannot_be_used,
    ],
)
def test_what_cannot_be_told_is_looked_at_once_and_nothing_goes_twice_or_never(
    delivered: DeliveryHarness, happens: Callable[[DeliveryHarness], None]
) -> None:
    agreed, lake, sim = portfolio(ELECTRICITY), delivered.scenario.lake, delivered.sim
    before = sim.packets("el-1")
    happens(delivered)
    assert delivered.push(agreed).ok
    assert sim.packets("el-1") == before
    assert all(one.startswith("v") for one in remembered(delivered))
    decision = push_decision(lake, delivered.ledger, agreed, now=delivered.now)
    assert not decision.is_wanted, "one look is enough"
    happens(delivered)
    # While nobody looked: late energy of an old day, and a new day.
    late = [
        (at, wh + (500.0 if at >= utc("2026-03-01 12:00") else 0.0))
        for at, wh in delivered.scenario.registers[point(1)]
    ]
    delivered.scenario.registers[point(1)] = late
    delivered.scenario.write_days("2026-03-01", "2026-03-03")
    assert delivered.push(agreed).ok
    values = delivered.values("el-1", "pC_1")
    at = utc("2026-03-03 23:45")
    assert values[at] == pytest.approx(dict(late)[at], abs=1)
    assert sim.delivery_report().clean


def test_files_made_of_something_else_with_the_same_rows_are_not_summed_again(
    delivered: DeliveryHarness,
) -> None:
    lake = delivered.scenario.lake
    seen = Completeness(lake, vendors=["socomec"]).seen
    day = "2026-03-01"
    rows = lake.read(CORE_ENERGY_DELTAS, day=day)
    lake.write(CORE_ENERGY_DELTAS, rows, day=day, meta={"stamp": '{"rules":"another"}'})
    now = Completeness(lake, vendors=["socomec"])
    assert now.is_summed(seen, day, end="2026-03-03")
    assert not now.is_seen(seen, ["socomec"], since=day)
    assert now.is_seen(seen, ["socomec"], since="2026-03-02")
    lake.write(CORE_ENERGY_DELTAS, rows.head(3), day=day)
    now = Completeness(lake, vendors=["socomec"])
    assert not now.is_summed(seen, day, end="2026-03-03")
    assert now.is_summed(seen, "2026-03-02", end="2026-03-03")


def test_a_day_that_is_removed_is_a_change(delivered: DeliveryHarness) -> None:
    lake = delivered.scenario.lake
    seen = Completeness(lake, vendors=["socomec"]).seen
    lake.path(CORE_ENERGY_DELTAS, day="2026-03-02").unlink()
    now = Completeness(lake, vendors=["socomec"])
    assert not now.is_summed(seen, "2026-03-01", end="2026-03-03")
    assert now.is_summed(seen, "2026-03-01", end="2026-03-02")
