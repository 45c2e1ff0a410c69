"""The vendors' own words: what each name that they print is proposed as."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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

if TYPE_CHECKING:
    from energy_platform.discovery import ProposedPoint

Told = tuple[str, str, str]
"""Quantity, kind and phase."""


def meaning(guess: ProposedPoint) -> Told:
    return guess.quantity, guess.kind, guess.phase


def gauge(quantity: str, phase: str = "total") -> Told:
    return quantity, "gauge", phase


def register(quantity: str, phase: str = "total") -> Told:
    return quantity, "register", phase


def increment(quantity: str) -> Told:
    return quantity, "increment", "total"


SOCOMEC: list[tuple[str, str | None, Told]] = [
    ("Positive active power", "WATT", gauge("active_power")),
    ("Positive active energy", "WATT_HOUR", register("active_energy_import")),
    ("Total positive active energy", "KILOWATT_HOUR", register("active_energy_import")),
    ("Ea+", "WATT_HOUR", register("active_energy_import")),
    ("Ea+ L2", "WATT_HOUR", register("active_energy_import", "L2")),
    ("Negative active energy", "WATT_HOUR", register("active_energy_export")),
    ("Ea-", "WATT_HOUR", register("active_energy_export")),
    ("E- (production)", "WATT_HOUR", register("active_energy_export")),
    ("Negative active energy (production)", "WATT_HOUR", register("active_energy_export")),
    ("kWh-", "KILOWATT_HOUR", register("active_energy_export")),
    ("+Ea", "WATT_HOUR", register("active_energy_import")),
    ("-Ea", "WATT_HOUR", register("active_energy_export")),
    ("Active energy (-)", "WATT_HOUR", register("active_energy_export")),
    ("Active energy -", "WATT_HOUR", register("active_energy_export")),
    ("Active energy \u2212", "WATT_HOUR", register("active_energy_export")),
    ("1.8.0", "WATT_HOUR", register("active_energy_import")),
    ("2.8.0", "WATT_HOUR", register("active_energy_export")),
    ("Positive reactive energy", "VAR_HOUR", register("reactive_energy_import")),
    ("Negative reactive energy", "VAR_HOUR", register("reactive_energy_export")),
    ("Er+", "VAR_HOUR", register("reactive_energy_import")),
    ("Total negative reactive energy Er-", "KILOVAR_HOUR", register("reactive_energy_export")),
    ("Ups output global load rate", "PERCENTAGE", gauge("load_rate")),
    ("Ups input load level", "PERCENTAGE", gauge("load_rate")),
    ("Ups output current L3", "AMPERE", gauge("current", "L3")),
    ("Ups ambient temperature", "CELSIUS", gauge("temperature")),
    ("Ups ambient temperature", "°C", gauge("temperature")),
    ("Ups battery capacity", "AMPERE_HOUR", gauge("battery_capacity")),
    ("Ups battery capacity", "Ah", gauge("battery_capacity")),
    ("Ups battery negative voltage", "VOLT", gauge("voltage")),
    ("Number of unit into the Ups", None, gauge("count")),
    ("Number of unit into the Ups", "", gauge("count")),
    ("Power factor", "NONE", gauge("power_factor")),
    ("Power factor L2", "NONE", gauge("power_factor", "L2")),
    ("V1", "VOLT", gauge("voltage", "L1")),
    ("V2", "VOLT", gauge("voltage", "L2")),
    ("V3", "VOLT", gauge("voltage", "L3")),
    ("U12", "VOLT", gauge("voltage", "L12")),
    ("U23", "VOLT", gauge("voltage", "L23")),
    ("U31", "VOLT", gauge("voltage", "L13")),
    ("I1", "AMPERE", gauge("current", "L1")),
    ("I2", "AMPERE", gauge("current", "L2")),
    ("I3", "AMPERE", gauge("current", "L3")),
    ("In", "AMPERE", gauge("current", "N")),
    ("Neutral current", "AMPERE", gauge("current", "N")),
    ("Strom N", "AMPERE", gauge("current", "N")),
    ("Heat in phase 1", "AMPERE", gauge("current", "L1")),
    ("P1", "KILOWATT", gauge("active_power", "L1")),
    ("Q3", "KILOVAR", gauge("reactive_power", "L3")),
    ("Average voltage", "VOLT", gauge("voltage")),
    ("Average I1", "AMPERE", gauge("other", "L1")),
    ("Average active power", "KILOWATT", gauge("other")),
    ("Max demand active power", "KILOWATT", gauge("other")),
    ("Current setpoint", "AMPERE", gauge("setpoint")),
    ("Nominal power", "KILOWATT", gauge("other")),
    ("Energie active positive", "WATT_HOUR", register("active_energy_import")),
    ("Énergie active injectée", "WATT_HOUR", register("active_energy_export")),
    ("Énergie active soutirée", "WATT_HOUR", register("active_energy_import")),
    ("Taux de charge", "PERCENTAGE", gauge("load_rate")),
    ("Consigne de puissance", "KILOWATT", gauge("setpoint")),
    ("Wirkenergie Bezug", "KILOWATT_HOUR", register("active_energy_import")),
    ("Wirkenergiebezug", "KILOWATT_HOUR", register("active_energy_import")),
    ("Wirkenergie Einspeisung", "KILOWATT_HOUR", register("active_energy_export")),
    ("Blindenergie Lieferung", "KILOVAR_HOUR", register("reactive_energy_export")),
    ("Leistungssollwert", "KILOWATT", gauge("setpoint")),
    ("Betriebsstunden", "HOUR", register("operating_time")),
    ("Ups hours on battery", "HOUR", register("time_on_battery")),
    ("Ups input active energy", "KILOWATT_HOUR", register("input_energy")),
    ("Battery state of health", "PERCENTAGE", gauge("state_of_health")),
    ("Outdoor temperature", "CELSIUS", gauge("outdoor_temperature")),
    ("Außentemperatur", "CELSIUS", gauge("outdoor_temperature")),
    ("Vorlauftemperatur", "CELSIUS", gauge("supply_temperature")),
    ("Rücklauftemperatur", "CELSIUS", gauge("return_temperature")),
    ("Température de départ", "CELSIUS", gauge("supply_temperature")),
    ("Supply and return temperature", "CELSIUS", gauge("temperature")),
    ("Temperature difference", "CELSIUS", gauge("temperature_difference")),
    ("Temperature setpoint", "CELSIUS", gauge("setpoint")),
    ("Relative humidity", "PERCENTAGE", gauge("humidity")),
    ("Luftfeuchte", "%", gauge("humidity")),
    ("Room CO2", "ppm", gauge("co2_concentration")),
    ("Network pressure", "bar", gauge("pressure")),
    ("Damper position", "PERCENTAGE", gauge("valve_position")),
]


@pytest.mark.parametrize(("title", "unit", "expected"), SOCOMEC)
def test_a_title_of_socomec(title: str, unit: str | None, expected: Told) -> None:
    point = only_point(socomec(variable("1", title, unit)))
    assert meaning(point) == expected
    assert point.role is None


@pytest.mark.parametrize(
    ("title", "service", "unit", "expected", "shown_unit"),
    [
        (
            "Ups overload more than 5s Delta",
            "IUpsStatistic_OverLoadMore5s_Delta",
            None,
            increment("overload_count"),
            "count",
        ),
        (
            "Delta Ups hours on Inverter",
            "IUpsStatistic_HoursOnInv_Delta",
            "",
            increment("operating_time"),
            "h",
        ),
        ("Delta Ups hours on Inverter", "I1", None, increment("operating_time"), "h"),
        (None, "IUpsStatistic_HoursOnBp_Delta", "h", increment("time_on_bypass"), "h"),
        (
            "Ups on bypass",
            "IUpsStatistic_HoursOnBp_Delta",
            "HOUR",
            increment("time_on_bypass"),
            "h",
        ),
        ("Ea+", "IMeterEnergy_Delta", "WATT_HOUR", increment("active_energy_import"), "Wh"),
        ("Ea-", "IMeterEnergy_Delta", "WATT_HOUR", increment("active_energy_export"), "Wh"),
    ],
)
def test_an_increment_of_socomec(
    title: str | None, service: str, unit: str | None, expected: Told, shown_unit: str
) -> None:
    point = only_point(socomec(variable("1", title, unit, service_name=service, polling_time=3600)))
    assert meaning(point) == expected
    assert (point.unit, point.every) == (shown_unit, 3600.0)
    if not unit and shown_unit == "h":
        assert "no unit" in point.confirm


def test_a_service_without_a_title_is_known_by_its_own_name() -> None:
    named = variable("140100", None, "PERCENTAGE", service_name="IUpsOutput_Lr")
    assert told(only_point(socomec(named | {"title": "Ups output global load rate"}))) == (
        "load_rate",
        "gauge",
    )


def test_a_delta_of_temperatures_is_no_increment() -> None:
    assert told(only_point(socomec(variable("1", "Delta T", "KELVIN")))) == (
        "temperature_difference",
        "gauge",
    )


@pytest.mark.parametrize(
    ("polling_time", "every"), [(60, 60.0), (3600, 3600.0), (0, None), (None, None), (-1, None)]
)
def test_the_cadence_is_the_vendors(polling_time: int | None, every: float | None) -> None:
    assert (
        only_point(socomec(variable("1", "V1", "VOLT", polling_time=polling_time))).every == every
    )


def test_an_alarm_takes_the_words_that_were_seen() -> None:
    alarm = variable("9", "Battery alarm", None, service_type="Alarm", polling_time=60)
    seen = ({"device_uuid": "d1", "service_id": "9", "value_text": "INACTIVE"},)
    last = tuple(
        {"item_type": "Global", "item_index": "0", "serial_number": "S"} | one for one in seen
    )
    point = only_point(socomec(alarm, last=last))
    assert point.states == (("INACTIVE", 0.0), ("ACTIVE", 1.0))
    assert point.confirm
    assert point.every is None


@pytest.mark.parametrize(
    ("name", "unit", "quantity"),
    [
        ("valvePosition", "%", "valve_position"),
        ("supplyTemperature", "K", "supply_temperature"),
        ("returnTemperature", "K", "return_temperature"),
        ("temperatureDifference", "K", "temperature_difference"),
        ("volumeFlow", "m3/s", "volume_flow"),
    ],
)
def test_a_datapoint_of_a_valves_circuit(name: str, unit: str, quantity: str) -> None:
    assert meaning(only_point(belimo(datapoint("evcloud.1", name, unit)))) == gauge(quantity)


@pytest.mark.parametrize(
    ("key", "name", "description", "unit", "expected"),
    [
        ("evcloud.200", "coolingEnergy", "Cooling Energy in J", "J", register("cooling_energy")),
        ("evcloud.210", "heatingEnergy", "Heating Energy in J", "J", register("heating_energy")),
        ("evcloud.210", None, "Heating Energy in J", "J", register("heating_energy")),
        ("evcloud.200", "coolingEnergy", None, "J", register("cooling_energy")),
        ("x.1", None, "Wärmemenge in kWh", "kWh", register("heating_energy")),
        ("x.1", None, "Kältemenge in kWh", "kWh", register("cooling_energy")),
        ("x.1", None, "Énergie de chauffage", "kWh", register("heating_energy")),
    ],
)
def test_a_datapoint_of_belimo(
    key: str, name: str | None, description: str | None, unit: str, expected: Told
) -> None:
    point = only_point(belimo(datapoint(key, name, unit, description=description)))
    assert meaning(point) == expected
    assert point.carrier == expected[0].removesuffix("_energy")


def test_a_customers_name_does_not_change_what_a_valve_measures() -> None:
    named = valve(display_name="Energieventil Heizung 2.OG Sued-Ost")
    points = only_device(
        belimo(
            datapoint("evcloud.200", "coolingEnergy", "J", description="Cooling Energy in J"),
            datapoint("evcloud.210", "heatingEnergy", "J", description="Heating Energy in J"),
            devices=(named,),
        )
    ).points
    assert {point.key: point.quantity for point in points} == {
        "evcloud.200": "cooling_energy",
        "evcloud.210": "heating_energy",
    }


SKYCENTRICS: list[tuple[str, str, str, Told, str | None]] = [
    ("BESS_STATE_OF_CHARGE", "Charge", "%", gauge("state_of_charge"), None),
    ("BESS_AVAILABLE_CHARGE_CAPACITY", "Energy", "kWh", gauge("storable_energy"), None),
    ("BESS_AVAILABLE_DISCHARGE_CAPACITY", "Energy", "kWh", gauge("stored_energy"), None),
    (
        "BESS_LIFETIME_CHARGE_COUNTER",
        "Energy",
        "kWh",
        register("battery_energy_charge"),
        "storage",
    ),
    (
        "BESS_LIFETIME_DISCHARGE_COUNTER",
        "Energy",
        "kWh",
        register("battery_energy_discharge"),
        "storage",
    ),
    ("BESS_SYSTEM_AVERAGE_VOLTAGE", "Voltage", "V", gauge("voltage"), None),
    ("BESS_SYSTEM_AVERAGE_CURRENT", "Current", "A", gauge("current"), None),
    ("BESS_PCS_CHARGE_DISCHARGE_REAL_POWER", "Power", "kW", gauge("active_power"), None),
    (
        "BESS_PCS_CHARGE_DISCHARGE_REACTIVE_POWER",
        "Reactive Power",
        "kVAR",
        gauge("reactive_power"),
        None,
    ),
    ("BESS_REACTIVE_POWER_SETPOINT", "Power Setpoint", "kVAR", gauge("setpoint"), None),
    ("PV_SYSTEM_REAL_POWER_SETPOINT_LIMIT_TOTAL", "Power", "kW", gauge("setpoint"), None),
    ("SETPOINT_SOLAR_EDGE_INVERTER_1", "Power Setpoint", "% of Wmax", gauge("setpoint"), None),
    ("SOLAR_INVERTER_1_ACTIVE_POWER", "Power", "kW", gauge("active_power"), None),
    ("SOLAR_INVERTER_1_ENERGY", "Energy", "kWh", register("generation_energy"), "generation"),
    ("SOLAR_INVERTER_BREAKER_ACTIVE_POWER", "Power", "kW", gauge("active_power"), None),
    ("E30A_3_VOLTS_A-N", "Voltage", "V", gauge("voltage", "L1"), None),
    ("E30A_3_VOLTS_B-N", "Voltage", "V", gauge("voltage", "L2"), None),
    ("E30A_3_VOLTS_C-N", "Voltage", "V", gauge("voltage", "L3"), None),
    ("E30A_3_VOLTS_A-B", "Voltage", "V", gauge("voltage", "L12"), None),
    ("E30A_3_VOLTS_B-C", "Voltage", "V", gauge("voltage", "L23"), None),
    ("E30A_3_VOLTS_A-C", "Voltage", "V", gauge("voltage", "L13"), None),
    ("E30A_3_VOLTS_L-N:_3ph_Ave", "Voltage", "V", gauge("voltage"), None),
    ("E30A_3_VOLTS_L-L:_3ph_Ave", "Voltage", "V", gauge("voltage"), None),
    ("E30A_3_Amps:_3ph_Average", "Current", "A", gauge("current"), None),
    ("E30A_3_Amps_A", "Current", "A", gauge("current", "L1"), None),
    ("E30A_3_kW_B", "Power", "kW", gauge("active_power", "L2"), None),
    (
        "E30A_3_kWh_Energy:_3ph_Total",
        "Energy",
        "kWh",
        register("active_energy_import"),
        "none",
    ),
    ("E30A_3_kW:_3ph_Total", "Power", "kW", gauge("active_power"), None),
    ("E30A_3_AMPS_N", "Current", "A", gauge("current", "N"), None),
    ("E30A_3_Power_Factor_A", "State", "", gauge("power_factor", "L1"), None),
    ("SEL_RELAY_VOLTAGE_CA", "Voltage", "V", gauge("voltage", "L13"), None),
    ("BESS_AVAILABLE_CHARGE_POWER", "Power", "kW", gauge("available_power"), None),
    ("BESS_POWER_REQUEST", "Power", "kW", gauge("setpoint"), None),
    ("SSU_[0063]_AI1000426_Shed", "Power", "W", gauge("available_power"), None),
    ("E30A_3_kW:_3ph_Ave", "Power", "kW", gauge("other"), None),
    ("E30A_3_Frequency", "Frequency", "Hz", gauge("frequency"), None),
    ("E30A_3_Power_Factor:_3ph_Total", "State", "", gauge("power_factor"), None),
    ("SEL_RELAY_TRIP_STATUS_POWER_ELEMENT", "Power", "", ("state", "state", "total"), None),
    ("BESS_ALARMS_BITFIELD_1_5", "State", "", ("state", "bitfield", "total"), None),
    ("BESS_SYSTEM_STATE", "State", "", ("state", "state", "total"), None),
    ("BESS_WARNINGS", "State", "", ("state", "bitfield", "total"), None),
    ("MICROGRID_OPERATION_MODE", "State", "", ("state", "state", "total"), None),
    ("UTILITY_GRID_STATE", "State", "", ("state", "state", "total"), None),
    ("SSU_[0062]_AV421_ZDim", "Lighting Control", "%", gauge("lighting_level"), None),
    ("SSU_[0062]_BV420_ZStat", "State", "", ("state", "state", "total"), None),
    ("SSU_[0062]_AO100288_PHS", "State", "luxes", gauge("illuminance"), None),
    ("SSU_[0062]_AI1000425_Shedtable", "Power", "W", gauge("available_power"), None),
    ("SSU_[0062]_AO1000425_ShReq", "Power", "W", gauge("setpoint"), None),
]


@pytest.mark.parametrize(("key", "kind", "units", "expected", "role"), SKYCENTRICS)
def test_a_sensor_of_skycentrics(
    key: str, kind: str, units: str, expected: Told, role: str | None
) -> None:
    point = only_point(skycentrics(sensor(key, units, kind=kind)))
    assert meaning(point) == expected
    assert point.role == role


def test_the_words_of_a_state_are_those_seen() -> None:
    point = only_point(skycentrics(sensor("SSU_[0062]_BV420_ZStat", "", value="active")))
    assert dict(point.states) == {"inactive": 0.0, "active": 1.0}
    assert '"active" seen' in point.confirm
    odd = only_point(skycentrics(sensor("Chiller_Mode", "", value="Standby")))
    assert dict(odd.states) == {"Standby": 0.0}
    assert "other words are quarantined" in odd.confirm


def test_counters_with_exchanged_words_ask_for_a_correction() -> None:
    for value, times in ((338624512.0, "5167"), (679870464.0, "10374")):
        point = only_point(skycentrics(sensor("BESS_LIFETIME_CHARGE_COUNTER", "kWh", value=value)))
        assert point.is_implausible
        assert f"{times} times 65,536" in point.confirm
    assert not only_point(
        skycentrics(sensor("BESS_LIFETIME_CHARGE_COUNTER", "kWh", value=5167.0))
    ).is_implausible


def test_room_and_store_together_are_proposed_as_the_capacity() -> None:
    device = only_device(
        skycentrics(
            sensor("BESS_AVAILABLE_CHARGE_CAPACITY", "kWh", value=178.5),
            sensor("BESS_AVAILABLE_DISCHARGE_CAPACITY", "kWh", value=78.0),
        )
    )
    assert "rated_capacity_wh: 256500" in device.remarks[0]
