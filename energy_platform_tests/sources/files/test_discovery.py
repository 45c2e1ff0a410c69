"""What discover proposes for files that nobody has mapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform.discovery import propose
from energy_platform.portfolio import parse_portfolio
from energy_platform.sources.files import pull
from energy_platform.sources.files.discovery import found_in_files
from energy_platform_tests.sources.files.exports import WATTICS
from energy_platform_tests.sources.files.test_intake import Inbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.discovery.vendor_inventory import ProposedPoint


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(tmp_path)
    yield made
    made.store.close()


def proposed(inbox: Inbox, logger: str = "m") -> dict[str, ProposedPoint]:
    inbox.look()
    found = found_in_files(pull.inventory(inbox.store, pull.loggers_of(inbox.folder)))
    return {one.key: one for one in found.devices[logger].points}


def quarters(name: str, values: list[float]) -> str:
    lines = [
        f"2026-02-{1 + n // 96:02} {n // 4 % 24:02}:{n % 4 * 15:02};{v}"
        for n, v in enumerate(values)
    ]
    return "\n".join([f"Time;{name}", *lines]) + "\n"


RISES = [1000 + 0.5 * n for n in range(96)]
WAVES = [1.25 + n % 7 * 0.5 for n in range(96)]


def test_kilowatt_hours_that_only_rise_are_a_register_to_confirm(inbox: Inbox) -> None:
    inbox.drop("m/a.csv", quarters("Halle [kWh]", RISES))
    point = proposed(inbox)["Halle [kWh]"]
    assert (point.quantity, point.unit, point.kind) == ("active_energy_import", "kWh", "register")
    assert "rose 95 times and fell 0" in point.confirm
    assert (point.confidence, point.role, point.every) == ("low", "none", 900)


def test_kilowatt_hours_that_rise_and_fall_are_energy_per_period_to_confirm(inbox: Inbox) -> None:
    inbox.drop("m/a.csv", quarters("Verbrauch kWh", WAVES))
    point = proposed(inbox)["Verbrauch kWh"]
    assert (point.kind, point.width) == ("increment", 900)
    assert "an amount per period of 15 minutes" in point.confirm
    assert "start of the period, or its end" in point.confirm


def test_powers_and_temperatures_are_gauges(inbox: Inbox) -> None:
    inbox.drop("m/a.csv", quarters("P total [kW]", WAVES))
    inbox.drop("n/a.csv", quarters("Aussen (°C)", WAVES))
    assert proposed(inbox)["P total [kW]"].quantity == "active_power"
    assert proposed(inbox, "n")["Aussen (°C)"].quantity == "outdoor_temperature"


def test_what_the_mapping_states_needs_no_confirmation(inbox: Inbox) -> None:
    inbox.drop(
        "m/mapping.yaml",
        "points:\n  x: {unit: kWh, kind: increment, width: 15m, stamp: start, "
        "quantity: generation_energy, name: Roof}\n",
    )
    inbox.drop("m/a.csv", quarters("x", WAVES))
    point = proposed(inbox)["x"]
    assert (point.quantity, point.kind, point.width) == ("generation_energy", "increment", 900)
    assert (point.stamp, point.name, point.confirm) == ("start", "Roof", "")
    assert point.confidence == "high"


def test_the_columns_of_wattics_are_known_by_phase(inbox: Inbox) -> None:
    inbox.drop("m/a.csv", WATTICS)
    points = proposed(inbox)
    energy = points["pC_1"]
    assert (energy.quantity, energy.unit, energy.kind, energy.phase) == (
        "active_energy_import",
        "Wh",
        "register",
        "L1",
    )
    assert (points["v_23"].quantity, points["v_23"].phase) == ("voltage", "L23")


def test_the_proposal_is_a_portfolio_that_loads(inbox: Inbox) -> None:
    inbox.drop("m/a.csv", quarters("Verbrauch kWh", WAVES))
    inbox.drop("n/mapping.yaml", "timezone: Europe/Paris\n")
    inbox.drop("n/a.csv", quarters("Halle [kWh]", RISES))
    inbox.look()
    found = found_in_files(pull.inventory(inbox.store, pull.loggers_of(inbox.folder)))
    text = propose(None, {"files": found}).after
    portfolio = parse_portfolio(text)
    assert portfolio.points["files/m/Verbrauch kWh"].kind == "increment"
    assert portfolio.points["files/n/Halle [kWh]"].kind == "register"
    assert portfolio.sites["n"].timezone == "Europe/Paris"
    assert text.count("TO CONFIRM") >= 4
