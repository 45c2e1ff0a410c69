"""Virtual points in the portfolio: what they come down to, and mistakes named with their line."""

from __future__ import annotations

import pytest

from energy_platform.portfolio import PortfolioError, parse_portfolio
from energy_platform.portfolio.schema import portfolio_schema

TEXT = """\
version: 1
sites:
  - {id: paris, name: Paris, timezone: Europe/Paris}
devices:
  - vendor: socomec
    serial: M1
    site: paris
    name: Meter
    max_power_w: 50000
    until: 2027-01-01
    points:
      - {key: e, name: Import, quantity: active_energy_import, unit: kWh}
      - {key: p, name: Power, quantity: active_power, unit: kW}
      - {key: t, name: Outside, quantity: temperature, unit: °C}
  - vendor: skycentrics
    serial: G1
    site: paris
    name: Gateway
    max_power_w: 50000
    points:
      - {key: e, name: Import, quantity: active_energy_import, unit: kWh, confidence: low}
      - {key: p, name: Power, quantity: active_power, unit: kW, energy_from_power: true}
"""


def virtual(*points: str, role: str = "none", serial: str = "sum") -> str:
    entry = (
        f"  - {{vendor: virtual, serial: {serial}, site: paris, name: Sum, role: {role}, points: ["
    )
    return entry + ", ".join(f"{{{one}}}" for one in points) + "]}\n"


def energy(of: str, *, key: str = "e") -> str:
    return f"key: {key}, name: Energy, quantity: active_energy_import, of: [{of}]"


def test_parts_stand_with_their_factors_and_constants_add_up() -> None:
    of = "socomec/M1/e, {point: skycentrics/G1/e, factor: -0.5}, {constant: 40}, {constant: 2}"
    point = parse_portfolio(TEXT + virtual(energy(of))).points["virtual/sum/e"]
    assert point.of == (("socomec/M1/e", 1.0), ("skycentrics/G1/e", -0.5))
    assert point.constant_w == 42.0


def test_a_virtual_point_of_virtual_points_comes_down_to_what_is_measured() -> None:
    portfolio = parse_portfolio(
        TEXT
        + virtual(
            energy("virtual/sum/half, {point: skycentrics/G1/e, factor: 2}", key="all"),
            energy(
                "{point: socomec/M1/e, factor: 0.5}, skycentrics/G1/e, {constant: 10}", key="half"
            ),
            energy("{point: virtual/sum/all, factor: -1}, virtual/sum/half", key="back"),
        )
    )
    points = portfolio.points
    assert points["virtual/sum/all"].leaves == (("skycentrics/G1/e", 3.0), ("socomec/M1/e", 0.5))
    assert points["virtual/sum/back"].leaves == (("skycentrics/G1/e", -2.0), ("socomec/M1/e", 0.0))
    assert (points["virtual/sum/all"].constant_w, points["virtual/sum/back"].constant_w) == (10, 0)
    assert portfolio.vendors_of(points["virtual/sum/all"]) == ("skycentrics", "socomec")


def test_it_is_as_sure_and_as_long_in_service_as_its_parts() -> None:
    portfolio = parse_portfolio(TEXT + virtual(energy("socomec/M1/e, skycentrics/G1/e")))
    point = portfolio.points["virtual/sum/e"]
    assert point.confidence == "low"
    assert point.until == portfolio.points["socomec/M1/e"].until is not None


def test_its_stamp_follows_from_what_it_is_made_of() -> None:
    def stamp(text: str, of: str) -> str:
        return parse_portfolio(text + virtual(energy(of))).points["virtual/sum/e"].stamp()

    before = stamp(TEXT, "socomec/M1/e")
    assert stamp(TEXT, "socomec/M1/e") == before
    assert stamp(TEXT, "{point: socomec/M1/e, factor: 2}") != before
    assert stamp(TEXT.replace("unit: kWh}", "unit: Wh}"), "socomec/M1/e") != before


def test_an_integrated_power_is_an_energy_and_other_powers_are_powers() -> None:
    power = "key: p, name: Power, quantity: active_power, of: [socomec/M1/p, skycentrics/G1/p]"
    portfolio = parse_portfolio(TEXT + virtual(energy("socomec/M1/e, skycentrics/G1/p"), power))
    assert portfolio.points["virtual/sum/e"].is_energy
    assert portfolio.points["virtual/sum/p"].kind == "gauge"


