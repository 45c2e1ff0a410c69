"""The Wattics streams of the demo: which points of the world go where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.simulators.wattics import WatticsStream
from energy_platform.simulators.world.bulk import BULK_SERIAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from energy_platform.simulators.wattics.streams import Reading
    from energy_platform.simulators.world import Device, World

GROUP: Final = "default"
"""Credential of every stream."""


def streams_of(world: World) -> Iterable[tuple[WatticsStream, dict[str, str]]]:
    """Return every stream and the point of each of its fields."""
    zones = {site.key: site.zone for site in world.sites}
    for device in world.of_vendor("socomec"):
        if device.serial.startswith(BULK_SERIAL):
            continue
        site = device.site
        for suffix, fields in _meter_fields(device):
            yield (
                WatticsStream(
                    id=f"{site}-{device.serial.lower()}{suffix}",
                    kind="electricity",
                    # Kolkata reports by the hour: its local hours begin at half past, UTC.
                    interval_s=3_600 if site == "kolkata" else 900,
                    reading="cumulative",
                    unit="Wh",
                    timezone=zones[site],
                    group=GROUP,
                ),
                fields,
            )
    for device in world.of_vendor("skycentrics"):
        points = {signal.address: signal.key for signal in device.signals}
        yield (
            WatticsStream(
                id=f"{device.site}-pv",
                kind="electricity",
                interval_s=900,
                timezone=zones[device.site],
                group=GROUP,
            ),
            {
                f"{field}_{number}": points[f"SOLAR_INVERTER_{number}_{what}"]
                for field, what in (("pC", "ENERGY"), ("aP", "ACTIVE_POWER"))
                for number in (1, 2)
            },
        )
    yield from _heat_streams(world, zones=zones)


def _heat_streams(
    world: World, *, zones: dict[str, str]
) -> Iterable[tuple[WatticsStream, dict[str, str]]]:
    """Single values: heat as a register, heat per interval, and averages."""
    valves = world.of_vendor("belimo")
    first = {site: next(one for one in valves if one.site == site) for site in zones}
    plan: tuple[tuple[str, str, str, Reading, str, int], ...] = (
        ("paris", "heat", "evcloud.210", "cumulative", "Wh", 900),
        ("paris", "cold", "evcloud.200", "per_interval", "Wh", 900),
        ("paris", "supply-temperature", "evcloud.150", "average", "°C", 900),
        ("los-angeles", "heat", "evcloud.210", "cumulative", "kWh", 900),
        ("los-angeles", "flow", "evcloud.130", "average", "m³/h", 900),
        ("kolkata", "cold", "evcloud.200", "per_interval", "kWh", 3_600),
    )
    for site, name, datapoint, reading, unit, interval in plan:
        yield (
            WatticsStream(
                id=f"{site}-valve-{name}",
                kind="value",
                interval_s=interval,
                reading=reading,
                unit=unit,
                timezone=zones[site],
                group=GROUP,
            ),
            {"value": f"belimo/{first[site].serial}/{datapoint}"},
        )


def _meter_fields(device: Device) -> Iterable[tuple[str, dict[str, str]]]:
    """Fields of the streams of one meter: its registers beside power, voltages and currents."""
    gauges: dict[str, str] = {}
    registers: list[str] = []
    names = {
        "active_power": "aP",
        "reactive_power": "rP",
        "apparent_power": "apP",
        "voltage": "v",
        "current": "c",
    }
    for signal in device.signals:
        name = names.get(signal.quantity)
        by_phase = signal.phase or signal.quantity not in {"voltage", "current"}
        if name is not None and signal.kind == "gauge" and by_phase:
            gauges[f"{name}_{signal.phase or 1}"] = signal.key
        elif signal.kind == "register" and not signal.quantity.startswith("reactive"):
            registers.append(signal.key)
    for number, key in enumerate(registers):
        suffix = "" if number == 0 else f"-{number + 1}"
        yield suffix, {"pC_1": key} | (gauges if number == 0 else {})
