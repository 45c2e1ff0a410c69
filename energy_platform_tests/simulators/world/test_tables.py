"""Rows of a table become signals: what a row says, and what it may not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from energy_platform.simulators.world import ORIGIN_S, Cadence
from energy_platform.simulators.world.curves import Curve
from energy_platform.simulators.world.sites import build_sites
from energy_platform.simulators.world.tables import DeviceContext, build_signals, read_rows

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.simulators.world import Signal

HOURLY = Cadence(period_s=3_600, spread_s=1, key=1)
NUMBER = 3


def built(folder: Path, row: str, **words: object) -> Signal:
    """Build the signal of a file with this one row."""
    path = folder / "devices.yaml"
    path.write_text(f"defaults: {{label: Output}}\ntables: {{one: [{row}]}}\n", encoding="utf-8")
    device = DeviceContext(
        vendor="acme",
        serial="77",
        site=build_sites()[0],
        cadence=HOURLY,
        number=NUMBER,
        role="sub",
        curves={"load": Curve(constant_w=1_000.0)},
        functions={"doubled": lambda t: t * 2},
    )
    (signal,) = build_signals(read_rows(path)["one"], device, words=words)
    return signal


def shown(signal: Signal, *, hours: int = 3) -> list[float]:
    values = signal.samples(ORIGIN_S, ORIGIN_S + hours * 3_600).values.tolist()
    return [float(value) for value in values]


def test_a_register_counts_its_curve_from_where_its_row_and_its_device_say(tmp_path: Path) -> None:
    signal = built(
        tmp_path,
        '{name: "Meter {which}", quantity: active_energy_import, unit: kWh, register: load,'
        " step_j: 3600000, start: 5, start_each: 10, decimals: 0, role: device}",
        which=9,
    )
    assert (signal.key, signal.name, signal.label) == ("acme/77/Meter_9", "Meter 9", "Output")
    assert (signal.kind, signal.role, signal.unit) == ("register", "sub", "kWh")
    begins = 5 + 10 * (NUMBER + 1)
    assert shown(signal) == [begins, begins + 1, begins + 2]


@pytest.mark.parametrize(
    ("what", "kind", "values"),
    [
        ("gauge: doubled", "gauge", [2.0 * (ORIGIN_S + hour * 3_600) for hour in range(3)]),
        ("power: load, share: 0.5, per: 1000", "gauge", [0.5] * 3),
        ("constant: 7.5", "gauge", [7.5] * 3),
        ("increment: load, step_j: 3600000", "increment", [0.01] * 3),
        ("state: [4, 4]", "state", [4.0] * 3),
        ("state: [4, 4], kind: bitfield", "bitfield", [4.0] * 3),
    ],
)
def test_a_row_shows_what_it_names(
    tmp_path: Path, what: str, kind: str, values: list[float]
) -> None:
    signal = built(tmp_path, f"{{name: X, quantity: other, {what}}}")
    assert signal.kind == kind
    assert shown(signal) == values


def test_a_row_with_a_cadence_of_its_own_keeps_it(tmp_path: Path) -> None:
    signal = built(tmp_path, "{name: X, quantity: other, constant: 1, every_s: 1800}")
    assert np.diff(signal.samples(ORIGIN_S, ORIGIN_S + 7_200).at).tolist() == [1_800] * 3


@pytest.mark.parametrize("row", ["{name: X, quantity: other, gauges: load}", "{name: X}"])
def test_a_row_with_an_unknown_or_a_missing_key_is_refused(tmp_path: Path, row: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        built(tmp_path, row)


def test_a_row_that_names_nothing_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="laod"):
        built(tmp_path, "{name: X, quantity: other, register: laod}")