LINE = 1 + TEXT.count("\n")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (virtual(energy("socomec/M1/x")), "unknown point 'socomec/M1/x'"),
        (virtual(energy("socomec/M1/p")), "its part socomec/M1/p (active_power) is in W"),
        (virtual(energy("socomec/M1/t")), "(temperature) is a gauge that does not add up"),
        (virtual(energy("socomec/M1/e, socomec/M1/e")), "is there twice; a factor says"),
        (virtual(energy("virtual/sum/e")), "virtual/sum/e is made of virtual/sum/e: a circle"),
        (
            virtual(energy("virtual/sum/b", key="a"), energy("virtual/sum/a", key="b")),
            "virtual/sum/a is made of virtual/sum/b is made of virtual/sum/a: a circle",
        ),
        (virtual(energy("{constant: 5}")), "needs 'of'"),
        (virtual("key: e, name: E, quantity: active_energy_import"), "needs 'of'"),
        (virtual("key: t, name: T, quantity: temperature, of: [socomec/M1/t]"), "can be added up"),
        (virtual(energy("socomec/M1/e") + ", unit: kWh"), "unit of virtual point 'e'"),
        (virtual(energy("socomec/M1/e") + ", max_power_w: 5"), "max_power_w of virtual point"),
        (virtual(energy("{point: socomec/M1/e, factor: 0}")), "and not 0"),
        (virtual(energy("{point: socomec/M1/e, constant: 1}")), "either a point or a constant"),
        (virtual(energy("{point: socomec/M1/e, factor: .nan}")), "nan"),
        (
            virtual(energy("socomec/M1/e")).replace("vendor: virtual", "vendor: socomec"),
            "stands on a device of vendor virtual",
        ),
        (
            virtual(energy("socomec/M1/e"))
            + "corrections:\n  - {points: [virtual/sum/e], reason: why not, factor: 2}\n",
            "is virtual: correct its parts",
        ),
        (
            virtual(energy("socomec/M1/e"))
            + "accept:\n"
            + "  - {points: [virtual/sum/e], reason: real, from: 2026-01-01, to: 2026-01-02}",
            "is not an energy register",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(entry: str, said: str) -> None:
    with pytest.raises(PortfolioError) as caught:
        parse_portfolio(TEXT + entry)
    message = str(caught.value)
    assert said in message
    assert message.startswith(f"portfolio.yaml:{LINE + entry.count(chr(10), 0, -1)}:"), message


def test_a_point_that_rests_on_a_circle_is_not_blamed_for_it() -> None:
    entry = virtual(
        energy("virtual/sum/b", key="a"),
        energy("virtual/sum/a", key="b"),
        energy("virtual/sum/a", key="c"),
    )
    with pytest.raises(PortfolioError) as caught:
        parse_portfolio(TEXT + entry)
    assert "virtual/sum/c" not in str(caught.value)


def test_what_counts_at_a_site_is_not_made_of_what_counts_there() -> None:
    mains = TEXT.replace("name: Meter\n", "name: Meter\n    role: main\n")
    parse_portfolio(mains + virtual(energy("socomec/M1/e")))
    with pytest.raises(PortfolioError, match="give one of them the role sub or none"):
        parse_portfolio(mains + virtual(energy("socomec/M1/e"), role="main"))


def test_deep_towers_of_virtual_points_load_at_once() -> None:
    points = [energy("socomec/M1/e", key="v0"), energy("socomec/M1/e", key="w0")]
    for n in range(60):
        below = f"virtual/sum/v{n}, virtual/sum/w{n}"
        points += [energy(below, key=f"v{n + 1}"), energy(below, key=f"w{n + 1}")]
    point = parse_portfolio(TEXT + virtual(*points)).points["virtual/sum/v60"]
    assert point.leaves == (("socomec/M1/e", 2.0**60),)


def test_editors_know_the_vendor_and_both_forms_of_a_part() -> None:
    definitions = portfolio_schema()["$defs"]
    assert "virtual" in definitions["Device"]["properties"]["vendor"]["enum"]
    part = definitions["PointSpec"]["properties"]["of"]["items"]
    assert {"type": "string"} in part["anyOf"]
