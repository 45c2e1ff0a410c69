"""Quantities: each has a unit, and what counts is told apart from what is measured."""

from __future__ import annotations

from typing import get_args

from energy_platform.schemas import Quantity
from energy_platform.transforms.quantities import (
    CONSUMPTION_QUANTITIES,
    ENERGY_QUANTITIES,
    REGISTER_QUANTITIES,
)
from energy_platform.transforms.units import CANONICAL_UNITS


def test_every_quantity_but_other_has_a_unit() -> None:
    assert {*CANONICAL_UNITS, "other"} == set(get_args(Quantity))


def test_what_is_counted_is_energy_or_consumption_and_never_both() -> None:
    assert not ENERGY_QUANTITIES & CONSUMPTION_QUANTITIES
    assert REGISTER_QUANTITIES <= ENERGY_QUANTITIES | CONSUMPTION_QUANTITIES
    assert set(get_args(Quantity)) >= ENERGY_QUANTITIES | CONSUMPTION_QUANTITIES


def test_energy_is_what_a_site_is_billed_for() -> None:
    assert {
        "active_energy_import",
        "active_energy_export",
        "active_energy_net",
        "generation_energy",
        "battery_energy_charge",
        "battery_energy_discharge",
        "heating_energy",
        "cooling_energy",
    } == ENERGY_QUANTITIES
