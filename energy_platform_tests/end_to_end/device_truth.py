"""What devices of the simulators' world truly do over a window: closed forms, or fine sums of them.

Only the world is asked, never the platform's rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from energy_platform.simulators.world.signals import GaugeModel, RegisterModel

if TYPE_CHECKING:
    from datetime import datetime

    from energy_platform.simulators.world import Curve, Signal, World
    from energy_platform.simulators.world.curves import Floats

STEP_S = 5.0
"""Of the sums; the fastest wave of a valve takes two hours."""


class ValveTruth(NamedTuple):
    """A valve's energy, its difference weighted by it, and the share below a difference."""

    energy_wh: float
    energy_weighted_delta_t_k: float
    below_share: float


def valve_truth(
    world: World, device: str, *, start: datetime, end: datetime, below_k: float
) -> ValveTruth:
    """Return what a valve truly did."""
    at = _instants(start, end)
    heat, cold = (_curve(world, device, f"{name}_energy") for name in ("heating", "cooling"))
    power = heat.power_w(at) + cold.power_w(at)
    difference = _gauge(world, device, "temperature_difference", at)
    return ValveTruth(
        float(power.sum() * STEP_S / 3600),
        float((power * difference).sum() / power.sum()),
        float(power[difference < below_k].sum() / power.sum()),
    )


def load_truth(
    world: World, device: str, *, start: datetime, end: datetime
) -> tuple[float, float, float]:
    """Return the mean, the median and the 95th percentile of a UPS's true load rate, %."""
    rate = _gauge(world, device, "load_rate", _instants(start, end))
    return float(rate.mean()), float(np.quantile(rate, 0.5)), float(np.quantile(rate, 0.95))


def sufficiency_truth(
    world: World, site_key: str, *, start: datetime, end: datetime
) -> dict[str, float]:
    """Return the shares of a site whose load always exceeds what its plant keeps inside.

    A quarter of the production goes out; the load takes the rest, and the grid charges the battery.
    """
    site = next(one for one in world.sites if one.key == site_key)
    window = start.timestamp(), end.timestamp()
    load, made = site.use.energy_wh(*window), site.solar.energy_wh(*window)
    kept = made - site.exported.energy_wh(*window)
    return {
        "load_wh": load,
        "production_wh": made,
        "self_consumption": kept / made,
        "self_sufficiency": kept / load,
        "self_sufficiency_most": (kept + site.discharge.energy_wh(*window)) / load,
        "specific_yield_kwh_per_kwp": made / site.solar.lobes[0].amplitude_w,
    }


def capacity_truth(world: World, site_key: str) -> float:
    """Return what a full battery of a site would give, Wh: its day's discharge takes out 70 %."""
    site = next(one for one in world.sites if one.key == site_key)
    return site.discharge.energy_wh(0.0, 86_400.0) / 0.7


def _instants(start: datetime, end: datetime) -> Floats:
    return np.arange(start.timestamp() + STEP_S / 2, end.timestamp(), STEP_S)


def _signal(world: World, device: str, quantity: str) -> Signal:
    return next(
        one for one in world.signals.values() if one.device == device and one.quantity == quantity
    )


def _curve(world: World, device: str, quantity: str) -> Curve:
    model = _signal(world, device, quantity).model
    assert isinstance(model, RegisterModel)
    return model.curve


def _gauge(world: World, device: str, quantity: str, at: Floats) -> Floats:
    model = _signal(world, device, quantity).model
    assert isinstance(model, GaugeModel)
    return model.of(at)
