"""The simulators print the names that the vendors' documents print, with their types and units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from energy_platform_tests.simulators.belimo.cloud import Cloud
from energy_platform_tests.simulators.skycentrics.caller import Caller
from energy_platform_tests.simulators.socomec.soda import Soda

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite

SENSORS = {
    "BESS_STATE_OF_CHARGE": ("Charge", "%"),
    "BESS_AVAILABLE_CHARGE_CAPACITY": ("Energy", "kWh"),
    "BESS_AVAILABLE_DISCHARGE_CAPACITY": ("Energy", "kWh"),
    "BESS_LIFETIME_CHARGE_COUNTER": ("Energy", "kWh"),
    "BESS_LIFETIME_DISCHARGE_COUNTER": ("Energy", "kWh"),
    "BESS_SYSTEM_AVERAGE_VOLTAGE": ("Voltage", "V"),
    "BESS_SYSTEM_AVERAGE_CURRENT": ("Current", "A"),
    "BESS_PCS_CHARGE_DISCHARGE_REAL_POWER": ("Power", "kW"),
    "BESS_PCS_CHARGE_DISCHARGE_REACTIVE_POWER": ("Reactive Power", "kVAR"),
    "BESS_REACTIVE_POWER_SETPOINT": ("Power Setpoint", "kVAR"),
    "PV_SYSTEM_REAL_POWER_SETPOINT_LIMIT_TOTAL": ("Power Setpoint", "kW"),
    "SETPOINT_SOLAR_EDGE_INVERTER_1": ("Power Setpoint", "% of Wmax"),
    "SOLAR_INVERTER_1_ACTIVE_POWER": ("Power", "kW"),
    "SOLAR_INVERTER_1_ENERGY": ("Energy", "kWh"),
    "SOLAR_INVERTER_BREAKER_ACTIVE_POWER": ("Power", "kW"),
    **{
        f"E30A_3_VOLTS_{name}": ("Voltage", "V")
        for name in ("A-N", "B-N", "C-N", "A-B", "B-C", "A-C", "L-N:_3ph_Ave", "L-L:_3ph_Ave")
    },
    "E30A_3_kWh_Energy:_3ph_Total": ("Energy", "kWh"),
    "E30A_3_kW:_3ph_Total": ("Power", "kW"),
    "E30A_3_Amps:_3ph_Average": ("Current", "A"),
    "E30A_3_Frequency": ("Frequency", "Hz"),
    "E30A_3_Power_Factor:_3ph_Total": ("State", ""),
    "SEL_RELAY_TRIP_STATUS_POWER_ELEMENT": ("Power", ""),
    "BESS_ALARMS_BITFIELD_1_5": ("State", ""),
    "BESS_SYSTEM_STATE": ("State", ""),
    "BESS_WARNINGS": ("State", ""),
    "MICROGRID_OPERATION_MODE": ("State", ""),
    "UTILITY_GRID_STATE": ("State", ""),
    "SSU_[0062]_AV421_ZDim": ("Lighting Control", "%"),
    "SSU_[0062]_BV420_ZStat": ("State", ""),
    "SSU_[0062]_AO100288_PHS": ("State", "luxes"),
    "SSU_[0062]_AI1000425_Shedtable": ("Power", "W"),
    "SSU_[0062]_AO1000425_ShReq": ("Power", "W"),
}


@pytest.fixture
def sensors(suite: SimulatorSuite) -> dict[str, dict[str, Any]]:
    with Caller(urlsplit(suite.url("skycentrics")).port or 0) as caller:
        return caller.sensors()


def test_a_gateway_prints_the_ids_types_and_units_of_a_microgrid(
    sensors: dict[str, dict[str, Any]],
) -> None:
    assert {
        key: (sensors[key]["type"], sensors[key]["units"]) for key in SENSORS if key in sensors
    } == SENSORS


def test_what_can_be_charged_and_discharged_are_together_the_capacity(
    sensors: dict[str, dict[str, Any]],
) -> None:
    room, stored, charge = (
        sensors[f"BESS_{name}"]["data"]
        for name in (
            "AVAILABLE_CHARGE_CAPACITY",
            "AVAILABLE_DISCHARGE_CAPACITY",
            "STATE_OF_CHARGE",
        )
    )
    assert room + stored == pytest.approx(256.5, abs=0.11)
    assert stored / 256.5 * 100 == pytest.approx(charge, abs=0.1)


def test_the_breaker_carries_both_inverters(sensors: dict[str, dict[str, Any]]) -> None:
    one, two = (sensors[f"SOLAR_INVERTER_{number}_ACTIVE_POWER"]["data"] for number in (1, 2))
    total = sensors["SOLAR_INVERTER_BREAKER_ACTIVE_POWER"]["data"]
    assert total == pytest.approx(one + two, abs=0.002)


TITLES = {
    "SN000001": {
        "Positive active energy",
        "Negative active energy",
        "Positive reactive energy",
        "Negative reactive energy",
        *("V1", "V2", "V3", "U12", "U23", "U31", "I1", "I2", "I3", "In"),
    },
    "SN000005": {"Positive active power", "Ea+", "Er+", "V1", "I1"},
}


@pytest.mark.parametrize("serial", TITLES)
def test_a_meter_prints_the_titles_of_the_vendors_document(
    suite: SimulatorSuite, serial: str
) -> None:
    soda = Soda(suite)
    device = next(one for one in soda.listing("/devices", take=50) if one["serialNumber"] == serial)
    variables = soda.get(f"/devices/{device['uuid']}/variables").json()["results"]
    assert TITLES[serial] <= {one["serviceTranslations"]["en"]["title"] for one in variables}
    factor = next(one for one in variables if one["serviceId"] == "130051")
    assert factor["unit"] == "NONE"
    assert {one["pollingTime"] for one in variables} == {300}


def test_a_ups_prints_titles_service_names_and_a_cadence_and_leaves_units_to_the_last_values(
    suite: SimulatorSuite,
) -> None:
    soda = Soda(suite)
    device = next(one for one in soda.listing("/devices", take=50) if "UPS" in one["name"])
    variables = soda.get(f"/devices/{device['uuid']}/variables").json()["results"]
    by_service = {one["serviceId"]: one for one in variables}
    (answer,) = soda.get(f"/devices/{device['uuid']}/last-values").json()["devices"]
    last = {one["serviceId"]: one for one in answer["values"]}
    expected = {
        "140100": ("Ups output global load rate", "IUpsOutput_Lr", "PERCENTAGE"),
        "140108": ("Ups output current L3", "I140108", "AMPERE"),
        "140120": ("Ups ambient temperature", "I140120", "CELSIUS"),
        "140121": ("Ups battery capacity", "I140121", "AMPERE_HOUR"),
        "140122": ("Ups battery negative voltage", "I140122", "VOLT"),
        "140141": ("Number of unit into the Ups", "I140141", None),
        "141935": (
            "Ups overload more than 5s Delta",
            "IUpsStatistic_OverLoadMore5s_Delta",
            None,
        ),
        "141937": ("Delta Ups hours on Inverter", "IUpsStatistic_HoursOnInverter_Delta", None),
        "141938": ("Delta Ups hours on Bypass", "IUpsStatistic_HoursOnBp_Delta", "HOUR"),
    }
    for service, (title, name, unit) in expected.items():
        variable = by_service[service]
        assert variable["serviceTranslations"]["en"]["title"] == title
        assert (variable["serviceName"], variable["unit"]) == (name, None)
        assert (last[service]["title"], last[service].get("unit")) == (title, unit)
        assert variable["pollingTime"] == (3_600 if service.startswith("1419") else 310)
        assert variable["isComputed"] == service.startswith("1419")


def test_a_valve_prints_what_it_counts_and_the_name_its_owner_gave_it(
    suite: SimulatorSuite,
) -> None:
    cloud = Cloud(suite)
    names = [one["displayName"] for one in cloud.devices(state="REGISTERED", limit=100)]
    assert "Energieventil Heizung 2.OG Sued-Ost" in names
    assert sum(name.startswith("Energieventil Heizung ") for name in names) >= 5
    profile = cloud.get("/definitions/dataprofiles/energyvalve3/1.2", expanded="true").json()
    texts = {
        one["id"]: one["featureValues"]["default.description"] for one in profile["datapoints"]
    }
    assert texts["evcloud.200"] == "Cooling Energy in J"
    assert texts["evcloud.210"] == "Heating Energy in J"
