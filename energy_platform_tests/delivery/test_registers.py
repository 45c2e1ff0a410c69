"""What Wattics sees of registers that reset, dip, are exchanged, corrected or filled in later."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energy_platform.delivery import Ledger, delivery_frame
from energy_platform.transforms.policy import CounterPolicy
from energy_platform_tests.delivery.scenario import (
    ELECTRICITY,
    DeliveryHarness,
    open_harness,
    point,
    portfolio,
    regular,
    rising,
    utc,
)

if TYPE_CHECKING:
    from pathlib import Path

FIVE = timedelta(minutes=5)
HOUR = timedelta(hours=1)
START = utc("2026-03-01 00:00")


@pytest.fixture
def prepared(harness: DeliveryHarness) -> DeliveryHarness:
    """One register of 1.2 kW over four days, sampled every five minutes."""
    harness.register_streams(portfolio(ELECTRICITY))
    harness.scenario.registers[point(1)] = regular(
        START, utc("2026-03-04 23:55"), every=FIVE, value=rising(START, face_wh=5000, power_w=1200)
    )
    return harness


@pytest.fixture
def refreshed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scenario writes its core files itself: they follow the portfolio when it says so."""
    monkeypatch.setattr("energy_platform.refresh.stale", lambda *_: ())


def shown(harness: DeliveryHarness) -> dict[datetime, float]:
    """Return the register as Wattics has it, after a look at the rest of its verdict."""
    judged = harness.sim.delivery_report()
    assert judged.clean, judged.complaints
    return harness.values("el-1", "pC_1")


def falls_nowhere(values: dict[datetime, float]) -> bool:
    return all(before <= after for before, after in pairwise(values.values()))


def test_a_reset_and_an_exchange_rise_at_wattics_and_keep_the_energy(
    prepared: DeliveryHarness,
) -> None:
    samples = prepared.scenario.registers[point(1)]
    reset_at, exchange_at = utc("2026-03-02 10:00"), utc("2026-03-03 08:00")
    readings = []
    for at, value in samples:
        if at >= exchange_at:
            readings.append((at, value - 5000 + 40_000.0))
        elif at >= reset_at:
            readings.append((at, rising(reset_at, face_wh=0, power_w=1200)(at)))
        else:
            readings.append((at, value))
    prepared.scenario.registers[point(1)] = readings
    prepared.scenario.policies[point(1)] = CounterPolicy(max_power_w=3000)
    prepared.scenario.write_days("2026-03-01", "2026-03-04")
    assert prepared.push(portfolio(ELECTRICITY)).ok
    values = shown(prepared)
    assert falls_nowhere(values)
    hours = (max(values) - min(values)) / HOUR
    # The step into the reset and the exchange's own jump are worth nothing known.
    assert values[max(values)] - values[min(values)] == pytest.approx(1200 * hours, abs=250)


def test_a_dip_is_held_flat_until_caught_up_and_shown_as_held_back(
    prepared: DeliveryHarness,
) -> None:
    samples = prepared.scenario.registers[point(1)]
    low_at = utc("2026-03-01 12:00")
    prepared.scenario.registers[point(1)] = [
        (at, value if at < low_at else value - 900) for at, value in samples
    ]
    prepared.scenario.write_days("2026-03-01")
    agreed = portfolio(ELECTRICITY)
    at = utc("2026-03-01 12:30")
    prepared.scenario.write_days("2026-03-01", until=at)
    prepared.push(agreed)
    values = shown(prepared)
    flat = [value for when, value in values.items() if when >= low_at - FIVE]
    assert falls_nowhere(values)
    assert len(set(flat)) == 1
    frame = delivery_frame(prepared.ledger, prepared.scenario.lake, agreed)
    assert frame["held_back_wh"][0] == pytest.approx(900 - 0.5 * 1200, abs=150)
    prepared.scenario.write_days("2026-03-01", "2026-03-02")
    prepared.push(agreed)
    values = shown(prepared)
    assert falls_nowhere(values)
    late = utc("2026-03-02 06:00")
    assert values[late] == round(dict(prepared.scenario.registers[point(1)])[late])
    assert delivery_frame(prepared.ledger, prepared.scenario.lake, agreed)["held_back_wh"][0] == 0


