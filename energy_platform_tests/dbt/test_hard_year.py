"""The first month of the hard year: a published day is right, or says that it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from energy_platform_tests.hard_year import HardMeter, Verdict, main, measure, meters

pytestmark = pytest.mark.long

DAYS = 32

HARD = meters(DAYS)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    found = measure(tmp_path_factory.mktemp("hard"), days=DAYS)
    return {verdict.meter.name: verdict for verdict in found}


@pytest.mark.parametrize("meter", HARD, ids=lambda meter: meter.name)
def test_no_day_is_wrong_in_silence(verdicts: dict[str, Verdict], meter: HardMeter) -> None:
    verdict = verdicts[meter.name]
    assert verdict.problem == ""
    assert verdict.right + verdict.estimated + verdict.marked >= DAYS


def test_a_silent_error_is_told_and_fails_the_command(
    verdicts: dict[str, Verdict],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    right = verdicts["plain"]
    wrong = replace(right, meter=HardMeter(name="x", needs=frozenset({"disputed"})))
    monkeypatch.setattr("sys.argv", ["hard_year"])
    for shown, code in (([right], 0), ([right, wrong], 1)):
        monkeypatch.setattr(
            "energy_platform_tests.hard_year.measure",
            lambda _, *, days, shown=shown: shown[:days],
        )
        assert main() == code
        assert ("nothing says disputed" in capsys.readouterr().out) == bool(code)
