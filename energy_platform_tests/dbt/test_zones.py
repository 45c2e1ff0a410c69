"""Local days of many zones, from readings to the published file."""

from __future__ import annotations

from typing import Any

import pytest

from energy_platform_tests.zones import LOCAL_DAYS, LocalDay, Row, main, measure

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[LocalDay, Row]:
    return {row.said: row for row in measure(tmp_path_factory.mktemp("zones"))}


@pytest.mark.parametrize("said", LOCAL_DAYS, ids=lambda said: f"{said.timezone} {said.day}")
def test_a_local_day_holds_its_own_hours_and_energy(
    rows: dict[LocalDay, Row], said: LocalDay
) -> None:
    assert rows[said].problem == ""


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"expected_s": 86_400.0}, "expected_s should be 82800"),
        ({"covered_s": 82_000.0}, "covered_s should be 82800"),
        ({"energy_wh": 1.0}, "energy_wh should be"),
        ({"status": "closed"}, "should be final"),
        ({"expected_s": None}, "no row"),
        ({"true_s": 86_400.0}, "zoneinfo says 24 h"),
        ({"said": LocalDay("Pacific/Apia", "2011-12-30", 0), "true_s": 0.0}, "never was"),
    ],
)
def test_a_wrong_row_is_told_and_fails_the_command(
    rows: dict[LocalDay, Row],
    changes: dict[str, Any],
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    right = rows[LOCAL_DAYS[0]]
    wrong = right._replace(**changes)
    assert problem in wrong.problem
    for shown, code in (([right], 0), ([right, wrong], 1)):
        monkeypatch.setattr("energy_platform_tests.zones.measure", lambda _, shown=shown: shown)
        assert main() == code
        assert ("WRONG" in capsys.readouterr().out) == bool(code)
