"""When people are in a building, as it is typed, and what of it is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import jsonschema
import pytest

from energy_platform.portfolio import PortfolioError, parse_portfolio
from energy_platform.portfolio.occupancy import (
    days_of_spans,
    parse_weekly_hours,
    public_holidays,
)
from energy_platform.portfolio.schema import portfolio_schema
from energy_platform.portfolio.text import read_yaml


def text_of(entry: str) -> str:
    return f"version: 1\nsites:\n  - {{id: paris, name: Paris, timezone: Europe/Paris, {entry}}}\n"


@pytest.mark.parametrize(
    ("typed", "spans"),
    [
        ({"mon": "08:00-19:00"}, [(1, 480, 1140)]),
        ({"sat-mon": "8:00-9:30"}, [(1, 480, 570), (6, 480, 570), (7, 480, 570)]),
        ({"fri": "08:00-12:00, 13:00-17:30"}, [(5, 480, 720), (5, 780, 1050)]),
        ({"sun": "22:00-06:00"}, [(7, 1320, 1800)]),
        ({"wed": "00:00-24:00"}, [(3, 0, 1440)]),
        ({}, []),
    ],
)
def test_hours_are_spans_of_weekdays(
    typed: dict[str, str], spans: list[tuple[int, int, int]]
) -> None:
    assert [tuple(one) for one in parse_weekly_hours(typed)] == spans


def test_what_goes_on_after_midnight_is_of_the_day_on_which_it_begins() -> None:
    night = parse_weekly_hours({"sun": "22:00-06:00"})
    assert list(days_of_spans(night)) == [(7, 1320, 1440, 0), (7, 0, 360, 1)]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("country: FR, occupancy: {monday: 08:00-19:00}", "'monday' is not a weekday"),
        ("country: FR, occupancy: {mon: 8-19}", "'8-19': expected hours such as 08:00-19:00"),
        ("country: FR, occupancy: {mon: 08:00-25:00}", "a day has the times 00:00 to 24:00"),
        ("country: FR, occupancy: {mon: 08:00-08:00}", "no time at all"),
        ("country: FR, occupancy: {mon-wed: 08:00-9:00, tue: 08:00-9:00}", "tue is there twice"),
        ("country: FR, occupancy: {mon: '08:00-12:00, 11:00-14:00'}", "begins after the one"),
        ("occupancy: {mon: 08:00-19:00}", "whose public holidays count"),
        ("country: XX, occupancy: {mon: 08:00-19:00}", "'XX' is not a region"),
        ("holidays: FR-XX, occupancy: {mon: 08:00-19:00}", "'FR-XX' is not a region"),
        ("floor_area_m2: 0", "expected a number greater than 0"),
        ("floor_area_m2: true", "true is not a number"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(entry: str, said: str) -> None:
    with pytest.raises(PortfolioError) as error:
        parse_portfolio(text_of(entry))
    assert str(error.value).startswith("portfolio.yaml:3: ")
    assert said in str(error.value)


def test_a_country_that_nobody_knows_is_only_a_name_while_no_occupancy_needs_it() -> None:
    assert parse_portfolio(text_of("country: Frankreich")).sites["paris"].holiday_region is None


@pytest.mark.parametrize(
    ("entry", "region"),
    [
        ("country: FR, occupancy: {mon: 08:00-19:00}", "FR"),
        ("country: FR, holidays: DE-BY, occupancy: {mon: 08:00-19:00}", "DE-BY"),
        ("country: FR, holidays: none, occupancy: {mon: 08:00-19:00}", None),
        ("country: FR", None),
    ],
)
def test_the_holidays_are_those_of_the_country_unless_told_otherwise(
    entry: str, region: str | None
) -> None:
    assert parse_portfolio(text_of(entry)).sites["paris"].holiday_region == region


def test_a_subdivision_has_holidays_of_its_own() -> None:
    of_bavaria = public_holidays("DE-BY", years=[2026])
    of_germany = public_holidays("DE", years=[2026])
    assert date(2026, 11, 1) in of_bavaria.keys() - of_germany.keys()
    assert date(2026, 10, 3) in of_bavaria.keys() & of_germany.keys()


def test_the_names_of_holidays_do_not_follow_the_language_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANGUAGE", "fr")
    assert public_holidays("FR", years=[2026])[date(2026, 11, 11)] == "Armistice Day"


@pytest.mark.parametrize(
    ("entry", "is_right"),
    [
        ("occupancy: {mon-fri: '08:00-12:00, 13:00-19:00'}, holidays: FR, floor_area_m2: 9", True),
        ("occupancy: {monday: 08:00-12:00}", False),
        ("occupancy: {mon: 8-12}", False),
        ("floor_area_m2: -1", False),
    ],
)
def test_an_editor_knows_the_entries(entry: str, is_right: bool) -> None:
    content: Any = read_yaml(text_of(entry)).content
    assert jsonschema.Draft202012Validator(portfolio_schema()).is_valid(content) == is_right