def test_late_data_raise_the_next_value_and_nothing_before_it(prepared: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY)
    samples = dict(prepared.scenario.registers[point(1)])
    missing = {at for at in samples if utc("2026-03-02 08:00") <= at < utc("2026-03-02 20:00")}
    # While they were missing, the step over them was worth nothing known.
    from_at, to_at = utc("2026-03-02 07:55"), utc("2026-03-02 20:00")
    prepared.scenario.registers[point(1)] = [
        (at, value - (samples[to_at] - samples[from_at] if at >= to_at else 0))
        for at, value in samples.items()
        if at not in missing
    ]
    prepared.scenario.write_days("2026-03-01", "2026-03-03")
    prepared.push(agreed)
    before = shown(prepared)
    prepared.scenario.registers[point(1)] = list(samples.items())
    prepared.scenario.write_days("2026-03-01", "2026-03-04")
    prepared.push(agreed)
    after = shown(prepared)
    assert {at: after[at] for at in before} == before
    assert falls_nowhere(after)
    last = max(after)
    assert after[last] == round(samples[last])


def test_late_data_that_lower_the_register_are_held_flat(prepared: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY)
    truth = dict(prepared.scenario.registers[point(1)])
    prepared.scenario.registers[point(1)] = [
        (at, value + (3000 if at >= utc("2026-03-02 12:00") else 0)) for at, value in truth.items()
    ]
    prepared.scenario.write_days("2026-03-01", "2026-03-02")
    prepared.push(agreed)
    before = shown(prepared)
    prepared.scenario.registers[point(1)] = list(truth.items())
    prepared.scenario.write_days("2026-03-01", "2026-03-04")
    prepared.push(agreed)
    values = shown(prepared)
    assert falls_nowhere(values)
    top = before[max(before)]
    soon = utc("2026-03-03 01:00")
    assert values[soon] == top > truth[soon]
    last = max(values)
    assert values[last] == round(truth[last])


def test_an_older_year_loaded_later_moves_no_register(prepared: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY)
    whole = prepared.scenario.registers[point(1)]
    prepared.scenario.registers[point(1)] = [
        one for one in whole if one[0] >= utc("2026-03-03 00:00")
    ]
    prepared.scenario.write_days("2026-03-03")
    prepared.push(agreed)
    prepared.scenario.registers[point(1)] = whole
    prepared.scenario.write_days("2026-03-01", "2026-03-04")
    prepared.push(agreed)
    values = shown(prepared)
    assert min(values) == utc("2026-03-03 00:00")
    assert values == {at: round(dict(whole)[at]) for at in values}


@pytest.mark.usefixtures("refreshed")
def test_a_changed_policy_rebases_and_history_stays_as_sent(prepared: DeliveryHarness) -> None:
    samples = prepared.scenario.registers[point(1)]
    fall_at = utc("2026-03-02 12:00")
    prepared.scenario.registers[point(1)] = [
        (at, value if at < fall_at else rising(fall_at, face_wh=500, power_w=1200)(at))
        for at, value in samples
    ]
    prepared.scenario.policies[point(1)] = CounterPolicy(on_fall="count_after")
    prepared.scenario.write_days("2026-03-01", "2026-03-03")
    prepared.push(portfolio(ELECTRICITY))
    before = shown(prepared)
    prepared.scenario.policies[point(1)] = CounterPolicy(on_fall="zero")
    prepared.scenario.write_days("2026-03-01", "2026-03-04")
    changed = portfolio(ELECTRICITY, policy=", on_fall: zero")
    prepared.push(changed)
    values = shown(prepared)
    assert {at: values[at] for at in before} == before
    (event,) = prepared.ledger.events(kind="rebase")
    assert event.detail["moved_wh"] == pytest.approx(500, abs=1)
    last_before = max(before)
    hours = (max(values) - last_before) / HOUR
    assert values[max(values)] - values[last_before] == pytest.approx(1200 * hours, abs=1)
    # The same again changes nothing.
    prepared.push(changed)
    assert len(prepared.ledger.events(kind="rebase")) == 1


def test_a_changed_policy_waits_for_the_refresh_of_the_lake(prepared: DeliveryHarness) -> None:
    prepared.scenario.write_days("2026-03-01", "2026-03-02")
    prepared.push(portfolio(ELECTRICITY))
    before = shown(prepared)
    prepared.scenario.write_days("2026-03-03")
    outcome = prepared.push(portfolio(ELECTRICITY, policy=", on_fall: zero"))
    assert outcome.streams["el-1"].status == "waiting"
    assert "refresh" in outcome.streams["el-1"].reason
    assert shown(prepared) == before


