"""History of SoData in chunks: sizes that adapt, answers that are cut."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_platform.sources.http.errors import (
    ContractError,
    FaultKind,
    PermanentError,
    TransientError,
    VendorError,
)
from energy_platform.sources.socomec.batch_size import FULL_CHUNK, GROW_AFTER, HistoryRequest
from energy_platform.sources.socomec.history import History, Reading
from energy_platform.sources.socomec.models import Datapoints, Point, SeriesKey, SeriesPoints
from energy_platform_tests.sources.socomec.sodata import CA, END, START, stamp

DAY = END - START
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def keys(count: int) -> tuple[SeriesKey, ...]:
    return tuple(SeriesKey(f"device-{n % 3}", "Global", "0", f"{n:03}") for n in range(count))


@dataclass
class Limits:
    """A vendor with limits nobody wrote down."""

    points: dict[SeriesKey, list[datetime]]
    window: timedelta = timedelta(days=400)
    series: int = 10_000
    cap_series: int = 10**9
    cap_total: int = 10**9
    choke: type[TransientError] | int = 504
    asks: list[HistoryRequest] = field(default_factory=list)

    def __call__(self, ca: str, request: HistoryRequest) -> Datapoints:
        assert ca == CA
        self.asks.append(request)
        if request.window > self.window or len(request.series) > self.series:
            if self.choke == 413:
                raise PermanentError("big", vendor="socomec", endpoint="datapoints", status=413)
            status = None if self.choke is TransientError else 504
            kind: FaultKind = "timeout" if status is None else "status"
            raise TransientError(
                "slow", vendor="socomec", endpoint="datapoints", kind=kind, status=status
            )
        chunks, left = [], self.cap_total
        for key in request.series:
            inside = [at for at in self.points.get(key, ()) if request.start <= at < request.end]
            sent = inside[: min(self.cap_series, left)]
            left -= len(sent)
            data = [Point(stamp(at), 1.0) for at in sent]
            chunks.append(SeriesPoints(*key, data=data))
        return Datapoints(chunks, "raw", False)


def history(vendor: Limits, *, series: int = 20) -> History:
    return History(fetch=vendor, max_window=DAY, max_series=series)


def read(reader: History, series: tuple[SeriesKey, ...]) -> Counter[tuple[SeriesKey, str]]:
    reading = reader.read(CA, series=series, start=START, end=END)
    assert reading.unproven == {}
    return came(reading)


def came(reading: Reading) -> Counter[tuple[SeriesKey, str]]:
    return Counter(
        (chunk.key, stamp(EPOCH + timedelta(microseconds=at)))
        for chunk in reading.chunks
        for at in chunk.at.tolist()
    )


def truth(vendor: Limits) -> Counter[tuple[SeriesKey, str]]:
    return Counter((key, stamp(at)) for key, stamps in vendor.points.items() for at in stamps)


def steps(count: int, *, every_s: float) -> list[datetime]:
    return [START + timedelta(seconds=int(n * every_s)) for n in range(count)]


@settings(max_examples=40, deadline=None)
@given(
    seconds=st.dictionaries(
        st.integers(0, 11), st.sets(st.integers(0, 86_399), max_size=40), max_size=12
    ),
    window_min=st.sampled_from([15, 16, 40, 180, 1440]),
    most=st.integers(1, 12),
    choke=st.sampled_from([413, 504, TransientError]),
)
def test_whatever_the_vendor_can_serve_every_point_comes_once(
    seconds: dict[int, set[int]], window_min: int, most: int, choke: type[TransientError] | int
) -> None:
    series = keys(12)
    points = {
        series[n]: [START + timedelta(seconds=s) for s in sorted(stamps)]
        for n, stamps in seconds.items()
    }
    vendor = Limits(points, window=timedelta(minutes=window_min), series=most, choke=choke)
    assert read(history(vendor), series) == truth(vendor)


@pytest.mark.parametrize("cap", ["cap_series", "cap_total"])
def test_answers_cut_at_a_round_number_are_found_out_and_completed(cap: str) -> None:
    series = keys(3)
    vendor = Limits({key: steps(4321, every_s=19.9) for key in series})
    setattr(vendor, cap, 1000)
    reader = history(vendor)
    assert read(reader, series) == truth(vendor)
    assert any("cuts answers" in warning for warning in reader.take_warnings())
    assert reader.take_warnings() == []


Limited = Literal["oldest of each", "newest of each", "first series", "newest of all"]


def limited(
    stamps: dict[SeriesKey, list[datetime]], *, most: int, how: Limited, order: random.Random
) -> dict[SeriesKey, list[datetime]]:
    """What is left of an answer under a limit of the vendor."""
    if how == "oldest of each":
        return {key: one[:most] for key, one in stamps.items()}
    if how == "newest of each":
        return {key: one[-most:] for key, one in stamps.items()}
    every = [(at, key) for key, one in stamps.items() for at in one]
    if how == "newest of all":
        every.sort(reverse=True)
    else:
        first = list(stamps)
        order.shuffle(first)
        every = [(at, key) for key in first for at in stamps[key]]
    left = set(every[:most])
    return {key: [at for at in one if (at, key) in left] for key, one in stamps.items()}


@settings(max_examples=40, deadline=None)
@given(
    steps_s=st.lists(st.sampled_from([120, 300, 305, 600, 900, 1800]), min_size=1, max_size=8),
    most=st.integers(10, 1200),
    how=st.sampled_from(get_args(Limited)),
    seed=st.integers(0, 1000),
)
def test_no_limit_of_any_kind_leaves_a_window_short_without_a_word(
    steps_s: list[int], most: int, how: Limited, seed: int
) -> None:
    order = random.Random(seed)  # noqa: S311 - no secret
    series = keys(len(steps_s))
    points = {
        key: [START + timedelta(seconds=s) for s in range(order.randrange(step), 86_400, step)]
        for key, step in zip(series, steps_s, strict=True)
    }

    def fetch(ca: str, request: HistoryRequest) -> Datapoints:
        inside = {
            key: [at for at in points[key] if request.start <= at < request.end]
            for key in request.series
        }
        left = limited(inside, most=most, how=how, order=order)
        chunks = [SeriesPoints(*key, data=[Point(stamp(at)) for at in left[key]]) for key in left]
        return Datapoints(chunks, "raw", False)

    reader = History(fetch=fetch, max_window=DAY, max_series=20)
    assert read(reader, series) == truth(Limits(points))


def test_a_round_number_that_is_the_truth_costs_one_comparison_only() -> None:
    series = keys(2)
    vendor = Limits({key: steps(1000, every_s=86.4) for key in series})
    reader = history(vendor)
    assert read(reader, series) == truth(vendor)
    compared = len(vendor.asks)
    for _ in range(3):
        assert read(reader, series) == truth(vendor)
    assert len(vendor.asks) == compared + 3
    assert reader.take_warnings() == []


def test_a_proven_round_number_is_doubted_again_when_the_day_looks_unfinished() -> None:
    (key,) = keys(1)
    vendor = Limits({key: steps(1000, every_s=86.4)}, cap_series=1000)
    reader = history(vendor)
    read(reader, (key,))
    vendor.points = {key: steps(1500, every_s=57.6)}
    assert read(reader, (key,)) == truth(vendor)


def test_portions_grow_back_after_the_vendor_has_recovered() -> None:
    series = keys(16)
    vendor = Limits({}, window=timedelta(hours=6), series=4, choke=413)
    reader = history(vendor, series=16)
    read(reader, series)
    window, most = reader.batch_size.size
    assert timedelta(hours=1) <= window <= timedelta(hours=12)
    assert 1 <= most <= 8
    vendor.window, vendor.series = DAY, 16
    for _ in range(20 * GROW_AFTER):
        read(reader, series[:4])
    assert reader.batch_size.size == (DAY, 16)


def test_a_limit_of_the_vendor_is_not_probed_again_and_again() -> None:
    vendor = Limits({}, window=timedelta(hours=6))
    reader = history(vendor)
    for _ in range(100):
        read(reader, keys(20))
    refused = [request for request in vendor.asks if request.window > vendor.window]
    assert len(refused) < len(vendor.asks) / 20
    assert reader.batch_size.size[1] == 20


def test_very_full_answers_make_the_next_portions_smaller() -> None:
    reader = history(Limits({}))
    reader.batch_size.on_success(points=FULL_CHUNK + 1)
    assert reader.batch_size.size == (DAY, 10)


def test_a_vendor_that_never_answers_is_given_up_after_the_smallest_portion() -> None:
    vendor = Limits({}, series=0)
    with pytest.raises(TransientError):
        read(history(vendor), keys(20))
    assert len(vendor.asks) < 15
    assert vendor.asks[-1].is_smallest


@pytest.mark.parametrize(
    "error",
    [
        TransientError("x", vendor="socomec", endpoint="token", kind="status", status=504),
        PermanentError("x", vendor="socomec", endpoint="token", status=404),
    ],
    ids=["504", "404"],
)
def test_a_failed_login_is_not_taken_for_a_large_request(error: VendorError) -> None:
    calls = []

    def refuse(ca: str, request: HistoryRequest) -> Datapoints:
        calls.append(request)
        raise error

    reader = History(fetch=refuse, max_window=DAY, max_series=20)
    with pytest.raises(type(error)):
        read(reader, keys(20))
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"granularity": "hour"}, "granularity hour"),
        ({"use_device_local_timezone": True}, "local time"),
        ({"series": [SeriesPoints("stranger", "Global", "0", "1", data=[])]}, "not asked for"),
    ],
)
def test_an_answer_to_another_question_is_refused(change: dict[str, object], said: str) -> None:
    def other(ca: str, request: HistoryRequest) -> Datapoints:
        answer = Limits({})(ca, request)
        for name, value in change.items():
            setattr(answer, name, value)
        return answer

    reader = History(fetch=other, max_window=DAY, max_series=20)
    with pytest.raises(ContractError, match=said):
        read(reader, keys(2))
