"""What stands behind what, as discover proposes it: by names, by sums, by what shows the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from energy_platform.discovery.tree_comments import propose_tree
from energy_platform.discovery.trees import propose_links
from energy_platform.portfolio import parse_portfolio
from energy_platform.portfolio.parts import YamlFile

if TYPE_CHECKING:
    from energy_platform.portfolio import Portfolio

HEAD = """\
version: 1
sites:
  - {id: paris, name: Paris, timezone: Europe/Paris}
device_types:
  meter:
    points:
      - {key: import, name: Import, quantity: active_energy_import, max_power_w: none}
devices:
"""

TOP, A, B, C, D, E = (f"socomec/{name}/import" for name in ("top", "a", "b", "c", "d", "e"))


def device(serial: str, name: str, role: str = "sub") -> str:
    return (
        f"  - vendor: socomec\n    serial: {serial}\n    site: paris\n    name: {name}\n"
        f"    type: meter\n    role: {role}\n"
    )


BUILDING = (
    device("top", "Arrivée", "main")
    + device("a", "TD 1")
    + device("b", "Contrôle TD 1")
    + device("c", "Cuisine")
    + device("d", "Serveurs")
    + device("e", "Ascenseur")
)


def energies(hours: int = 200) -> dict[str, np.ndarray]:
    """A is the sum of C and D, B shows the same as A, and nobody meters half of the building."""
    rng = np.random.default_rng(7)
    own = {name: rng.uniform(200, 3_000, hours) for name in (C, D, E, "rest")}
    a = own[C] + own[D]
    return {
        C: own[C],
        D: own[D],
        E: own[E],
        A: a,
        B: a * rng.uniform(0.992, 1.008, hours),
        TOP: a + own[E] + own["rest"] * 2,
    }


def hourly(series: dict[str, np.ndarray]) -> pl.DataFrame:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    schema = {"point_id": pl.String(), "hour": pl.Datetime("us", "UTC"), "energy_wh": pl.Float64()}
    rows = [
        (point, start + timedelta(hours=n), float(energy))
        for point, values in series.items()
        for n, energy in enumerate(values)
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def proposed(portfolio: Portfolio, series: dict[str, np.ndarray]) -> dict[str, tuple[str, str]]:
    return {
        one.point_id: (one.name, one.target) for one in propose_links(portfolio, hourly(series))
    }


WANTED = {
    B: ("same_as", A),
    C: ("parent", A),
    D: ("parent", A),
    A: ("parent", TOP),
    E: ("parent", TOP),
}


def test_sums_twins_and_the_main_meter_are_found_in_the_data() -> None:
    assert proposed(parse_portfolio(HEAD + BUILDING), energies()) == WANTED


def test_some_hours_of_a_reset_do_not_hide_a_sum_and_gaps_are_left_out() -> None:
    series = energies()
    series[A][3] = 90_000.0
    series[C][50:60] = np.nan
    assert proposed(parse_portfolio(HEAD + BUILDING), series) == WANTED


def test_what_is_said_already_is_not_proposed_again() -> None:
    text = (HEAD + BUILDING).replace("serial: c\n", f"serial: c\n    parent: {TOP}\n")
    found = proposed(parse_portfolio(text), energies())
    assert C not in found
    assert found[B] == ("same_as", A)


def test_without_data_only_the_one_main_meter_is_proposed() -> None:
    portfolio = parse_portfolio(HEAD + BUILDING)
    assert proposed(portfolio, {}) == dict.fromkeys((A, B, C, D, E), ("parent", TOP))
    assert proposed(portfolio, energies(hours=20)) == dict.fromkeys(
        (A, B, C, D, E), ("parent", TOP)
    )


def test_the_main_meter_is_known_by_its_name_too_but_never_one_of_two() -> None:
    for name in ("Main incomer", "TGBT", "Compteur général"):
        text = HEAD + device("top", name) + device("a", "Cuisine")
        assert proposed(parse_portfolio(text), {}) == {A: ("parent", TOP)}, name
    two = HEAD + device("top", "TGBT 1") + device("b", "TGBT 2") + device("a", "Cuisine")
    assert proposed(parse_portfolio(two), {}) == {}


def test_a_meter_that_shows_more_than_the_main_one_is_not_behind_it() -> None:
    series = energies()
    series[E] = series[TOP] * 1.5
    assert E not in proposed(parse_portfolio(HEAD + BUILDING), series)


def test_links_stand_as_comments_and_mean_what_they_say_when_their_mark_is_gone() -> None:
    text = HEAD + BUILDING
    links = propose_links(parse_portfolio(text), hourly(energies()))
    proposal = propose_tree(text, links, name="portfolio.yaml")
    assert len(proposal.remarks) == len(WANTED)
    assert parse_portfolio(proposal.after).points == parse_portfolio(text).points
    assert proposal.after.count("TO CONFIRM") == len(WANTED)
    alive = re.sub(r"# ((parent|same_as): )", r"\1", proposal.after)
    points = parse_portfolio(alive).points
    assert {
        point_id: ("same_as", one.same_as) if one.same_as else ("parent", one.parent)
        for point_id, one in points.items()
        if one.parent or one.same_as
    } == WANTED
    again = propose_tree(proposal.after, links, name="portfolio.yaml")
    assert not again.changes
    assert again.remarks == ()


def test_a_point_among_several_of_a_shared_type_is_named() -> None:
    text = (
        "version: 1\nsites:\n  - {id: paris, name: Paris, timezone: Europe/Paris}\n"
        "device_types:\n  gateway:\n    points:\n"
        "      - {key: f1, name: F1, quantity: active_energy_import, max_power_w: none}\n"
        "      - {key: f2, name: F2, quantity: active_energy_import, max_power_w: none}\n"
        "  meter:\n    points:\n"
        "      - {key: import, name: Import, quantity: active_energy_import, max_power_w: none}\n"
        "devices:\n"
        + device("top", "Main incomer", "main")
        + device("g", "Gateway").replace("type: meter", "type: gateway")
    )
    links = propose_links(parse_portfolio(text), hourly({}))
    after = propose_tree(text, links, name="portfolio.yaml").after
    assert f"# a point of its own, socomec/g/f1, with parent: {TOP}  # TO CONFIRM" in after
    parse_portfolio(after)


def test_a_link_goes_to_the_file_of_its_device() -> None:
    main = HEAD + device("top", "Main incomer", "main")
    part = YamlFile("portfolio.d/more.yaml", "devices:\n" + device("a", "Cuisine"))
    portfolio = parse_portfolio(main, parts=(part,))
    proposal = propose_tree(
        main, propose_links(portfolio, hourly({})), name="portfolio.yaml", parts=(part,)
    )
    assert proposal.after == main
    assert [one.name for one in proposal.parts] == ["portfolio.d/more.yaml"]
    assert f"# parent: {TOP}  # TO CONFIRM" in proposal.parts[0].after


def test_an_entry_in_braces_is_left_alone_and_said() -> None:
    text = (
        HEAD
        + device("top", "Main incomer", "main")
        + "  - {vendor: socomec, serial: a, site: paris, name: A, type: meter, role: sub}\n"
    )
    proposal = propose_tree(
        text, propose_links(parse_portfolio(text), hourly({})), name="portfolio.yaml"
    )
    assert not proposal.changes
    assert "written in braces" in proposal.remarks[0]
