"""What is proposed beyond single points: what counts once, what is one place, what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.discovery import propose
from energy_platform.discovery.cadence import with_cadences
from energy_platform.portfolio import parse_portfolio
from energy_platform_tests.discovery.inventories import (
    belimo,
    datapoint,
    only_device,
    only_point,
    sensor,
    skycentrics,
    socomec,
    valve,
    variable,
)

if TYPE_CHECKING:
    from energy_platform.discovery import ProposedPoint, VendorInventory

HEAT = datapoint("evcloud.210", "heatingEnergy", "J")
ENERGY = variable("130101", "Positive active energy", "WATT_HOUR")


def proposed(text: str | None, **found: VendorInventory) -> str:
    return propose(text, found).after


def uncommented(text: str) -> str:
    """The text with what is proposed behind the devices taken into use."""
    lines = text.splitlines(keepends=True)
    start = (
        next(n for n, line in enumerate(lines) if line.startswith("# Counters whose"))
        if ("# Counters whose" in text)
        else next(n for n, line in enumerate(lines) if line.startswith("# Streams at Wattics"))
    )
    alive = [
        line[2:]
        if n >= start and line.startswith(("#   ", "# streams:", "# corrections:"))
        else line
        for n, line in enumerate(lines)
    ]
    return "".join(alive)


def registers(*titles: str, name: str = "Main incomer") -> dict[str, ProposedPoint]:
    found = socomec(
        *(variable(str(n), title, "WATT_HOUR") for n, title in enumerate(titles)), name=name
    )
    return {point.name: point for point in only_device(found).points}


@pytest.mark.parametrize(
    ("titles", "counted"),
    [
        (("Positive active energy", "Partial positive active energy"), "Positive active energy"),
        (("Partial active energy +", "Total active energy"), "Total active energy"),
        (("Ea+ T1", "Ea+ T2", "Total Ea+"), "Total Ea+"),
        (("Ea+ tariff 1", "Ea+"), "Ea+"),
        (("Active energy import", "Active energy consumption"), "Active energy import"),
        (("Lifetime energy import", "Resettable energy import"), "Lifetime energy import"),
        (("Wirkenergie Bezug HT", "Wirkenergie Bezug NT", "Wirkenergie Bezug gesamt"),) * 1
        + ("Wirkenergie Bezug gesamt",),
    ],
)
def test_two_registers_of_one_direction_are_never_summed_unasked(
    titles: tuple[str, ...], counted: str
) -> None:
    points = registers(*titles)
    assert only_device(socomec(ENERGY, name="Main incomer")).role == "main"
    assert {name for name, point in points.items() if point.role is None} == {counted}
    for name, point in points.items():
        if name != counted:
            assert "left out of the site's sums" in point.confirm
            assert point.confidence == "low"


def test_the_two_directions_of_a_meter_both_count() -> None:
    points = registers("Ea+", "Ea-")
    assert {point.role for point in points.values()} == {None}
    assert {point.quantity for point in points.values()} == {
        "active_energy_import",
        "active_energy_export",
    }


def test_tariffs_without_a_total_wait_for_a_persons_word() -> None:
    points = registers("Ea+ T1", "Ea+ T2")
    assert {point.role for point in points.values()} == {"none"}


def test_registers_of_the_phases_stay_as_they_are() -> None:
    points = registers("Ea+ L1", "Ea+ L2", "Ea+ L3")
    assert {point.role for point in points.values()} == {None}


def test_a_direction_that_could_be_either_never_enters_a_sum() -> None:
    for title in ("Active energy delivered", "Active energy received"):
        (point,) = registers(title).values()
        assert point.role == "none"
        assert point.confirm
    assert registers("Energy delivered to load")["Energy delivered to load"].quantity == (
        "active_energy_import"
    )
    assert registers("Energy delivered to grid")["Energy delivered to grid"].quantity == (
        "active_energy_export"
    )


def test_numbered_inverters_count_each_and_their_breaker_does_not() -> None:
    found = skycentrics(
        sensor("SOLAR_INVERTER_1_ENERGY", "kWh"), sensor("SOLAR_INVERTER_2_ENERGY", "kWh")
    )
    assert {point.role for point in only_device(found).points} == {"generation"}
    with_breaker = skycentrics(
        sensor("SOLAR_INVERTER_1_ENERGY", "kWh"),
        sensor("SOLAR_INVERTER_2_ENERGY", "kWh"),
        sensor("SOLAR_INVERTER_BREAKER_ENERGY", "kWh"),
    )
    roles = {point.key: point.role for point in only_device(with_breaker).points}
    assert [key for key, role in roles.items() if role == "generation"] == [
        "SOLAR_INVERTER_BREAKER_ENERGY"
    ]


def test_a_believable_counter_counts_before_one_with_exchanged_words() -> None:
    found = skycentrics(
        sensor("BESS_LIFETIME_CHARGE_COUNTER", "kWh", value=338624512.0),
        sensor("BESS_CHARGE_ENERGY", "kWh", value=900.0),
    )
    roles = {point.key: point.role for point in only_device(found).points}
    assert roles == {"BESS_LIFETIME_CHARGE_COUNTER": "none", "BESS_CHARGE_ENERGY": "storage"}


def test_one_place_of_three_vendors_is_one_site() -> None:
    found = {
        "socomec": socomec(ENERGY, site_name="Basel works", zone="Europe/Zurich"),
        "belimo": belimo(HEAT),
        "skycentrics": skycentrics(sensor("PV_POWER", "kW"), name="basel-gateway"),
    }
    text = proposed(None, **found)
    portfolio = parse_portfolio(text)
    assert list(portfolio.sites) == ["basel-works"]
    assert {device.site for device in portfolio.devices.values()} == {"basel-works"}
    assert "site: basel-works  # TO CONFIRM: belimo calls it Tower, Basel, CH" in text
    assert portfolio.devices["belimo/V1"].confidence == "medium"
    assert not propose(text, found).changes


def test_a_place_known_from_the_portfolio_takes_another_vendors_devices() -> None:
    text = proposed(None, socomec=socomec(ENERGY, site_name="Basel works", zone="Europe/Zurich"))
    after = parse_portfolio(
        proposed(
            text,
            socomec=socomec(ENERGY, site_name="Basel works", zone="Europe/Zurich"),
            belimo=belimo(HEAT),
        )
    )
    assert list(after.sites) == ["basel-works"]


@pytest.mark.parametrize(
    ("site_name", "zone"), [("Basel works", "Europe/Paris"), ("Head office", "Europe/Zurich")]
)
def test_another_zone_or_another_name_is_another_place(site_name: str, zone: str) -> None:
    text = proposed(
        None, socomec=socomec(ENERGY, site_name=site_name, zone=zone), belimo=belimo(HEAT)
    )
    assert len(parse_portfolio(text).sites) == 2


def test_two_sites_of_one_vendor_never_become_one_place() -> None:
    valves = (valve("V1"), valve("V2", project_name="Depot"))
    after = propose(
        None,
        {
            "socomec": socomec(ENERGY, site_name="Basel works", zone="Europe/Zurich"),
            "belimo": belimo(HEAT, devices=valves),
        },
    )
    assert len(parse_portfolio(after.after).sites) == 3
    assert any("may be a part of basel-works" in remark for remark in after.remarks)


def test_a_role_that_another_vendor_has_on_the_site_is_not_given_twice() -> None:
    text = proposed(
        None,
        socomec=socomec(
            variable("130101", "Active energy", "WATT_HOUR"),
            name="Solar plant",
            site_name="Basel works",
            zone="Europe/Zurich",
        ),
        skycentrics=skycentrics(sensor("PV_ENERGY", "kWh"), name="basel-gateway"),
    )
    points = parse_portfolio(text).points
    assert points["socomec/SN1/Global|0|130101"].role == "generation"
    assert points["skycentrics/1000000001/PV_ENERGY"].role == "none"
    assert "socomec already has a device or point with the role generation" in text


def test_streams_are_proposed_as_comments_that_can_be_taken_into_use() -> None:
    text = proposed(
        None,
        socomec=socomec(
            ENERGY,
            variable("130021", "Total active power", "WATT"),
            *(variable(f"13000{n}", f"V{n}", "VOLT") for n in (1, 2, 3)),
        ),
        belimo=belimo(HEAT),
    )
    assert not parse_portfolio(text).streams
    streams = parse_portfolio(uncommented(text)).streams
    electricity = streams["head-office-sn1"]
    assert electricity.fields == {
        "pC_1": "socomec/SN1/Global|0|130101",
        "aP_1": "socomec/SN1/Global|0|130021",
        **{f"v_{n}": f"socomec/SN1/Global|0|13000{n}" for n in (1, 2, 3)},
    }
    heat = streams["tower-basel-ch-v1-heatingenergy"]
    assert (heat.kind, heat.unit) == ("value", "Wh")


def test_streams_of_later_devices_are_proposed_too() -> None:
    first = belimo(HEAT, devices=(valve("V1"),))
    text = proposed(None, belimo=first)
    later = belimo(HEAT, devices=(valve("V1"), valve("V2")))
    after = proposed(text, belimo=later)
    assert after.count("# streams:") == 1
    assert "#   - id: tower-basel-ch-v2-heatingenergy" in after
    assert proposed(after, belimo=later) == after


def test_the_factor_of_exchanged_words_is_proposed_as_a_correction() -> None:
    found = skycentrics(sensor("BESS_LIFETIME_CHARGE_COUNTER", "kWh", value=338624512.0))
    text = proposed(None, skycentrics=found)
    assert not parse_portfolio(text).corrections
    (correction,) = parse_portfolio(uncommented(text)).corrections
    assert correction.factor == 1 / 65_536
    assert 338624512.0 * (correction.factor or 0) == 5167.0


def test_states_of_any_spelling_load() -> None:
    for word in ("on", 'say "x"', "NO", "null", "état", "1"):
        text = proposed(None, skycentrics=skycentrics(sensor("Pump_Stat", "", value=word)))
        (point,) = parse_portfolio(text).points.values()
        assert word in dict(point.states)


def test_what_discover_writes_is_unconfirmed_until_a_person_removes_the_mark() -> None:
    text = proposed(None, socomec=socomec(ENERGY))
    (point,) = parse_portfolio(text).points.values()
    assert point.confidence == "low"  # of the device, whose role nobody said
    reviewed = "".join(line for line in text.splitlines(keepends=True) if "confidence:" not in line)
    (point,) = parse_portfolio(reviewed).points.values()
    assert point.confidence is None


def test_a_new_device_of_a_reviewed_type_is_still_a_guess() -> None:
    text = proposed(None, socomec=socomec(ENERGY))
    reviewed = "".join(line for line in text.splitlines(keepends=True) if "confidence:" not in line)
    after = parse_portfolio(proposed(reviewed, socomec=socomec(ENERGY, serial="SN2")))
    assert after.points["socomec/SN1/Global|0|130101"].confidence is None
    assert after.points["socomec/SN2/Global|0|130101"].confidence == "low"


def test_data_decide_over_the_vendors_cadence() -> None:
    found = socomec(variable("1", "V1", "VOLT", polling_time=3600))
    name = "socomec/SN1/Global|0|1"
    every = {
        step: only_point(with_cadences(found, {name: step})).every
        for step in (3600.0, 3590.0, 300.0, None)
    }
    assert every == {3600.0: 3600.0, 3590.0: 3600.0, 300.0: 300.0, None: None}
    assert only_point(with_cadences(found, {"other": 5.0})).every == 3600.0
    portfolio = parse_portfolio(proposed(None, socomec=found))
    every_s = portfolio.points_frame()["every_s"].to_list()
    assert every_s == [3600.0]


@given(
    titles=st.lists(
        st.sampled_from(
            ["Ea+", "Ea-", "Total Ea+", "Partial Ea+", "Ea+ T1", "Ea+ T2", "Active energy"]
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_a_meter_lists_one_register_of_a_direction_counts(titles: list[str]) -> None:
    found = socomec(
        *(variable(str(n), title, "WATT_HOUR") for n, title in enumerate(titles)),
        name="Main incomer",
    )
    counted = [
        point.quantity
        for point in only_device(found).points
        if point.kind == "register" and point.role is None
    ]
    assert len(counted) == len(set(counted))
