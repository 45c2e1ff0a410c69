"""Units of vendors: what they are converted to, and which are refused."""

from __future__ import annotations

from typing import get_args

import polars as pl
import pytest

from energy_platform.schemas import Quantity
from energy_platform.transforms.units import (
    ANY_UNIT,
    CANONICAL_UNITS,
    canonical,
    conversion,
    is_known,
)


def converted(value: float, unit: str | None, *, quantity: str) -> tuple[float, str] | None:
    how = conversion(unit, quantity=quantity)
    if how is None:
        return None
    column = pl.DataFrame({"said": [value]}).select(canonical(pl.col("said"), by=how)).to_series()
    return column.item(), how.unit


@pytest.mark.parametrize(
    ("value", "unit", "quantity", "expected"),
    [
        (3.5, "AMPERE", "current", (3.5, "A")),
        (2.25, "KILOWATT_HOUR", "active_energy_import", (2250.0, "Wh")),
        (1234.567, "kWh", "active_energy_import", (1_234_567.0, "Wh")),
        (7_200_000.0, "J", "heating_energy", (2000.0, "Wh")),
        (1.5, "kW", "active_power", (1500.0, "W")),
        (1500.0, "W", "active_power", (1500.0, "W")),
        (2.0, "kVAR", "reactive_power", (2000.0, "var")),
        (300.0, "luxes", "other", (300.0, "lx")),
        (40.0, "% of Wmax", "other", (40.0, "%")),
        (293.15, "K", "temperature", (20.0, "°C")),
        (5.0, "K", "temperature_difference", (5.0, "K")),
        (5.0, "°C", "temperature_difference", (5.0, "K")),
        (0.001, "m3/s", "volume_flow", (3.6, "m³/h")),
        (0.001, "m³/s", "volume_flow", (3.6, "m³/h")),
        (12.0, "m³", "volume", (12.0, "m³")),
        (95.0, "%", "power_factor", (0.95, "1")),
        (0.95, "", "power_factor", (0.95, "1")),
        (2.0, "HOUR", "operating_time", (7200.0, "s")),
        (18.0, "AMPERE_HOUR", "other", (18.0, "Ah")),
        (293.15, "K", "supply_temperature", (20.0, "°C")),
        (1.5, "bar", "pressure", (150_000.0, "Pa")),
        (45.0, "%RH", "humidity", (45.0, "%")),
        (40.0, "% of Wmax", "setpoint", (40.0, "%")),
        (21.0, "°C", "setpoint", (21.0, "°C")),
    ],
)
def test_units_of_the_vendors_become_canonical(
    value: float, unit: str, quantity: str, expected: tuple[float, str]
) -> None:
    found = converted(value, unit, quantity=quantity)
    assert found is not None
    assert found[1] == expected[1]
    assert found[0] == pytest.approx(expected[0], rel=1e-15, abs=1e-12)


@pytest.mark.parametrize(
    ("unit", "quantity"),
    [
        ("BTU", "active_energy_import"),
        ("kwh ?", "active_energy_import"),
        ("mW", "active_power"),
        (None, "active_energy_import"),
        ("", "active_power"),
        ("kWh", "active_power"),
        ("W", "active_energy_import"),
        ("°C", "voltage"),
    ],
)
def test_unknown_and_contradicting_units_are_never_guessed(unit: str | None, quantity: str) -> None:
    assert conversion(unit, quantity=quantity) is None


def test_a_known_unit_is_told_from_an_unknown_one() -> None:
    assert is_known("kWh")
    assert is_known("KILOWATT_HOUR")
    assert not is_known("furlong")
    assert not is_known(None)


def test_a_quantity_with_a_unit_of_its_own_has_one_that_converts_to_itself() -> None:
    assert set(CANONICAL_UNITS) == set(get_args(Quantity)) - ANY_UNIT
    for quantity, unit in CANONICAL_UNITS.items():
        assert converted(7.0, unit, quantity=quantity) == (7.0, unit)


def test_decimal_kilowatt_hours_are_whole_watt_hours_so_that_steps_stay_whole() -> None:
    how = conversion("kWh", quantity="active_energy_import")
    said = pl.DataFrame({"said": [n / 1000 for n in range(20_000)]})
    found = said.select(canonical(pl.col("said"), by=how)).to_series()
    assert found.to_list() == [float(n) for n in range(20_000)]
