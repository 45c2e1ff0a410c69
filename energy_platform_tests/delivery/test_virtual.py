"""Virtual points are delivered like others: a register that goes on, held flat where it falls."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from energy_platform.days import day_bounds
from energy_platform.portfolio import parse_portfolio
from energy_platform.refresh import refresh
from energy_platform.schemas import VIRTUAL_TABLES
from energy_platform_tests.delivery.scenario import DeliveryHarness, push_wanted
from energy_platform_tests.refresh.test_virtual import LOAD, REST, USE, VIRTUAL
from energy_platform_tests.refresh.world import DAYS, PORTFOLIO, land, steady

if TYPE_CHECKING:
    from datetime import datetime

    from energy_platform.portfolio import Portfolio

STREAMS: Final = f"""
streams:
  - {{id: use, kind: value, site: mill, credential: default, interval: 1h, reading: cumulative,
     unit: Wh, fields: {{value: "{USE}"}}}}
  - {{id: rest, kind: value, site: mill, credential: default, interval: 1h, reading: cumulative,
     unit: Wh, fields: {{value: "{REST}"}}}}
  - {{id: rest-each, kind: value, site: mill, credential: default, interval: 1h,
     reading: per_interval, unit: Wh, fields: {{value: "{REST}"}}}}
  - {{id: load, kind: value, site: mill, credential: default, interval: 1h, reading: average,
     unit: W, fields: {{value: "{LOAD}"}}}}
"""


def known(virtual: str = VIRTUAL) -> Portfolio:
    return parse_portfolio(PORTFOLIO + virtual + STREAMS)


def delivered(
    harness: DeliveryHarness, *loads: list[str], of: Portfolio
) -> dict[str, dict[datetime, float]]:
    """Land some days after others, refresh and push after each; return what Wattics holds."""
    harness.register_streams(of)
    for days in loads:
        land(harness.scenario.lake, [one for one in steady(DAYS[:3]) if one[1] in days])
        refresh(harness.scenario.lake, portfolio=of)
        outcome = harness.push(of)
        assert not outcome.refused
    return {stream: harness.values(stream, "value") for stream in of.streams}


def rises(values: dict[datetime, float]) -> set[float]:
    in_order = [values[at] for at in sorted(values)]
    return {round(after - before, 3) for before, after in pairwise(in_order)}


def test_a_sum_is_a_register_that_rises_with_its_parts(harness: DeliveryHarness) -> None:
    found = delivered(harness, DAYS[:1], DAYS[1:2], DAYS[2:3], of=known())
    assert rises(found["use"]) == {1_507.5}
    assert rises(found["rest"]) == {367.5}
    assert {*found["rest-each"].values()} == {367.5}
    assert {*found["load"].values()} == {2_500.0, -500.0}
    # Hour after hour, over both midnights.
    assert len(found["use"]) >= 2 * 24 + 20
    assert push_wanted(harness.scenario.lake, harness.ledger, known(), now=harness.now) is None


def test_a_register_that_runs_back_is_held_flat_and_says_by_how_much(
    harness: DeliveryHarness,
) -> None:
    portfolio = known(VIRTUAL.replace("factor: -2", "factor: -4"))
    found = delivered(harness, DAYS[:2], of=portfolio)
    assert rises(found["rest"]) == {0.0}
    assert {*found["rest-each"].values()} == {-832.5}
    held = {
        stream: sum(register.held_back_wh for register in state.registers.values())
        for stream, state in harness.ledger.states().items()
    }
    assert held["use"] == 0.0
    assert held["rest"] > 20 * 832.5


def test_sums_that_were_not_made_yet_are_waited_for(harness: DeliveryHarness) -> None:
    portfolio = known()
    harness.register_streams(portfolio)
    lake = harness.scenario.lake
    land(lake, steady(DAYS[:3]))
    refresh(lake, portfolio=portfolio)
    for table in VIRTUAL_TABLES:
        lake.path(table, day=DAYS[1]).unlink()
    harness.push(portfolio)
    assert max(harness.values("use", "value")) <= day_bounds(DAYS[1])[0]
    refresh(lake, portfolio=portfolio)
    harness.push(portfolio)
    found = harness.values("use", "value")
    assert rises(found) == {1_507.5}
    assert max(found) >= day_bounds(DAYS[2])[0]
