"""Faults occur when they were asked for, and unknown ones are refused."""

from __future__ import annotations

import pytest

from energy_platform.simulators.faults import Fault, FaultError, Faults, by_vendor


def failures(faults: Faults, name: str, *, times: int, path: str = "/") -> list[bool]:
    return [faults.should_fail(name, path=path) is not None for _ in range(times)]


def test_a_fault_without_a_rule_always_strikes() -> None:
    assert failures(Faults.parse("html"), "html", times=3) == [True] * 3
    assert failures(Faults.parse("html=on"), "html", times=3) == [True] * 3


def test_a_count_strikes_on_the_next_occasions_only() -> None:
    assert failures(Faults.parse("http_503=2"), "http_503", times=4) == [True, True, False, False]


def test_a_schedule_strikes_on_exactly_its_occasions() -> None:
    faults = Faults.parse("http_500=@2+4")
    assert failures(faults, "http_500", times=5) == [False, True, False, True, False]
    assert faults.occurred["http_500"] == 2


def test_a_rate_is_kept_on_average_and_repeats_with_its_seed() -> None:
    first = failures(Faults.parse("http_429=0.2"), "http_429", times=5_000)
    assert sum(first) == pytest.approx(1_000, rel=0.1)
    assert failures(Faults.parse("http_429=0.2"), "http_429", times=5_000) == first
    assert failures(Faults.parse("http_429=0.2", seed=8), "http_429", times=5_000) != first


def test_requests_of_another_path_or_method_are_no_occasions() -> None:
    faults = Faults.parse("http_500=1:path=/devices:method=get")
    assert faults.should_fail("http_500", path="/sites", method="GET") is None
    assert faults.should_fail("http_500", path="/devices?take=1", method="PUT") is None
    assert faults.should_fail("http_500", path="/devices?take=1", method="GET") is not None


def test_several_faults_are_separated_by_blanks_or_commas_and_can_be_cleared() -> None:
    faults = Faults.parse("html, slow:seconds=0.5 http_429:retry_after=date")
    assert set(faults.names()) == {"html", "slow", "http_429"}
    slow = faults.active("slow")
    assert slow is not None
    assert slow.seconds == 0.5
    faults.clear("html")
    assert faults.should_fail("html") is None
    faults.clear()
    assert faults.names() == ()


def test_setting_a_fault_again_counts_afresh() -> None:
    faults = Faults.parse("http_503=1")
    failures(faults, "http_503", times=2)
    faults.set("http_503=1")
    assert failures(faults, "http_503", times=2) == [True, False]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("http_418", "unknown here"),
        ("http_503=1.5", r"rate between 0\.0 and 1\.0"),
        ("http_503=often", "came 'often'"),
        ("slow:quickly=1", "key 'quickly' is unknown"),
        ("slow:seconds=soon", "seconds must be a number"),
        ("slow:seconds", "expected KEY=VALUE"),
    ],
)
def test_a_fault_nobody_understands_is_refused_with_what_was_expected(
    text: str, complaint: str
) -> None:
    with pytest.raises(FaultError, match=complaint):
        Faults.parse(text)


@pytest.mark.parametrize("text", ["html", "http_503=0.1", "http_500=@1+2:path=/x", "truncate=10"])
def test_a_fault_prints_as_it_was_written(text: str) -> None:
    assert str(Fault.parse(text)) == text


def test_command_line_faults_are_sorted_by_vendor() -> None:
    texts = ["belimo:html socomec:slow:seconds=1", "belimo:never"]
    found = by_vendor(texts, vendors=("socomec", "belimo"))
    assert found == {"belimo": ["html", "never"], "socomec": ["slow:seconds=1"]}
    with pytest.raises(FaultError, match="expected VENDOR:FAULT"):
        by_vendor(["html"], vendors=("socomec",))
