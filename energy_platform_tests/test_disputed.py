"""What is not booked is said, with point, Wh, days and the limit that would have let it pass."""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.alerts.conditions import dispute_conditions
from energy_platform.cli.disputed import refused_lines, refused_of, report_lines
from energy_platform.disputed import disputed, idle_acceptances, too_small
from energy_platform.doctor.limits import check_limits
from energy_platform.lake.lake import Lake
from energy_platform.limits_seen import seen_power
from energy_platform.refresh import refresh
from energy_platform_tests.refresh.world import DAYS, METER, PORTFOLIO, land, portfolio, steady

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.portfolio import Portfolio

JUMP_WH = 5_000_000.0
"""On top of what the meter counts, from 10:00 UTC of the fourth day on."""


def stated(limit: str) -> Portfolio:
    return portfolio(PORTFOLIO.replace("max_power_w: 100000", f"max_power_w: {limit}"))


def lake_of(root: Path, plan: Portfolio, *, jump: float = 0.0, scale: float = 1.0) -> Lake:
    lake = Lake(root / "lake")
    land(
        lake,
        [
            (
                point_id,
                day,
                minute,
                value * scale + (jump if (day, minute) >= (DAYS[3], 600) else 0),
            )
            for point_id, day, minute, value in steady()
            if point_id == METER
        ],
    )
    refresh(lake, portfolio=plan)
    return lake


def test_refused_energy_names_point_wh_day_and_a_limit_that_lets_it_pass(tmp_path: Path) -> None:
    plan = stated("100000")
    lake = lake_of(tmp_path, plan, jump=JUMP_WH)
    (one,) = disputed(lake, plan)
    assert one.point_id == METER
    assert one.refused_wh == pytest.approx(JUMP_WH, rel=0.001)
    assert one.days == (DAYS[3],)
    assert one.needed_w is not None
    assert f"a max_power_w of {one.needed_w:,.0f} would have let it pass" in one.description
    (found,) = refused_of(lake, plan)
    assert found["limit_that_would_pass_w"] == one.needed_w
    title, lines = refused_lines([found])
    assert title.endswith(": 1")
    assert lines == [one.description]
    assert report_lines(lake, plan, days=DAYS) == [f"not booked: {one.description}"]
    assert report_lines(lake, plan, days=DAYS[5:]) == []
    enough = stated(f"{one.needed_w:.0f}")
    refresh(lake, portfolio=enough)
    assert disputed(lake, enough) == ()
    assert too_small(lake, enough) == ()


def test_the_alert_begins_per_point_and_is_over_once_the_energy_is_accepted(tmp_path: Path) -> None:
    plan = stated("100000")
    lake = lake_of(tmp_path, plan, jump=JUMP_WH)
    (told,) = dispute_conditions(disputed(lake, plan))
    assert (told.kind, told.subject) == ("figure_disputed", METER)
    assert f"energy-platform explain {shlex.quote(METER)} {DAYS[3]}" in told.todo
    entry = f"{{points: ['{METER}'], reason: it was real, from: {DAYS[3]}, to: {DAYS[4]}}}"
    accepting = portfolio(more=f"accept:\n  - {entry}\n")
    refresh(lake, portfolio=accepting)
    assert dispute_conditions(disputed(lake, accepting)) == []


def test_a_dispute_that_stands_is_not_over_because_its_day_is_no_longer_recent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("energy_platform.disputed.RECENT_DAYS", 3)
    plan = stated("100000")
    lake = lake_of(tmp_path, plan, jump=JUMP_WH)
    assert disputed(lake, plan) == ()
    begun = datetime.fromisoformat(f"{DAYS[3]}T10:00Z")
    (stands,) = disputed(lake, plan, since=begun)
    assert (stands.point_id, stands.days) == (METER, (DAYS[3],))
    assert disputed(lake, plan, since=begun + timedelta(days=1)) == ()
    # One that stands since yesterday hides none of the recent days.
    recent = disputed(lake, plan, since=datetime.fromisoformat(f"{DAYS[-1]}T10:00Z"))
    assert recent == disputed(lake, plan)
    entry = f"{{points: ['{METER}'], reason: it was real, from: {DAYS[3]}, to: {DAYS[4]}}}"
    accepting = portfolio(more=f"accept:\n  - {entry}\n")
    refresh(lake, portfolio=accepting)
    assert disputed(lake, accepting, since=begun) == ()


