"""What stands behind what: parents, second instruments, and what cannot be meant by them."""

from __future__ import annotations

import pytest

from energy_platform.portfolio import Portfolio, PortfolioError, parse_portfolio
from energy_platform.warehouse.dims import device_fingerprints

HEAD = """\
version: 1
sites:
  - {id: paris, name: Paris, timezone: Europe/Paris}
  - {id: rome, name: Rome, timezone: Europe/Rome}
device_types:
  meter:
    points:
      - {key: import, name: Import, quantity: active_energy_import}
      - {key: delta, name: Delta, quantity: active_energy_import, kind: increment, role: none}
devices:
  - {vendor: socomec, serial: top, site: paris, name: Top, type: meter, role: main,
     max_power_w: none}
"""

A, B, C, TOP = (f"socomec/{name}/import" for name in ("a", "b", "c", "top"))

TWICE = "site use would count it twice; say role: sub"


def device(serial: str, more: str = "", *, site: str = "paris", role: str = "sub") -> str:
    return (
        f"  - {{vendor: socomec, serial: {serial}, site: {site}, name: {serial}, type: meter, "
        f"role: {role}, max_power_w: none{more}}}\n"
    )


def with_point(serial: str, point: str, *, site: str = "paris") -> str:
    return (
        f"  - {{vendor: socomec, serial: {serial}, site: {site}, name: {serial}, role: sub, "
        f"max_power_w: none, points: [{{name: P, {point}}}]}}\n"
    )


def tree(portfolio: Portfolio) -> dict[str, tuple[str | None, str | None]]:
    return {
        point_id: (point.parent, point.same_as)
        for point_id, point in portfolio.points.items()
        if point.parent or point.same_as
    }


def refused(text: str) -> str:
    with pytest.raises(PortfolioError) as caught:
        parse_portfolio(HEAD + text)
    return str(caught.value)


def test_a_device_stands_behind_a_point_with_its_point_that_measures_the_same() -> None:
    text = HEAD + device("a", f", parent: {TOP}") + device("b", f", parent: {A}")
    assert tree(parse_portfolio(text)) == {A: (TOP, None), B: (A, None)}


def test_a_point_says_it_itself_and_a_device_of_the_others() -> None:
    text = HEAD + with_point("a", f"key: import, quantity: active_energy_import, parent: {TOP}")
    assert tree(parse_portfolio(text)) == {A: (TOP, None)}


def test_of_a_device_the_same_quantity_is_meant_before_what_is_drawn_too() -> None:
    text = (
        "  - {vendor: socomec, serial: a, site: paris, name: A, role: sub, max_power_w: none, "
        f"parent: {TOP}, points: [{{key: charge, name: X, quantity: battery_energy_charge, "
        "role: storage}, {key: import, name: Y, quantity: active_energy_import}]}\n"
    )
    assert tree(parse_portfolio(HEAD + text)) == {A: (TOP, None)}


def test_a_second_instrument_has_the_place_of_the_first() -> None:
    text = (
        HEAD
        + device("a", f", parent: {TOP}")
        + device("b", f", same_as: {A}")
        + device("c", f", same_as: {B}")
        + device("d", f", parent: {C}")
    )
    assert tree(parse_portfolio(text)) == {
        A: (TOP, None),
        B: (TOP, A),
        C: (TOP, A),
        "socomec/d/import": (A, None),
    }


def test_the_place_may_be_said_at_the_second_instrument() -> None:
    text = HEAD + device("a") + device("b", f", same_as: {A}, parent: {TOP}")
    assert tree(parse_portfolio(text)) == {A: (TOP, None), B: (TOP, A)}


def test_a_power_that_is_integrated_stands_behind_a_register() -> None:
    point = f"key: p, quantity: active_power, unit: kW, energy_from_power: true, parent: {TOP}"
    assert tree(parse_portfolio(HEAD + with_point("a", point))) == {"socomec/a/p": (TOP, None)}


def test_a_phase_stands_behind_the_total() -> None:
    point = f"key: import, quantity: active_energy_import, phase: L1, parent: {TOP}"
    assert tree(parse_portfolio(HEAD + with_point("a", point))) == {A: (TOP, None)}


def test_the_accuracy_of_a_point_is_its_own_or_its_device_s() -> None:
    point = "key: import, quantity: active_energy_import, accuracy_percent: 0.5"
    text = HEAD + device("a", ", accuracy_percent: 1") + with_point("b", point)
    points = parse_portfolio(text).points
    assert [points[one].accuracy_percent for one in (A, B, TOP)] == [1.0, 0.5, None]


