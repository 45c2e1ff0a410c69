"""An edited portfolio makes exactly the days of its points stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform.lake.lake import Lake
from energy_platform.refresh import refresh, stale
from energy_platform.schemas import CORE_READINGS
from energy_platform_tests.refresh.world import (
    DAYS,
    METER,
    PORTFOLIO,
    SOLAR,
    STEP,
    VALVE,
    copied,
    core_bytes,
    fresh_lake,
    land,
    portfolio,
    steady,
)

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.portfolio import Portfolio

VALVE_DAYS = DAYS[2:4]
"""Days on which the valve says anything."""

UNKNOWN = "belimo/V2/evcloud.9"
UNKNOWN_DAYS = [DAYS[1], DAYS[6]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    samples = [s for s in steady() if "V1" not in s[0] or s[1] in VALVE_DAYS]
    samples += [(UNKNOWN, day, 60, 5.0) for day in UNKNOWN_DAYS]
    return fresh_lake(Lake(tmp_path_factory.mktemp("made") / "lake"), samples)


@pytest.fixture
def lake(made: Lake, tmp_path: Path) -> Lake:
    return copied(made, tmp_path / "lake")


def stale_days(lake: Lake, changed: Portfolio) -> list[str]:
    return [found.day for found in stale(lake, changed)]


def edited(old: str, new: str) -> Portfolio:
    assert PORTFOLIO.count(old) == 1
    return portfolio(PORTFOLIO.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: Mill", "name: Old Mill"),
        ("timezone: Europe/Paris", "timezone: Europe/Rome"),
        ("name: Heat", "name: Heat of the valve"),
        ("name: Gateway", "name: Roof"),
    ],
)
def test_names_and_zones_make_no_day_stale(lake: Lake, old: str, new: str) -> None:
    assert stale_days(lake, edited(old, new)) == []


def test_a_point_that_no_day_has_makes_no_day_stale(lake: Lake) -> None:
    more = (
        "  - {vendor: belimo, serial: V7, site: mill, name: New, max_power_w: none,\n"
        "     points: [{key: evcloud.1, name: Heat, quantity: heating_energy, unit: J}]}\n"
        "streams:\n"
        "  - {id: '1', kind: electricity, site: mill, credential: main, interval: 15m,\n"
        f"     reading: cumulative, fields: {{pC_1: '{METER}'}}}}\n"
        "corrections:\n"
        "  - {points: [belimo/V7/evcloud.1], reason: not yet, factor: 2}\n"
    )
    before = core_bytes(lake)
    assert stale_days(lake, portfolio(more=more)) == []
    assert refresh(lake, portfolio=portfolio(more=more)).days == ()
    assert core_bytes(lake) == before


def test_an_edited_unit_makes_the_days_of_its_point_stale(lake: Lake) -> None:
    kilo = edited("quantity: heating_energy, unit: J", "quantity: heating_energy, unit: kJ")
    assert stale_days(lake, kilo) == VALVE_DAYS


def test_an_edited_policy_makes_the_energy_of_its_points_days_stale(lake: Lake) -> None:
    strict = edited(
        "max_power_w: none\n    points:\n      - {key: evcloud.1,",
        "max_power_w: 9000\n    points:\n      - {key: evcloud.1,",
    )
    found = stale(lake, strict)
    assert [day.day for day in found] == VALVE_DAYS
    refresh(lake, portfolio=strict)
    assert stale_days(lake, strict) == []


def test_a_point_that_becomes_known_frees_the_days_in_which_it_was_quarantined(lake: Lake) -> None:
    more = (
        "  - {vendor: belimo, serial: V2, site: mill, name: New,\n"
        "     points: [{key: evcloud.9, name: Water, quantity: temperature, unit: °C}]}\n"
    )
    assert stale_days(lake, portfolio(more=more)) == UNKNOWN_DAYS
    refresh(lake, portfolio=portfolio(more=more))
    for day in UNKNOWN_DAYS:
        assert set(lake.read(CORE_READINGS, day=day)["status"]) == {"ok"}


def test_a_point_that_leaves_the_portfolio_is_quarantined_in_its_days(lake: Lake) -> None:
    less = edited("      - {key: evcloud.2, name: Water, quantity: temperature, unit: K}\n", "")
    assert stale_days(lake, less) == VALVE_DAYS


def correction(text: str) -> Portfolio:
    return portfolio(more=f"corrections:\n  - {{reason: reviewed, timezone: UTC, {text}}}\n")


@pytest.mark.parametrize(
    ("text", "days"),
    [
        (f"points: ['{METER}'], factor: 2, from: 2026-03-03, to: 2026-03-05", DAYS[2:4]),
        (f"points: ['{METER}'], drop: true, from: 2026-03-03T12:00:00Z, to: 2026-03-04", [DAYS[2]]),
        (f"points: ['{METER}'], factor: 2, to: 2026-03-02", [DAYS[0]]),
        (f"points: ['{METER}'], factor: 2, from: 2026-03-07", DAYS[6:]),
        (f"points: ['{METER}'], factor: 2", DAYS),
        (f"points: ['{VALVE}'], offset: 5", VALVE_DAYS),
        (f"points: ['{VALVE}'], offset: 5, from: 2026-03-04", VALVE_DAYS[1:]),
        (f"points: ['{VALVE}'], offset: 5, from: 2026-03-06", []),
        (
            f"points: ['{METER}'], policy: {{on_fall: zero}}, from: 2026-03-03, to: 2026-03-05",
            DAYS[2:4],
        ),
        (f"points: ['{VALVE}'], policy: {{confirm: 2}}", VALVE_DAYS),
    ],
)
def test_a_correction_makes_exactly_the_days_stale_that_it_touches(
    lake: Lake, text: str, days: list[str]
) -> None:
    assert stale_days(lake, correction(text)) == days


def test_a_correction_that_grows_makes_only_the_days_stale_that_it_gained(lake: Lake) -> None:
    text = f"points: ['{METER}'], factor: 2, from: 2026-03-03, to: "
    refresh(lake, portfolio=correction(text + "2026-03-05"))
    assert stale_days(lake, correction(text + "2026-03-06")) == [DAYS[4]]
    assert stale_days(lake, correction(text + "2026-03-04")) == [DAYS[3]]
    assert stale_days(lake, correction(text + "2026-03-04T12:00:00Z")) == [DAYS[3]]
    earlier = text.replace("from: 2026-03-03", "from: 2026-03-02")
    assert stale_days(lake, correction(earlier + "2026-03-05")) == [DAYS[1]]


def test_the_order_of_corrections_of_one_point_matters_and_of_others_does_not(lake: Lake) -> None:
    def entry(point_id: str, change: str, *, start: str, end: str) -> str:
        return (
            f"  - {{reason: reviewed, timezone: UTC, points: ['{point_id}'], {change},\n"
            f"     from: {start}, to: {end}}}\n"
        )

    double = entry(METER, "factor: 2", start="2026-03-03", end="2026-03-05")
    shift = entry(METER, "offset: 7", start="2026-03-04", end="2026-03-06")
    other = entry(SOLAR, "offset: 0.5", start="2026-03-04", end="2026-03-06")
    refresh(lake, portfolio=portfolio(more=f"corrections:\n{double}{shift}{other}"))
    assert stale_days(lake, portfolio(more=f"corrections:\n{other}{double}{shift}")) == []
    assert stale_days(lake, portfolio(more=f"corrections:\n{shift}{double}{other}")) == [DAYS[3]]


def test_undoing_an_edit_restores_every_file(lake: Lake) -> None:
    before = core_bytes(lake)
    refresh(lake, portfolio=correction(f"points: ['{METER}', '{STEP}'], factor: 3"))
    assert core_bytes(lake) != before
    refresh(lake, portfolio=portfolio())
    assert core_bytes(lake) == before


@pytest.mark.parametrize("name", ["*.parquet", "fingerprints.json", "*"])
def test_losing_what_is_kept_of_the_points_loses_nothing(lake: Lake, name: str) -> None:
    for path in (lake.root / ".points").glob(name):
        path.unlink()
    before = core_bytes(lake)
    assert stale_days(lake, portfolio()) == []
    for path in (lake.root / ".points").glob(name):
        path.write_bytes(b"torn")
    assert stale_days(lake, portfolio()) == []
    strict = edited("unit: kWh, max_power_w: 50000", "unit: kWh, max_power_w: 40000")
    assert stale_days(lake, strict) == DAYS
    assert core_bytes(lake) == before


def test_sets_of_points_that_no_day_has_any_more_are_removed(lake: Lake) -> None:
    def kept() -> set[str]:
        return {path.name for path in (lake.root / ".points").glob("*.parquet")}

    before = kept()
    assert len(before) == 3
    land(lake, [("belimo/V3/evcloud.3", day, 60, 5.0) for day in VALVE_DAYS])
    refresh(lake, portfolio=portfolio())
    assert len(kept()) == 3
    assert len(kept() - before) == 1