@pytest.mark.usefixtures("refreshed")
def test_another_point_goes_on_from_the_value_sent_last(prepared: DeliveryHarness) -> None:
    prepared.scenario.registers[point(2)] = regular(
        START, utc("2026-03-04 23:55"), every=FIVE, value=rising(START, face_wh=77, power_w=600)
    )
    prepared.scenario.write_days("2026-03-01", "2026-03-02")
    prepared.push(portfolio(ELECTRICITY))
    before = shown(prepared)
    prepared.scenario.write_days("2026-03-03", "2026-03-04")
    prepared.push(portfolio(ELECTRICITY.replace("M1/E", "M2/E")))
    values = shown(prepared)
    hours = (max(values) - max(before)) / HOUR
    assert values[max(values)] - before[max(before)] == pytest.approx(600 * hours, abs=1)
    assert len(prepared.ledger.events(kind="rebase")) == 1


def test_a_two_day_gap_sends_no_packets_and_one_catch_up(prepared: DeliveryHarness) -> None:
    gap = utc("2026-03-02 00:00"), utc("2026-03-04 00:00")
    whole = prepared.scenario.registers[point(1)]
    prepared.scenario.registers[point(1)] = [one for one in whole if not gap[0] < one[0] < gap[1]]
    prepared.scenario.write_days("2026-03-01", "2026-03-04")
    prepared.push(portfolio(ELECTRICITY))
    values = shown(prepared)
    assert not [at for at in values if gap[0] < at < gap[1]]
    assert values[gap[1]] - values[gap[0]] == 48 * 1200
    judged = prepared.sim.delivery_report().streams["el-1"]
    assert len(judged.gaps) == 1


def test_a_suspect_at_the_cursor_sends_nothing_until_it_is_settled(
    prepared: DeliveryHarness,
) -> None:
    agreed = portfolio(ELECTRICITY)
    jump_at = utc("2026-03-02 12:00")
    prepared.scenario.registers[point(1)] = [
        (at, value + (50_000 if at >= jump_at else 0))
        for at, value in prepared.scenario.registers[point(1)]
        # The register speaks rarely after the jump, so that it stays unsettled for hours.
        if at < jump_at or at.minute == 0
    ]
    prepared.scenario.policies[point(1)] = CounterPolicy(max_power_w=3000)
    prepared.scenario.write_days("2026-03-01")
    prepared.now = utc("2026-03-02 13:50")
    prepared.scenario.write_days("2026-03-02", until=utc("2026-03-02 13:50"))
    prepared.push(agreed)
    assert max(shown(prepared)) == utc("2026-03-02 11:45")
    prepared.now = utc("2026-03-02 15:50")
    prepared.scenario.write_days("2026-03-02", until=utc("2026-03-02 15:50"))
    prepared.push(agreed)
    values = shown(prepared)
    assert max(values) > jump_at
    assert values[max(values)] - values[utc("2026-03-02 11:45")] < 4 * 1200


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_the_register_does_wattics_sees_no_fall_and_in_the_end_the_truth(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    steps = data.draw(
        st.lists(st.integers(-2000, 4000), min_size=20, max_size=60), label="change per half hour"
    )
    cuts = data.draw(
        st.lists(st.integers(1, len(steps)), max_size=3, unique=True).map(sorted), label="pushes"
    )
    late = data.draw(st.sets(st.integers(0, len(steps)), max_size=5), label="late samples")
    folder: Path = tmp_path_factory.mktemp("scenario")
    half = timedelta(minutes=30)
    values, total = [(START, 100_000.0)], 100_000.0
    for number, change in enumerate(steps):
        total += change
        values.append((START + (number + 1) * half, total))
    values.append((values[-1][0] + half, max(value for _, value in values) + 1000))
    with (
        Ledger.at(folder / "ledger.sqlite") as ledger,
        open_harness(folder, ledger=ledger, now=utc("2026-03-05 12:00")) as harness,
    ):
        agreed = portfolio(ELECTRICITY)
        harness.register_streams(agreed)
        for cut in cuts:
            harness.scenario.registers[point(1)] = [
                one for number, one in enumerate(values) if number <= cut and number not in late
            ]
            until = START + cut * half + timedelta(minutes=1)
            harness.scenario.write_days("2026-03-01", "2026-03-02", until=until)
            harness.push(agreed)
        harness.scenario.registers[point(1)] = values
        harness.scenario.write_days("2026-03-01", "2026-03-03")
        harness.push(agreed)
        seen = shown(harness)
        assert falls_nowhere(seen)
        if seen:
            # The last sample is above all before it: there the register has caught up. What a
            # late sample before the anchor would have added is not part of it.
            register = ledger.states()["el-1"].registers["pC_1"]
            assert seen[max(seen)] == pytest.approx(round(register.target_wh), abs=1)
            assert register.held_back_wh <= 1
