"""The portfolio in use: what changes a point's data, and what does not."""

from __future__ import annotations

import pytest

from energy_platform.portfolio import Portfolio, parse_portfolio

TEXT = """\
version: 1
sites:
  - {id: paris, name: Paris, timezone: Europe/Paris}
devices:
  - vendor: belimo
    serial: V1
    site: paris
    name: Valve
    points:
      - {key: evcloud.210, name: Heat, quantity: heating_energy, unit: J, max_power_w: 90000}
      - {key: default.1, name: Health, quantity: state, states: {OK: 0, WARN: 1}}
  - {vendor: belimo, serial: V2, site: paris, name: Unknown valve}
corrections:
  - {points: [belimo/V1/evcloud.210], reason: bus fault, from: 2026-01-02, to: 2026-01-04,
     policy: {glitch: keep}}
  - {points: [belimo/V1/evcloud.210], reason: wrong scale, to: 2026-01-02, factor: 10}
"""

POINT = "belimo/V1/evcloud.210"


def edited(old: str, new: str) -> Portfolio:
    assert old in TEXT
    return parse_portfolio(TEXT.replace(old, new))


def test_names_and_guessing_notes_never_recompute_data() -> None:
    stamp = parse_portfolio(TEXT).points[POINT].stamp()
    assert edited("name: Heat", "name: Heating").points[POINT].stamp() == stamp
    assert edited("name: Heat", "name: Heat, confidence: low").points[POINT].stamp() == stamp


def test_a_portfolio_without_confidence_is_confirmed() -> None:
    rows = parse_portfolio(TEXT).points_frame()
    assert rows["confidence"].to_list() == [None] * len(rows)
    assert rows["is_confirmed"].all()


@pytest.mark.parametrize(
    ("site", "device", "point", "weakest"),
    [
        (None, None, "high", "high"),
        (None, "medium", None, "medium"),
        ("low", None, "high", "low"),
        ("high", "medium", "low", "low"),
    ],
)
def test_a_point_is_as_sure_as_the_weakest_guess_it_rests_on(
    site: str | None, device: str | None, point: str | None, weakest: str
) -> None:
    text = TEXT
    for start, said in (
        ("timezone: Europe/Paris", site),
        ("    site: paris\n    name: Valve", device),
        ("name: Heat", point),
    ):
        joint = "\n    " if "\n" in start else ", "
        assert text.count(start) == 1
        text = text.replace(start, f"{start}{joint}confidence: {said or 'null'}")
    row = parse_portfolio(text).points_frame().row(0, named=True)
    assert (row["confidence"], row["is_confirmed"]) == (weakest, False)


def test_what_shapes_data_recomputes_it() -> None:
    stamp = parse_portfolio(TEXT).points[POINT].stamp()
    for old, new in (
        ("unit: J", "unit: kJ"),
        ("heating_energy", "cooling_energy"),
        ("90000", "80000"),
        ("unit: J", "unit: J, sign: -1"),
    ):
        assert edited(old, new).points[POINT].stamp() != stamp, new


def test_a_device_without_points_is_known_and_asks_for_nothing() -> None:
    wanted = parse_portfolio(TEXT).keys_of("belimo")
    assert wanted == {"V1": {"evcloud.210", "default.1"}, "V2": frozenset()}
    assert parse_portfolio(TEXT).keys_of("socomec") == {}


def test_a_corrected_policy_holds_on_the_days_it_touches_only() -> None:
    portfolio = parse_portfolio(TEXT)
    kept = {
        day: portfolio.policy_on(POINT, day=day).glitch
        for day in ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04")
    }
    # 2 January in Paris begins at 23:00 UTC of the 1st.
    assert list(kept.values()) == ["keep", "keep", "keep", "drop"]
    assert portfolio.policy_on(POINT, day="2026-01-03").max_power_w == 90_000


def test_only_corrections_of_values_reach_the_readings() -> None:
    frame = parse_portfolio(TEXT).corrections_frame()
    assert frame["reason"].to_list() == ["wrong scale"]
    assert frame["factor"].to_list() == [10.0]


def test_frames_hold_one_row_per_thing() -> None:
    portfolio = parse_portfolio(TEXT)
    points = portfolio.points_frame()
    assert points["point_id"].to_list() == [POINT, "belimo/V1/default.1"]
    assert points["kind"].to_list() == ["register", "state"]
    assert portfolio.states_frame().sort("text").rows() == [
        ("belimo/V1/default.1", "OK", 0.0),
        ("belimo/V1/default.1", "WARN", 1.0),
    ]
    assert portfolio.sites_frame().rows() == [("paris", "Paris", "Europe/Paris", None, None, None)]


def test_an_empty_portfolio_has_frames_with_columns() -> None:
    empty = Portfolio()
    assert empty.points_frame().columns == parse_portfolio(TEXT).points_frame().columns
    assert empty.sites_frame().height == empty.states_frame().height == 0