def test_doctor_says_a_limit_in_kilowatts_with_the_number_in_watts(tmp_path: Path) -> None:
    # 600 Wh an hour, ten times as much: 6 kW; the limit was typed as 8.
    plan = stated("8")
    lake = lake_of(tmp_path, plan, scale=10)
    (found,) = check_limits(plan, lake=lake)
    assert found.level == "warn"
    assert METER in found.message
    assert "Were they kW? Then write 8000" in found.message


def test_doctor_says_a_limit_a_quarter_too_small_without_calling_it_kilowatts(
    tmp_path: Path,
) -> None:
    plan = stated("180")
    lake = lake_of(tmp_path, plan)
    (found,) = check_limits(plan, lake=lake)
    assert found.level == "warn"
    assert "max_power_w 180 W is stated, it needs 600 W or more" in found.message
    assert "kW" not in found.message


def test_doctor_says_a_limit_that_keeps_nothing_out(tmp_path: Path) -> None:
    plan = stated("100000000")
    lake = lake_of(tmp_path, plan)
    (found,) = check_limits(plan, lake=lake)
    assert "it keeps no bad reading out" in found.message


def test_doctor_has_nothing_to_say_of_limits_that_fit(tmp_path: Path) -> None:
    plan = stated("2000")
    lake = lake_of(tmp_path, plan)
    (found,) = check_limits(plan, lake=lake)
    assert found.level == "ok"
    (seen,) = seen_power(lake, plan)
    # A rise of an hour, measured since the register showed less, two hours before.
    assert seen.power_w == 300
    assert seen.proposed_w == 800


def test_doctor_says_an_acceptance_that_books_nothing(tmp_path: Path) -> None:
    def accepting(first: str, last: str) -> Portfolio:
        entry = f"{{points: ['{METER}'], reason: it was real, from: {first}, to: {last}}}"
        return portfolio(more=f"accept:\n  - {entry}\n")

    mistyped = accepting(DAYS[0], DAYS[1])
    lake = lake_of(tmp_path, mistyped, jump=JUMP_WH)
    messages = [one.message for one in check_limits(mistyped, lake=lake)]
    assert any("refused on" in message for message in messages)
    (idle,) = [message for message in messages if "books nothing" in message]
    assert idle.startswith(f"{METER}: accept from ")
    # Another span books it; one that the data do not reach yet may still.
    for first, last in ((DAYS[3], DAYS[4]), ("2030-01-01", "2030-01-02")):
        plan = accepting(first, last)
        refresh(lake, portfolio=plan)
        assert idle_acceptances(lake, plan) == ()


def test_doctor_says_a_counter_that_is_reset_often_to_be_read_with_keep(tmp_path: Path) -> None:
    plan = stated("11000")
    lake = Lake(tmp_path / "lake")
    sessions = [
        (METER, day, minute, 900.0 * (minute // 5 % 4 + 1))
        for day in DAYS[:4]
        for minute in range(0, 800, 5)
    ]
    land(lake, sessions)
    refresh(lake, portfolio=plan)
    (found,) = [one for one in check_limits(plan, lake=lake) if "is reset often" in one.message]
    assert found.message.startswith(f"{METER}: fell ")
    assert "`glitch: keep`" in found.advice
    import_ = "quantity: active_energy_import"
    kept = portfolio(PORTFOLIO.replace(import_, f"{import_}, glitch: keep"))
    refresh(lake, portfolio=kept)
    assert not [one for one in check_limits(kept, lake=lake) if "is reset often" in one.message]
