"""What goes wrong in the data, and only where it was declared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from energy_platform.simulators.world import Event, EventKind, Samples, Signal, World, parse_event

KEY = "socomec/SN000001/Global|0|130101"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
NOON = MIDNIGHT + timedelta(hours=12)
EVENING = MIDNIGHT + timedelta(hours=18)


def register(kind: EventKind, **settings: Any) -> tuple[Signal, Samples, Samples]:
    """The signal, its clean day and its day with one event from noon to 18 h."""
    clean = World().signals[KEY]
    settings.setdefault("start", NOON)
    settings.setdefault("end", EVENING)
    world = World(events=[Event(signal=KEY, kind=kind, **settings)])
    signal = world.signals[KEY]
    return signal, day(clean), day(signal)


def day(signal: Signal, *, now: float | None = None) -> Samples:
    return signal.samples(MIDNIGHT.timestamp(), MIDNIGHT.timestamp() + 86_400, now=now)


def inside(at: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (at >= NOON.timestamp()) & (at < EVENING.timestamp())


def test_a_reset_starts_the_register_from_zero_and_counts_on() -> None:
    _, clean, seen = register("reset", end=None)
    after = seen.at >= NOON.timestamp()
    assert seen.values[~after].tolist() == clean.values[~after].tolist()
    assert 0 <= seen.values[after][0] < 1e4
    assert np.diff(seen.values[after]).tolist() == np.diff(clean.values[after]).tolist()


def test_an_exchanged_meter_starts_where_it_was_set() -> None:
    _, _, seen = register("exchange", end=None, amount=5e6)
    assert 5e6 <= seen.values[seen.at >= NOON.timestamp()][0] < 5.01e6


def test_a_second_exchange_meets_the_register_of_the_first() -> None:
    world = World()
    world.add_event(Event(KEY, "exchange", NOON, amount=100.0))
    world.add_event(Event(KEY, "exchange", EVENING, amount=7.0))
    seen = day(world.signals[KEY])
    last = seen.values[seen.at >= EVENING.timestamp()]
    assert 7.0 <= last[0] < 1e4
    assert np.diff(last).min() >= 0


def test_a_rollover_shows_the_register_modulo_its_size() -> None:
    _, clean, seen = register("rollover", end=None, amount=1_000_000.0)
    after = seen.at >= NOON.timestamp()
    assert seen.values[after].tolist() == (clean.values[after] % 1_000_000).tolist()


@pytest.mark.parametrize(("kind", "by"), [("dip", -500.0), ("spike", 500.0)])
def test_dips_and_spikes_move_only_what_they_cover(kind: EventKind, by: float) -> None:
    _, clean, seen = register(kind, amount=500.0)
    difference = seen.values - clean.values
    assert set(difference[inside(seen.at)].tolist()) == {by}
    assert set(difference[~inside(seen.at)].tolist()) == {0.0}


def test_a_zero_run_shows_zeros_only_while_it_lasts() -> None:
    _, _, seen = register("zeros")
    assert set(seen.values[inside(seen.at)].tolist()) == {0.0}
    assert seen.values[~inside(seen.at)].min() > 0


def test_a_null_is_no_number() -> None:
    _, _, seen = register("null")
    assert np.isnan(seen.values[inside(seen.at)]).all()
    assert not np.isnan(seen.values[~inside(seen.at)]).any()


def test_a_stuck_register_repeats_one_value_and_jumps_afterwards() -> None:
    _, clean, seen = register("stuck")
    assert len(set(seen.values[inside(seen.at)].tolist())) == 1
    after = seen.at >= EVENING.timestamp()
    assert seen.values[after].tolist() == clean.values[after].tolist()


def test_a_gap_has_no_samples() -> None:
    _, clean, seen = register("gap")
    assert seen.at.tolist() == clean.at[~inside(clean.at)].tolist()


def test_late_samples_exist_only_from_the_instant_they_arrive() -> None:
    arrival = MIDNIGHT + timedelta(days=2)
    signal, clean, _ = register("late", visible_from=arrival)
    before = day(signal, now=arrival.timestamp() - 1)
    assert before.at.tolist() == clean.at[~inside(clean.at)].tolist()
    assert day(signal, now=arrival.timestamp()).at.tolist() == clean.at.tolist()


def test_duplicates_are_equal_and_conflicts_are_not() -> None:
    _, clean, seen = register("duplicates")
    assert seen.at.size == clean.at.size + int(inside(clean.at).sum())
    assert len(set(zip(seen.at.tolist(), seen.values.tolist(), strict=True))) == clean.at.size
    _, _, fought = register("conflicting", amount=3.0)
    pairs = fought.values[inside(fought.at)]
    assert set((pairs[1::2] - pairs[::2]).tolist()) == {3.0}


def test_swapped_words_and_another_unit_multiply_the_count() -> None:
    _, clean, seen = register("word_swap")
    assert (seen.values[inside(seen.at)] == clean.values[inside(clean.at)] * 65_536).all()
    _, _, scaled = register("unit_change", amount=0.001)
    ratio = scaled.values[inside(scaled.at)] / clean.values[inside(clean.at)]
    assert ratio == pytest.approx(np.full(ratio.shape, 0.001))


def test_a_shifted_series_carries_wrong_stamps_and_the_same_values() -> None:
    signal, clean, seen = register(
        "shifted", start=MIDNIGHT - timedelta(days=1), end=None, amount=3_600
    )
    assert seen.at.size == pytest.approx(clean.at.size, abs=2)
    earlier = signal.cadence.stamps(MIDNIGHT.timestamp() - 3_600, MIDNIGHT.timestamp() + 82_800)
    assert seen.at.tolist() == (earlier + 3_600).tolist()


def test_no_event_changes_the_truth() -> None:
    window = (MIDNIGHT.timestamp(), MIDNIGHT.timestamp() + 86_400)
    signal, _, _ = register("reset", end=None)
    assert signal.true_energy_wh(*window) == World().signals[KEY].true_energy_wh(*window)


def test_clearing_the_events_heals_every_signal() -> None:
    world = World(events=[Event(KEY, "zeros", NOON)])
    assert world.events
    world.clear_events()
    assert not world.events
    assert day(world.signals[KEY]).values.tolist() == day(World().signals[KEY]).values.tolist()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"signal":"s","kind":"explode","start":"2026-01-01T00:00:00Z"}', "explode"),
        ('{"signal":"s","kind":"zeros","start":"2026-01-01T00:00:00"}', "need an offset"),
        ('{"signal":"s","kind":"late","start":"2026-01-01T00:00:00Z"}', "visible_from"),
        ('{"signal":"s","kind":"rollover","start":"2026-01-01T00:00:00Z"}', "modulus"),
        ("[]", "Expected"),
    ],
)
def test_a_wrong_event_says_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_event(text)


def test_an_event_on_an_unknown_signal_is_refused() -> None:
    with pytest.raises(KeyError, match="no signal 'nowhere'"):
        World(events=[Event("nowhere", "zeros", NOON)])
