"""From raw days through the refresh to Wattics, with the real stamps between them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest

from energy_platform.days import day_bounds
from energy_platform.lake.raw_days import land_day
from energy_platform.portfolio import Portfolio, parse_portfolio
from energy_platform.refresh import refresh
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform_tests.delivery.scenario import utc

if TYPE_CHECKING:
    from energy_platform_tests.delivery.scenario import DeliveryHarness

FIVE = timedelta(minutes=5)
POWER_W = 2000
START = utc("2026-03-01 00:00")


def valves(policy: str = "") -> Portfolio:
    return parse_portfolio(
        f"""
version: 1
sites:
  - {{id: s, name: Site, timezone: Europe/Paris}}
devices:
  - vendor: belimo
    serial: B1
    site: s
    name: Valve
    max_power_w: none
    carrier: heating
    points:
      - {{key: evcloud.210, name: Heat, quantity: heating_energy, unit: J{policy}}}
streams:
  - {{id: heat, kind: value, site: s, credential: default, interval: 15m,
     reading: cumulative, unit: kWh, fields: {{value: belimo/B1/evcloud.210}}}}
"""
    )


def joules(at: datetime) -> float:
    return 1e10 + POWER_W * (at - START).total_seconds()


def land(harness: DeliveryHarness, day: str, *, falls_at: datetime | None = None) -> None:
    """Land a day of whole joules; the register falls to a small value where told."""
    begin, end = day_bounds(day)
    instants = pl.datetime_range(begin, end, FIVE, closed="left", eager=True, time_unit="us")
    values = [
        joules(at) if falls_at is None or at < falls_at else 5e6 + joules(at) - joules(falls_at)
        for at in instants
    ]
    frame = pl.DataFrame(
        {
            "device_id": "scope-1",
            "datapoint_id": "evcloud.210",
            "at": instants,
            "value": values,
            "value_text": None,
            "serial_number": "B1",
            "dataprofile": "p/1",
        },
        schema=RAW_BELIMO_SAMPLES.schema,
    )
    land_day(
        harness.scenario.lake,
        RAW_BELIMO_SAMPLES,
        day=day,
        frame=frame,
        complete_until=end,
        closed=True,
    )


def test_a_landed_day_waits_for_its_refresh_and_is_then_delivered_exactly(
    harness: DeliveryHarness,
) -> None:
    agreed = valves()
    harness.register_streams(agreed)
    land(harness, "2026-03-01")
    assert harness.push(agreed).acknowledged == 0
    refresh(harness.scenario.lake, portfolio=agreed)
    assert harness.push(agreed).ok
    land(harness, "2026-03-02")
    assert harness.push(agreed).acknowledged == 0
    refresh(harness.scenario.lake, portfolio=agreed)
    assert harness.push(agreed).ok
    judged = harness.sim.delivery_report()
    assert judged.clean, judged.complaints
    assert judged.streams["heat"].missing_intervals == 0
    found = harness.values("heat", "value")
    assert max(found) == utc("2026-03-02 23:45")
    assert found == {at: pytest.approx(joules(at) / 3.6e6, abs=0.0005) for at in found}


def test_an_edited_policy_rebases_once_the_lake_follows_it(harness: DeliveryHarness) -> None:
    harness.register_streams(valves())
    fall = utc("2026-03-01 12:00")
    for day in ("2026-03-01", "2026-03-02"):
        land(harness, day, falls_at=fall)
    refresh(harness.scenario.lake, portfolio=valves())
    harness.push(valves())
    before = harness.values("heat", "value")
    edited = valves(", on_fall: zero")
    land(harness, "2026-03-03", falls_at=fall)
    assert harness.push(edited).streams["heat"].status == "waiting"
    refresh(harness.scenario.lake, portfolio=edited)
    assert harness.push(edited).ok
    after = harness.values("heat", "value")
    assert {at: after[at] for at in before} == before
    (event,) = harness.ledger.events(kind="rebase")
    # Counting the five megajoules after the fall was worth 1.4 kWh.
    assert event.detail["moved_wh"] == pytest.approx(5e6 / 3600, rel=0.01)
    hours = (max(after) - max(before)) / timedelta(hours=1)
    rise = after[max(after)] - before[max(before)]
    assert rise == pytest.approx(POWER_W * hours / 1000, abs=0.002)
    assert harness.sim.delivery_report().clean
