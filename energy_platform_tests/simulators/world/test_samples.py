"""Samples do not depend on how they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_platform.simulators.world import ORIGIN_S, Bulk, Signal, World

WORLD = World()
SIGNALS = list(WORLD.signals.values())
signals = st.sampled_from(SIGNALS)
instants = st.integers(ORIGIN_S - 1_000, 2_200_000_000)


@settings(deadline=None, max_examples=60)
@given(signals, instants, st.integers(1, 200_000), st.integers(1, 200_000))
def test_a_sample_is_the_same_whatever_window_is_asked_for(
    signal: Signal, start: int, first: int, second: int
) -> None:
    whole = signal.samples(start, start + first + second)
    before = signal.samples(start, start + first)
    after = signal.samples(start + first, start + first + second)
    assert whole.at.tolist() == [*before.at.tolist(), *after.at.tolist()]
    joined = np.concatenate([before.values, after.values])
    assert np.array_equal(whole.values, joined)


@settings(deadline=None, max_examples=60)
@given(signals, instants, st.integers(0, 100_000))
def test_a_window_begins_with_its_start_and_ends_before_its_end(
    signal: Signal, start: int, length: int
) -> None:
    at = signal.samples(start, start + length).at
    assert ((at >= start) & (at < start + length)).all()
    assert (np.diff(at) > 0).all()


def test_a_window_from_one_stamp_to_another_holds_the_first_and_not_the_last() -> None:
    signal = WORLD.signals["socomec/SN000001/Global|0|130101"]
    at = signal.samples(1.767e9, 1.767e9 + 86_400).at
    window = signal.samples(float(at[3]), float(at[7]))
    assert window.at.tolist() == at[3:7].tolist()


@settings(deadline=None, max_examples=60)
@given(signals, instants, st.integers(0, 86_400))
def test_nothing_later_than_now_exists(signal: Signal, start: int, until: int) -> None:
    seen = signal.samples(start, start + 86_400, now=start + until)
    full = signal.samples(start, start + 86_400)
    assert seen.at.tolist() == [at for at in full.at.tolist() if at <= start + until]


def test_stamps_are_irregular_but_never_far_from_their_mean_distance() -> None:
    at = WORLD.signals["socomec/SN000001/Global|0|130101"].samples(1.767e9, 1.767e9 + 86_400).at
    steps = np.diff(at)
    assert steps.mean() == pytest.approx(300, rel=0.02)
    assert len(set(steps.tolist())) > 50
    assert steps.min() > 200


def test_two_devices_do_not_share_their_stamps() -> None:
    first = WORLD.signals["socomec/SN000001/Global|0|130101"].samples(1.767e9, 1.767e9 + 86_400)
    second = WORLD.signals["socomec/SN000002/Global|0|130101"].samples(1.767e9, 1.767e9 + 86_400)
    assert first.at.tolist() != second.at.tolist()


def test_all_sensors_of_a_skycentrics_gateway_share_the_full_minute() -> None:
    device = WORLD.of_vendor("skycentrics")[0]
    stamps = {tuple(one.samples(1.767e9, 1.767e9 + 600).at.tolist()) for one in device.signals}
    assert len(stamps) == 1
    assert all(at % 60 == 0 for at in stamps.pop())


def test_the_same_seed_gives_the_same_world_and_another_one_other_stamps() -> None:
    key = "socomec/SN000001/Global|0|130101"
    window = (1.767e9, 1.767e9 + 86_400)
    same = World().signals[key].samples(*window)
    other = World(8).signals[key].samples(*window)
    mine = WORLD.signals[key].samples(*window)
    assert same.at.tolist() == mine.at.tolist()
    assert same.values.tolist() == mine.values.tolist()
    assert other.at.tolist() != mine.at.tolist()


def test_a_large_portfolio_is_made_to_measure() -> None:
    world = World(bulk=Bulk(20, services=2, period_s=900))
    meters = [one for one in world.of_vendor("socomec") if one.serial.startswith("BULK")]
    assert len(meters) == 20
    day = meters[7].signals[1].samples(1_767_225_600, 1_767_225_600 + 86_400)
    assert day.at.size == 96


def test_the_newest_sample_is_the_last_one_up_to_now() -> None:
    signal = WORLD.signals["socomec/SN000004/Global|0|140100"]
    newest = signal.newest(1.767e9)
    samples = signal.samples(1.767e9 - 3_600, 1.767e9 + 1)
    assert newest == (int(samples.at[-1]), float(samples.values[-1]))


def test_before_the_world_began_there_is_nothing() -> None:
    signal = WORLD.signals["socomec/SN000001/Global|0|130101"]
    assert signal.newest(ORIGIN_S - 10.0) is None
    assert signal.samples(0, ORIGIN_S).at.size == 0