def test_another_parent_rebuilds_figures_and_another_accuracy_too() -> None:
    text = HEAD + device("a")
    before = device_fingerprints(parse_portfolio(text))["socomec/a"]
    for more in (f", parent: {TOP}", f", same_as: {TOP}", ", accuracy_percent: 1"):
        after = device_fingerprints(parse_portfolio(HEAD + device("a", more)))["socomec/a"]
        assert after != before, more


@pytest.mark.parametrize("name", ["parent", "same_as"])
@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (device("a", ", {}: socomec/x/import"), 13, "unknown point 'socomec/x/import'"),
        (device("a", f", {{}}: {TOP}", site="rome"), 13, "has no point that measures what"),
        (
            with_point("a", f"key: import, quantity: active_energy_export, {{}}: {TOP}"),
            13,
            "measures active_energy_export, socomec/top/import active_energy_import",
        ),
        (
            with_point("a", f"key: import, quantity: heating_energy, {{}}: {TOP}"),
            13,
            "measures heating, socomec/top/import electricity",
        ),
        (
            with_point("a", f"key: import, quantity: voltage, {{}}: {TOP}"),
            13,
            "socomec/a/import brings no energy, it is a gauge of voltage",
        ),
        (
            with_point(
                "a", f"key: import, quantity: active_energy_import, {{}}: {TOP}", site="rome"
            ),
            13,
            "socomec/a/import is at site rome, socomec/top/import at paris",
        ),
        (
            with_point("a", f"key: import, quantity: active_energy_import, {{}}: {A}"),
            13,
            "of socomec/a/import names the point itself",
        ),
        (
            with_point("b", "key: import, quantity: active_energy_import, phase: L2")
            + with_point("a", f"key: import, quantity: active_energy_import, {{}}: {B}"),
            14,
            "socomec/a/import is of phase total, socomec/b/import of L2",
        ),
        (
            with_point("b", "key: p, quantity: active_power, unit: kW")
            + with_point("a", "key: import, quantity: active_energy_import, {}: socomec/b/p"),
            14,
            "socomec/b/p brings no energy, it is a gauge of active_power",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(
    name: str, text: str, line: int, said: str
) -> None:
    message = refused(text.replace("{}", name))
    assert message.startswith(f"portfolio.yaml:{line}: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            device("a", f", parent: {B}") + device("b", f", parent: {A}"),
            13,
            f"parents run in a circle: {A} -> {B} -> {A}",
        ),
        (
            device("c", f", parent: {A}")
            + device("a", f", parent: {B}")
            + device("b", f", parent: {A}"),
            14,
            f"parents run in a circle: {A} -> {B} -> {A}",
        ),
        (
            device("a", f", same_as: {B}") + device("b", f", same_as: {A}"),
            13,
            f"same_as runs in a circle: {A} -> {B} -> {A}",
        ),
        (
            # A circle that is only seen when both instruments are one load.
            device("a", f", parent: {B}")
            + device("b")
            + device("c", f", same_as: {A}")
            + device("d", f", same_as: {B}, parent: {C}"),
            13,
            f"parents run in a circle: {A} -> {B} -> {A}",
        ),
        (
            device("a") + device("b", f", same_as: {A}, parent: {A}"),
            14,
            f"{B} and its parent {A} measure the same load",
        ),
        (
            device("a", f", parent: {TOP}")
            + device("c")
            + device("b", f", same_as: {A}, parent: {C}"),
            15,
            f"{B} has two parents: {C} and {TOP}, through {A}",
        ),
        (
            device("a", f", parent: {TOP}", role="main"),
            13,
            f"{A} stands behind {TOP} and both have role main: {TWICE}",
        ),
        (
            device("b", f", parent: {TOP}") + device("a", f", parent: {B}", role="main"),
            14,
            f"{A} stands behind {TOP} and both have role main: {TWICE}",
        ),
    ],
)
def test_circles_two_parents_and_double_counting_are_refused(
    text: str, line: int, said: str
) -> None:
    assert refused(text) == f"portfolio.yaml:{line}: {said}"


def test_a_device_with_several_points_that_could_be_meant_is_asked_which() -> None:
    text = (
        "  - {vendor: socomec, serial: a, site: paris, name: A, role: sub, max_power_w: none, "
        f"parent: {TOP}, points: [{{key: x, name: X, quantity: active_energy_import}}, "
        "{key: y, name: Y, quantity: active_energy_import}]}\n"
    )
    assert refused(text) == (
        "portfolio.yaml:13: parent of socomec/a could be meant of several of its points; "
        "say it at one of them: socomec/a/x, socomec/a/y"
    )


def test_without_links_there_is_no_tree() -> None:
    assert tree(parse_portfolio(HEAD + device("a") + device("b"))) == {}
