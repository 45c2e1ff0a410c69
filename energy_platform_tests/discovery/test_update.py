"""Discovering again: hand edits stay byte for byte, new things are added, lost ones reported."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from energy_platform.discovery import (
    DiscoveryError,
    Proposal,
    VendorInventory,
    confirmations,
    propose,
)
from energy_platform.identity import device_id
from energy_platform.portfolio import PortfolioError, parse_portfolio
from energy_platform.portfolio.load import parse_file
from energy_platform_tests.discovery.inventories import (
    belimo,
    datapoint,
    sensor,
    skycentrics,
    socomec,
    valve,
    variable,
)

HEAT = datapoint("evcloud.210", "heatingEnergy", "J")
POWER = datapoint("evcloud.140", "absolutePower", "W")
FLOW = datapoint("evcloud.130", "volumeFlow", "m3/s")
ENERGY = variable("130101", "Active energy import", "WATT_HOUR")


def proposed(text: str | None, **found: VendorInventory) -> Proposal:
    return propose(text, found)


def valves(*serials: str) -> VendorInventory:
    return belimo(HEAT, POWER, devices=tuple(valve(serial) for serial in serials))


def first() -> str:
    return proposed(None, belimo=valves("V1", "V2"), socomec=socomec(ENERGY)).after


def is_kept(before: str, after: str) -> bool:
    """Whether ``before`` is ``after`` with whole lines taken out."""
    left = iter(after.splitlines(keepends=True))
    return all(line in left for line in before.splitlines(keepends=True))


def test_a_first_portfolio_loads_and_says_what_to_confirm() -> None:
    text = first()
    portfolio = parse_portfolio(text)
    assert set(portfolio.devices) == {"belimo/V1", "belimo/V2", "socomec/SN1"}
    assert portfolio.sites["head-office"].timezone == "Europe/Paris"
    heat = portfolio.points["belimo/V1/evcloud.210"]
    assert (heat.quantity, heat.kind, heat.unit) == ("heating_energy", "register", "J")
    assert heat.policy.max_power_w is None
    assert "max_power_w: none  # TO CONFIRM: rated power" in text
    assert "confidence: high" in text
    assert confirmations(text) >= 5


def test_devices_with_equal_points_share_a_type() -> None:
    file = parse_file(first())
    assert {device.type for device in file.devices if device.vendor == "belimo"} == {"valve"}
    assert set(file.device_types) == {"valve", "diris_a_40"}


def test_a_zone_that_no_vendor_says_is_never_guessed_silently() -> None:
    text = proposed(
        None, belimo=valves("V1"), skycentrics=skycentrics(sensor("PV_POWER", "kW"))
    ).after
    zones = [line for line in text.splitlines() if "timezone:" in line]
    assert len(zones) == 2
    assert all("# TO CONFIRM:" in line for line in zones)
    assert (
        "timezone: Europe/Zurich  # TO CONFIRM: the vendor says no zone; this is the only" in text
    )
    assert "timezone: UTC  # TO CONFIRM:" in text


def test_a_zone_the_vendor_says_needs_no_confirmation() -> None:
    text = proposed(None, socomec=socomec(ENERGY)).after
    assert "timezone: Europe/Paris\n" in text


def test_a_zone_that_is_none_becomes_one_to_confirm() -> None:
    text = proposed(None, socomec=socomec(ENERGY, zone="Paris time")).after
    assert "timezone: UTC  # TO CONFIRM: SoData says Paris time" in text
    parse_portfolio(text)


def test_discovering_again_changes_nothing() -> None:
    text = first()
    again = proposed(text, belimo=valves("V1", "V2"), socomec=socomec(ENERGY))
    assert not again.changes
    assert again.diff(name="p") == []
    assert not again.vanished


def test_a_new_device_is_added_and_everything_else_stays() -> None:
    text = (
        first().replace("name: Valve V1", "name: 'Cold room'   # renamed by hand")
        + "# my own closing remark\n"
    )
    after = proposed(text, belimo=valves("V1", "V2", "V3"), socomec=socomec(ENERGY))
    assert after.devices == ("belimo/V3",)
    assert is_kept(text, after.after)
    assert after.after.endswith("# my own closing remark\n")
    assert parse_portfolio(after.after).devices["belimo/V1"].name == "Cold room"
    assert all(line[0] in "+ @-" for line in after.diff(name="portfolio.yaml"))
    removed = [line for line in after.diff(name="p")[2:] if line.startswith("-")]
    assert not removed


def test_a_new_device_joins_the_site_its_neighbours_were_moved_to() -> None:
    text = first().replace("tower-basel-ch", "tower").replace("name: Tower, Basel, CH", "name: T")
    after = parse_portfolio(
        proposed(text, belimo=valves("V1", "V2", "V3"), socomec=socomec(ENERGY)).after
    )
    assert after.devices["belimo/V3"].site == "tower"
    assert set(after.sites) == {"tower", "head-office"}


def test_a_new_device_takes_the_reviewed_type_of_its_equals() -> None:
    text = first()
    start = text.index("      - key: evcloud.140")
    end = (
        text.index("  diris_a_40:")
        if text.index("  diris_a_40:") > start
        else text.index("\ndevices:")
    )
    reviewed = text[:start] + text[end:]
    after = proposed(reviewed, belimo=valves("V1", "V2", "V3"), socomec=socomec(ENERGY))
    assert not after.types
    assert parse_file(after.after).devices[-1].type == "valve"


def test_new_points_of_known_devices_are_proposed_and_come_alive_when_uncommented() -> None:
    text = first()
    inventory = belimo(HEAT, POWER, FLOW, devices=(valve("V1"), valve("V2")))
    after = proposed(text, belimo=inventory)
    assert after.proposed == {"device type valve": 1}
    assert is_kept(text, after.after)
    assert set(parse_portfolio(after.after).points) == set(parse_portfolio(text).points)
    lines = after.after.splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if "New at the vendor" in line)
    taken = "".join(
        line.replace("# ", "", 1)
        if start < n and line.strip().startswith("# ") and n < start + 6
        else line
        for n, line in enumerate(lines)
    )
    assert "belimo/V2/evcloud.130" in parse_portfolio(taken).points
    assert not proposed(after.after, belimo=inventory).changes
    assert not proposed(taken, belimo=inventory).changes


def test_points_deleted_by_hand_come_back_as_comments_only() -> None:
    text = proposed(None, belimo=belimo(HEAT, POWER, FLOW)).after
    start = text.index("      - key: evcloud.130")
    end = text.index("\ndevices:")
    cut = text[:start] + text[end:]
    after = proposed(cut, belimo=belimo(HEAT, POWER, FLOW))
    assert "belimo/V1/evcloud.130" not in parse_portfolio(after.after).points
    assert after.proposed


def test_vanished_things_are_reported_and_stay() -> None:
    text = first()
    after = proposed(text, belimo=belimo(HEAT, devices=(valve("V2"),)), socomec=socomec(ENERGY))
    assert not after.changes
    assert any(line.startswith("belimo/V1 (Valve V1)") for line in after.vanished)
    assert any(line.startswith("belimo/V2/evcloud.140") for line in after.vanished)
    assert len(after.vanished) == 2


def test_a_vendor_that_did_not_answer_has_lost_nothing() -> None:
    assert not proposed(first(), socomec=socomec(ENERGY)).vanished


def test_a_service_switched_off_at_the_vendor_is_told_as_such() -> None:
    text = proposed(None, socomec=socomec(ENERGY)).after
    after = proposed(text, socomec=socomec(ENERGY | {"active": False}))
    assert after.vanished == ("socomec/SN1/Global|0|130101: not active at SoData",)


def test_a_site_in_another_zone_than_the_vendor_says_is_told() -> None:
    text = first().replace("timezone: Europe/Paris", "timezone: Europe/London")
    after = proposed(text, socomec=socomec(ENERGY))
    assert any("Europe/London" in line and "Europe/Paris" in line for line in after.remarks)


def test_a_valve_that_gets_its_profile_later_is_not_overwritten() -> None:
    text = proposed(None, belimo=belimo(devices=(valve(dataprofile=None),))).after
    assert "knows no dataprofile" in text
    after = proposed(text, belimo=valves("V1"))
    assert not after.changes
    assert "run discover again" in after.remarks[0]


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n\n\n",
        lambda text: text.replace("\ndevices:", "\n\n# --- devices ---\n\ndevices:  # all"),
        lambda text: "---\n" + text,
        lambda text: text + "streams: []  # none yet\n",
        lambda text: text.replace("sites:\n  - id", "corrections: []\nsites:\n  - id"),
    ],
    ids=["crlf", "no newline", "blank lines", "comments", "marker", "streams", "order"],
)
def test_any_plain_layout_can_be_added_to(edit: object) -> None:
    assert callable(edit)
    text = str(edit(first()))
    after = proposed(text, belimo=valves("V1", "V2", "V3"), socomec=socomec(ENERGY)).after
    assert set(parse_portfolio(after).devices) == {
        "belimo/V1",
        "belimo/V2",
        "belimo/V3",
        "socomec/SN1",
    }
    assert is_kept(text, after) or not text.endswith("\n")
    assert text.rstrip("\n") in after or is_kept(text.rstrip("\n") + "\n", after)
    if "\r\n" in text:
        assert "\n" not in after.replace("\r\n", "")


def test_a_list_at_the_left_margin_can_be_added_to() -> None:
    text = (
        "version: 1\nsites:\n- id: s\n  name: S\n  timezone: Europe/Paris\n"
        "device_types: {}\n"
        "devices:\n- vendor: socomec\n  serial: SN9\n  site: s\n  name: Old\n"
        "# about the streams\nstreams: []\n"
    )
    after = proposed(text, socomec=socomec(ENERGY)).after
    assert set(parse_portfolio(after).devices) == {"socomec/SN9", "socomec/SN1"}
    assert after.index("serial: SN1") < after.index("# about the streams")
    assert "device_types:\n  diris_a_40:" in after


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nsites: []\n",
        "version: 1\nsites: [ ]  # soon\ndevices:\n",
        "# mine\nversion: 1\nsites: []\ndevices: []",
    ],
)
def test_an_empty_portfolio_is_filled(text: str) -> None:
    after = proposed(text, socomec=socomec(ENERGY)).after
    assert set(parse_portfolio(after).devices) == {"socomec/SN1"}
    for comment in ("# soon", "# mine"):
        assert (comment in after) == (comment in text)


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nsites: [{id: s, name: S, timezone: UTC}]\n",
        "{version: 1, sites: []}\n",
    ],
)
def test_brackets_are_refused_with_advice(text: str) -> None:
    with pytest.raises(DiscoveryError, match=r"block style|one entry per line"):
        proposed(text, socomec=socomec(ENERGY))


def test_a_broken_portfolio_is_told_with_its_line() -> None:
    with pytest.raises(PortfolioError, match=r"portfolio\.yaml:2"):
        proposed("version: 1\nsites: 5\n", socomec=socomec(ENERGY))


def test_a_serial_number_with_a_slash_is_a_device_like_others() -> None:
    after = proposed(None, socomec=socomec(ENERGY, serial="A/B"))
    assert after.devices == ("socomec//A%2FB",)
    (device,) = parse_portfolio(after.after).devices.values()
    assert device.serial == "A/B"


@settings(max_examples=60, deadline=None)
@example(name="a\nb", serial="\x85", title="\u2028", unit="\x07")
@given(
    name=st.text(max_size=20),
    serial=st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=12),
    title=st.text(max_size=20),
    unit=st.text(max_size=8),
)
def test_whatever_a_vendor_calls_things_the_portfolio_loads(
    name: str, serial: str, title: str, unit: str
) -> None:
    found = socomec(variable("1", title, unit), ENERGY, name=name, serial=serial)
    once = proposed(None, socomec=found)
    portfolio = parse_portfolio(once.after)
    assert device_id("socomec", serial) in portfolio.devices
    assert not proposed(once.after, socomec=found).changes


def test_general_quantities_of_known_points_are_offered_their_names() -> None:
    found = {
        "belimo": belimo(
            datapoint("evcloud.120", "valvePosition", "%"),
            datapoint("evcloud.150", "supplyTemperature", "K"),
            datapoint("evcloud.170", "temperatureDifference", "K"),
        )
    }
    named = propose(None, found).after
    general = named.replace("valve_position", "other").replace("supply_temperature", "temperature")
    offered = propose(general, found)
    (remark,) = (one for one in offered.remarks if "telling quantity" in one)
    assert "2 points" in remark
    assert "evcloud.120: valve_position" in remark
    assert "evcloud.150: supply_temperature" in remark
    assert not offered.changes
    assert not any("telling" in one for one in propose(named, found).remarks)
