"""What is guessed from the vendors' words, and what is left unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.discovery.keywords import clean, keywords, usual_unit
from energy_platform.discovery.phases import phase_of
from energy_platform.discovery.rules import classify
from energy_platform.transforms.quantities import ENERGY_QUANTITIES
from energy_platform.transforms.units import conversion
from energy_platform_tests.discovery.inventories import (
    belimo,
    datapoint,
    only_device,
    only_point,
    sensor,
    skycentrics,
    socomec,
    told,
    valve,
    variable,
)

OTHER = ("other", "gauge")


@pytest.mark.parametrize(
    ("title", "unit", "device", "expected"),
    [
        ("Active energy import", "WATT_HOUR", "Meter", ("active_energy_import", "register")),
        ("Active energy export", "KILOWATT_HOUR", "Meter", ("active_energy_export", "register")),
        ("Reactive energy export", "VAR_HOUR", "Meter", ("reactive_energy_export", "register")),
        ("Active energy", "WATT_HOUR", "Solar plant", ("generation_energy", "register")),
        ("Active energy", "WATT_HOUR", "Chiller", ("active_energy_import", "register")),
        ("Energy charged", "WATT_HOUR", "Battery", ("battery_energy_charge", "register")),
        ("Energy discharged", "WATT_HOUR", "Battery", ("battery_energy_discharge", "register")),
        ("Energy charged", "WATT_HOUR", "Car park", OTHER),
        ("Active energy import - export", "WATT_HOUR", "Meter", OTHER),
        ("Energy today", "WATT_HOUR", "Meter", OTHER),
        ("Voltage L1", "VOLT", "Meter", ("voltage", "gauge")),
        ("Power factor", None, "Meter", ("power_factor", "gauge")),
        ("Max active power", "KILOWATT", "Meter", OTHER),
        ("Output global load rate", "PERCENT", "UPS", ("load_rate", "gauge")),
        ("Operating hours", "HOUR", "UPS", ("operating_time", "register")),
        ("Battery temperature", "CELSIUS", "UPS", ("temperature", "gauge")),
        ("Autonomy", "MINUTE", "UPS", OTHER),
        ("Something", "FURLONG", "UPS", OTHER),
        ("Something", None, "UPS", OTHER),
    ],
)
def test_a_socomec_service_is_known_by_title_unit_and_device(
    title: str, unit: str | None, device: str, expected: tuple[str, str]
) -> None:
    assert told(only_point(socomec(variable("1", title, unit), name=device))) == expected


def test_a_delta_service_is_an_increment_and_does_not_count_twice() -> None:
    point = only_point(
        socomec(
            variable(
                "1", None, "WATT_HOUR", service_name="IMeterEnergy_Active_Delta", is_computed=True
            )
        )
    )
    assert told(point) == ("active_energy_import", "increment")
    assert point.role == "none"
    count = only_point(socomec(variable("1", None, None, service_name="IUps_Overload5s_Delta")))
    assert told(count) == ("overload_count", "increment")


def test_an_alarm_is_a_state_whatever_it_is_called() -> None:
    alarm = variable("1", "Active energy import", "WATT_HOUR", service_type="Alarm")
    assert told(only_point(socomec(alarm))) == ("state", "state")


def test_services_that_are_not_collected_are_no_points() -> None:
    device = only_device(
        socomec(variable("1", "Voltage", "VOLT"), variable("2", "Old", "VOLT", active=False))
    )
    assert [point.key for point in device.points] == ["Global|0|1"]
    assert set(device.left_out) == {"Global|0|2"}


def test_a_gateway_without_measures_is_no_device() -> None:
    assert list(socomec(variable("1", "Voltage", "VOLT")).devices) == ["SN1"]


def test_two_loads_of_one_meter_can_be_told_apart() -> None:
    points = only_device(
        socomec(
            variable("1", "Active energy", "WATT_HOUR", item_type="Load", item_index="1"),
            variable("1", "Active energy", "WATT_HOUR", item_type="Load", item_index="2", uuid="x"),
        )
    ).points
    assert [point.name for point in points] == ["Active energy (Load 1)", "Active energy (Load 2)"]


def test_a_role_is_taken_from_a_name_only_when_it_says_one() -> None:
    energy = variable("1", "Active energy import", "WATT_HOUR")
    roles = {
        name: only_device(socomec(energy, name=name)).role
        for name in ("Main meter", "Solar plant", "Battery room", "Chiller", "Main solar meter")
    }
    assert roles == {
        "Main meter": "main",
        "Solar plant": "generation",
        "Battery room": "storage",
        "Chiller": "none",
        "Main solar meter": "none",
    }


@pytest.mark.parametrize(
    ("key", "name", "unit", "expected"),
    [
        ("evcloud.200", "coolingEnergy", "J", ("cooling_energy", "register")),
        ("evcloud.210", "heatingEnergy", "J", ("heating_energy", "register")),
        ("x.1", "heatingEnergy", "kWh", ("heating_energy", "register")),
        ("evcloud.210", "coolingEnergy", "J", OTHER),
        ("x.1", "absoluteEnergy", "J", OTHER),
        ("evcloud.210", "heatingEnergy", None, OTHER),
        ("evcloud.140", "absolutePower", "W", ("active_power", "gauge")),
        ("evcloud.150", "supplyTemperature", "K", ("supply_temperature", "gauge")),
        ("evcloud.170", "temperatureDifference", "K", ("temperature_difference", "gauge")),
        ("evcloud.130", "volumeFlow", "m3/s", ("volume_flow", "gauge")),
        ("evcloudplus.461", "totalVolume", "m3", ("volume", "register")),
        ("evcloud.120", "valvePosition", "%", ("valve_position", "gauge")),
        ("x.2", None, "K", OTHER),
    ],
)
def test_a_belimo_datapoint_is_known_by_id_name_and_unit(
    key: str, name: str | None, unit: str | None, expected: tuple[str, str]
) -> None:
    assert told(only_point(belimo(datapoint(key, name, unit)))) == expected


def test_texts_and_booleans_of_a_valve_are_states() -> None:
    flag = only_point(belimo(datapoint("a", "energySaving", "kWh", basetype="bool")))
    assert told(flag) == ("state", "state")
    assert dict(flag.states) == {"false": 0.0, "true": 1.0}
    assert told(only_point(belimo(datapoint("a", "health", None, basetype="text")))) == (
        "state",
        "state",
    )


def test_a_datapoint_that_can_only_be_written_is_not_read() -> None:
    device = only_device(belimo(datapoint("a", "setpoint", "%", access="w")))
    assert not device.points
    assert set(device.left_out) == {"a"}


def test_a_valve_without_a_dataprofile_is_kept_with_unknown_points() -> None:
    device = only_device(belimo(devices=(valve(dataprofile=None),)))
    assert not device.keys_known
    assert device.remarks


def test_a_transferred_valve_is_one_device() -> None:
    found = belimo(datapoint("a", "x", "W"), devices=(valve(id="old"), valve(id="new")))
    assert list(found.devices) == ["V1"]
    assert "two ids" in found.remarks[0]


@pytest.mark.parametrize(
    ("name", "units", "kind", "expected"),
    [
        ("Building Meter kWh Energy", "kWh", "State", ("active_energy_import", "register")),
        ("PV_ENERGY", "kWh", "Energy", ("generation_energy", "register")),
        ("BATTERY_CHARGE_ENERGY", "kWh", "Energy", ("battery_energy_charge", "register")),
        ("BATTERY_LIFETIME_DISCHARGE_COUNTER", "kWh", "", ("battery_energy_discharge", "register")),
        ("BATTERY_AVAILABLE_CHARGE_CAPACITY", "kWh", "Energy", ("storable_energy", "gauge")),
        ("Feeder kWh", "kWh", "Energy", OTHER),
        ("Relay Trip Status", "", "Power", ("state", "bitfield")),
        ("Meter PF", "", "State", ("power_factor", "gauge")),
        ("Zone [1] BV1_Stat", "", "Energy", ("state", "state")),
        ("BATTERY_STATE_OF_CHARGE", "%", "Charge", ("state_of_charge", "gauge")),
        ("BATTERY_POWER_SETPOINT", "% of Wmax", "Power", ("setpoint", "gauge")),
        ("Export Limit", "kW", "Power", OTHER),
        ("Total Power", "", "Power", OTHER),
        ("Lifetime Energy", "", "Energy", OTHER),
        ("Lobby Illuminance", "luxes", "State", ("illuminance", "gauge")),
        ("Building Meter kVAR", "kVAR", "Reactive Power", ("reactive_power", "gauge")),
    ],
)
def test_a_sensor_is_known_by_unit_and_id_never_by_its_type(
    name: str, units: str, kind: str, expected: tuple[str, str]
) -> None:
    assert told(only_point(skycentrics(sensor(name, units, kind=kind)))) == expected
    assert told(only_point(skycentrics(sensor(name, units, kind="Nonsense")))) == expected


def test_odd_sensors_ask_to_be_confirmed() -> None:
    assert "duplicate" in only_point(skycentrics(sensor("Legacy kW_DUP", "kW"))).confirm
    assert "sign" in only_point(skycentrics(sensor("BATTERY_POWER", "kW"))).confirm
    lifetime = only_point(skycentrics(sensor("BATTERY_LIFETIME_CHARGE_COUNTER", "kWh")))
    assert "rated_capacity_wh" in lifetime.confirm
    assert lifetime.needs_power


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("Voltage L1", "L1"),
        ("Voltage L1-L2", "L12"),
        ("U_L23", "L23"),
        ("Building Meter A L3", "L3"),
        ("Level 12", "total"),
        ("Line 2 energy", "total"),
        ("Panel12", "total"),
    ],
)
def test_a_phase_is_read_from_a_name(text: str, phase: str) -> None:
    assert phase_of(text) == phase


@given(
    unit=st.sampled_from(
        ["kWh", "J", "W", "%", "K", "varh", "VAh", "s", "m3", "furlong", "", None]
    ),
    said=st.frozensets(st.text(alphabet="abcdefg", min_size=1, max_size=4), max_size=4),
)
def test_words_that_nobody_knows_never_make_an_energy(
    unit: str | None, said: frozenset[str]
) -> None:
    assert classify(unit, said).quantity not in ENERGY_QUANTITIES
    assert classify(unit, said).kind != "register"


@given(
    said=st.frozensets(
        st.sampled_from(
            sorted(
                keywords(
                    "energy import export charge heating total battery solar counter net today"
                )
            )
        )
    )
)
def test_no_words_make_an_energy_out_of_a_power_or_of_no_unit(said: frozenset[str]) -> None:
    for unit in ("kW", "V", "", None, "furlong", "%"):
        assert classify(unit, said).quantity not in ENERGY_QUANTITIES


@pytest.mark.parametrize("said", ["KILOWATT_HOUR", "kVAR", "m3/s", "luxes", "% of Wmax", "HERTZ"])
def test_the_usual_unit_counts_like_the_vendors(said: str) -> None:
    usual = usual_unit(said)
    assert conversion(usual, quantity="other") == conversion(said, quantity="other")


@given(st.text())
def test_a_cleaned_name_is_one_line_without_addresses(text: str) -> None:
    name = clean(f"Valve {text} jane.doe@example.com")
    assert "\n" not in name
    assert "jane.doe@example.com" not in name


def test_a_telephone_number_is_no_name() -> None:
    assert clean("Pump, call +41 61 555 01 23") == "Pump, call ***"
    assert clean("Valve 22001-50007-101-007") == "Valve 22001-50007-101-007"
