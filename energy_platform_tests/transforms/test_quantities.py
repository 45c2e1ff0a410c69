"""Quantities: each has a unit, and what counts is told apart from what is measured."""

from __future__ import annotations

from typing import get_args

from energy_platform.schemas import Quantity
from energy_platform.transforms.quantities import (
    CONSUMPTION_QUANTITIES,
    ENERGY_QUANTITIES,
    REGISTER_QUANTITIES,
)
from energy_platform.transforms.units import ANY_UNIT, CANONICAL_UNITS


def test_a_quantity_has_a_unit_or_takes_any() -> None:
    assert CANONICAL_UNITS.keys() | ANY_UNIT == set(get_args(Quantity))
    assert not CANONICAL_UNITS.keys() & ANY_UNIT


def test_what_is_counted_is_energy_or_consumption_and_never_both() -> None:
    assert not ENERGY_QUANTITIES & CONSUMPTION_QUANTITIES
    assert REGISTER_QUANTITIES <= ENERGY_QUANTITIES | CONSUMPTION_QUANTITIES
    assert set(get_args(Quantity)) >= ENERGY_QUANTITIES | CONSUMPTION_QUANTITIES


def test_energy_flows_and_what_a_storage_holds_does_not() -> None:
    assert {
        "input_energy",
        "output_energy",
        "active_energy_import",
        "active_energy_export",
        "active_energy_net",
        "generation_energy",
        "battery_energy_charge",
        "battery_energy_discharge",
        "heating_energy",
        "cooling_energy",
    } == ENERGY_QUANTITIES
