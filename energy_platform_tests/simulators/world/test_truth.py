"""Properties of the world: what every figure of the platform is compared with."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_platform.simulators import demo_portfolio
from energy_platform.simulators.world import ORIGIN_S, Signal, World
from energy_platform.simulators.world.signals import RegisterModel

WORLD = World()
REGISTERS = [one for one in WORLD.signals.values() if one.kind == "register"]
ENERGY = [
    one
    for one in REGISTERS
    if "energy" in one.quantity and "word_swapped" not in one.traits and one.curve is not None
]
WH_PER_UNIT = {**demo_portfolio.WH_PER_UNIT, "VAR_HOUR": 1.0}

instants = st.integers(ORIGIN_S, 2_200_000_000)
sites = st.sampled_from([site.key for site in WORLD.sites])


@settings(deadline=None, max_examples=60)
@given(sites, st.lists(instants, min_size=3, max_size=3, unique=True))
def test_the_energy_of_two_neighbouring_windows_is_the_energy_of_both(
    site: str, bounds: list[int]
) -> None:
    first, middle, last = sorted(bounds)
    parts = WORLD.site_energy_wh(site, first, middle) + WORLD.site_energy_wh(site, middle, last)
    assert parts == pytest.approx(WORLD.site_energy_wh(site, first, last), rel=1e-9, abs=1e-3)


@settings(deadline=None, max_examples=60)
@given(sites, instants, st.integers(60, 400 * 86_400))
def test_a_sites_use_is_import_minus_export_plus_generation_plus_discharge_minus_charge(
    site: str, start: int, length: int
) -> None:
    place, end = WORLD.site(site), start + length
    balance = (
        place.imported.energy_wh(start, end)
        - place.exported.energy_wh(start, end)
        + place.solar.energy_wh(start, end)
        + place.discharge.energy_wh(start, end)
        - place.charge.energy_wh(start, end)
    )
    assert balance == pytest.approx(WORLD.site_energy_wh(site, start, end), rel=1e-9, abs=1e-3)


@pytest.mark.parametrize("site", [site.key for site in WORLD.sites])
def test_the_closed_form_is_the_integral_of_the_power(site: str) -> None:
    start = int(datetime(2031, 7, 9, tzinfo=UTC).timestamp())
    for curve in (WORLD.site(site).use, WORLD.site(site).solar, WORLD.site(site).imported):
        middles = np.arange(start, start + 86_400) + 0.5
        summed = float(curve.power_w(middles).sum()) / 3600
        assert curve.energy_wh(start, start + 86_400) == pytest.approx(summed, rel=1e-7)


@pytest.mark.parametrize("site", [site.key for site in WORLD.sites])
def test_no_main_meter_ever_runs_backwards(site: str) -> None:
    year = np.arange(1_735_689_600.0, 1_735_689_600.0 + 366 * 86_400, 900.0)
    for curve in (WORLD.site(site).imported, WORLD.site(site).exported, WORLD.site(site).use):
        assert curve.power_w(year).min() >= 0.0


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(ENERGY), instants, st.integers(1, 40))
def test_a_register_gains_what_truly_flowed_to_within_a_count(
    signal: Signal, start: int, days: int
) -> None:
    samples = signal.samples(start, start + days * 86_400)
    if samples.at.size < 2:
        return
    factor = WH_PER_UNIT[signal.unit]
    gained = float(samples.values[-1] - samples.values[0]) * factor
    truth = signal.true_energy_wh(float(samples.at[0]), float(samples.at[-1]))
    count = factor / 10**signal.decimals
    assert abs(gained - truth) <= count * 1.001 + 1e-3


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(REGISTERS), instants)
def test_the_differences_of_a_register_add_up_exactly_in_its_own_counts(
    signal: Signal, start: int
) -> None:
    model = signal.model
    assert isinstance(model, RegisterModel)
    counts = model.counts(signal.cadence.stamps(start, start + 3 * 86_400))
    if counts.size:
        steps = np.diff(counts)
        assert steps.min(initial=0) >= 0
        assert int(steps.sum()) == int(counts[-1]) - int(counts[0])
        assert int(counts[-1]) < 2**53


def test_the_energy_of_each_sites_meters_is_its_use() -> None:
    """Main, generation and storage registers of all vendors give the truth within 0.5 %."""
    start = datetime(2026, 3, 28, 23, tzinfo=UTC).timestamp()
    sign = {
        "active_energy_import": 1,
        "active_energy_export": -1,
        "generation_energy": 1,
        "battery_energy_discharge": 1,
        "battery_energy_charge": -1,
    }
    for site in WORLD.sites:
        total = 0.0
        for signal in ENERGY:
            if signal.site == site.key and signal.role in {"main", "generation", "storage"}:
                samples = signal.samples(start, start + 86_400)
                gained = float(samples.values[-1] - samples.values[0]) * WH_PER_UNIT[signal.unit]
                total += sign[signal.quantity] * gained
        truth = WORLD.site_energy_wh(site.key, start, start + 86_400)
        assert total == pytest.approx(truth, rel=0.005), site.key


def test_an_increment_service_reports_what_its_register_gained_since_the_sample_before() -> None:
    increments = WORLD.signals["socomec/SN000002/Global|0|130111"].samples(1.767e9, 1.7672e9)
    register = WORLD.signals["socomec/SN000002/Global|0|130101"].samples(1.767e9, 1.7672e9)
    assert increments.at.tolist() == register.at.tolist()
    assert increments.values[1:].tolist() == np.diff(register.values).tolist()


def test_a_temperature_has_no_energy() -> None:
    signal = next(one for one in WORLD.signals.values() if one.quantity == "temperature")
    with pytest.raises(ValueError, match="has no energy"):
        signal.true_energy_wh(0, 1)


def test_the_world_holds_what_the_design_asks_for() -> None:
    socomec = WORLD.of_vendor("socomec")
    assert sum(device.gateway is not None for device in socomec) >= 12
    assert len(WORLD.of_vendor("belimo")) >= 25
    skycentrics = WORLD.of_vendor("skycentrics")
    assert len(skycentrics) == 2
    assert all(len(device.signals) >= 59 for device in skycentrics)
    zones = {site.zone for site in WORLD.sites}
    assert zones == {"Europe/Paris", "America/Los_Angeles", "Asia/Kolkata"}


def test_the_swapped_battery_counters_are_implausible_multiples_of_65536() -> None:
    swapped = [one for one in WORLD.signals.values() if "word_swapped" in one.traits]
    assert len(swapped) == 4
    for signal in swapped:
        values = signal.samples(1.767e9, 1.767e9 + 86_400).values
        assert (values % 65_536 == 0).all()
        assert values.min() > 1e8
