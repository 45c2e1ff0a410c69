"""Discovering with a portfolio in several files: each entry's file is the one that is extended."""

from __future__ import annotations

import pytest

from energy_platform.discovery import DiscoveryError, propose
from energy_platform.discovery.limits import propose_limits
from energy_platform.portfolio import parse_portfolio
from energy_platform.portfolio.parts import YamlFile
from energy_platform_tests.discovery.inventories import belimo, datapoint, socomec, valve, variable
from energy_platform_tests.discovery.test_limits import TEXT, seen

HEAT = datapoint("evcloud.210", "heatingEnergy", "J")
POWER = datapoint("evcloud.140", "absolutePower", "W")
ENERGY = variable("130101", "Active energy import", "WATT_HOUR")


def split() -> tuple[str, YamlFile]:
    """A portfolio as discover writes it, its valves in a part of their own."""
    text = propose(None, {"belimo": belimo(HEAT, devices=(valve("V1"),))}).after
    at = text.index("devices:\n")
    main, devices = text[:at], text[at:]
    # Its types go with the devices.
    start = main.index("device_types:\n")
    return main[:start] + "devices: []\n", YamlFile("portfolio.d/v.yaml", main[start:] + devices)


def test_new_points_of_a_type_in_a_part_are_proposed_there() -> None:
    main, part = split()
    found = {"belimo": belimo(HEAT, POWER, devices=(valve("V1"),))}
    proposal = propose(main, found, parts=[part])
    assert proposal.after == main
    (change,) = proposal.parts
    assert (change.name, change.before) == part
    assert "key: evcloud.140" in change.after
    assert "+++ portfolio.d/v.yaml (proposed)" in proposal.diff(name="portfolio.yaml")
    again = propose(main, found, parts=[YamlFile(part.name, change.after)])
    assert not again.changes


def test_new_devices_go_to_the_main_file_and_use_the_types_of_the_parts() -> None:
    main, part = split()
    found = {
        "belimo": belimo(HEAT, devices=(valve("V1"), valve("V2"))),
        "socomec": socomec(ENERGY),
    }
    proposal = propose(main, found, parts=[part])
    assert proposal.devices == ("belimo/V2", "socomec/SN1")
    assert proposal.parts == ()
    portfolio = parse_portfolio(proposal.after, parts=[part])
    assert portfolio.devices["belimo/V2"].type == portfolio.devices["belimo/V1"].type
    assert set(portfolio.devices) == {"belimo/V1", "belimo/V2", "socomec/SN1"}


def test_a_part_that_cannot_be_extended_is_named() -> None:
    main, part = split()
    site = next(iter(parse_portfolio(main, parts=[part]).sites))
    loose = YamlFile(
        "portfolio.d/w.yaml",
        "{devices: [{vendor: belimo, serial: V9, site: {SITE}, name: N, points: [{key: "
        "evcloud.210, name: H, quantity: heating_energy, unit: J, max_power_w: none}]}]}".replace(
            "{SITE}", site
        ),
    )
    found = {"belimo": belimo(HEAT, POWER, devices=(valve("V1"), valve("V9")))}
    with pytest.raises(DiscoveryError, match=r"portfolio\.d/w\.yaml: the file is written in brac"):
        propose(main, found, parts=[part, loose])


def test_limits_are_written_where_the_none_stands() -> None:
    at = TEXT.index("devices:\n")
    part = YamlFile("portfolio.d/m.yaml", TEXT[at:])
    proposal = propose_limits(
        TEXT[:at], [seen("socomec/M1/a", 12_100)], name="portfolio.yaml", parts=[part]
    )
    assert proposal.changes
    assert proposal.after == TEXT[:at]
    (change,) = proposal.parts
    assert "    max_power_w: 40000  # highest mean power 12.1 kW" in change.after
    assert "+++ portfolio.d/m.yaml (proposed)" in proposal.diff(name="portfolio.yaml")


def test_a_byte_order_mark_moves_no_addition() -> None:
    text = propose(None, {"belimo": belimo(HEAT, devices=(valve("V1"),))}).after
    found = {"belimo": belimo(HEAT, devices=(valve("V1"), valve("V2")))}
    assert propose("\ufeff" + text, found).after == "\ufeff" + propose(text, found).after
    marked = propose_limits("\ufeff" + TEXT, [seen("socomec/M1/a", 12_100)], name="p")
    plain = propose_limits(TEXT, [seen("socomec/M1/a", 12_100)], name="p")
    assert marked.after == "\ufeff" + plain.after
