"""A large portfolio of meters for benchmarks: as many meters and services as asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.simulators.world.bulk import BULK_SERIAL
from energy_platform.simulators.world.curves import load
from energy_platform.simulators.world.devices import Device
from energy_platform.simulators.world.signals import Cadence, RegisterModel, Signal

if TYPE_CHECKING:
    from energy_platform.simulators.world.bulk import Bulk
    from energy_platform.simulators.world.sites import Site


def build_bulk(site: Site, *, bulk: Bulk, seed: int) -> tuple[Device, ...]:
    """The meters of ``bulk``: whole watt-hour registers ``Global|0|139001`` and following."""
    made: list[Device] = []
    for number in range(bulk.devices):
        serial = f"{BULK_SERIAL}{number + 1:06d}"
        cadence = Cadence(
            period_s=bulk.period_s, spread_s=bulk.spread_s, key=seed * 1_000 + 10_000 + number
        )
        signals: list[Signal] = []
        for service in range(bulk.services):
            address = f"Global|0|{139_001 + service}"
            curve = load(
                3_000.0 + (number * 37 + service * 11) % 5_000,
                solar_offset_s=site.solar_offset_s,
                busiest_hour=float(8 + number % 10),
            )
            signals.append(
                Signal(
                    key=f"socomec/{serial}/{address}",
                    vendor="socomec",
                    device=serial,
                    site=site.key,
                    address=address,
                    name=f"Circuit {service + 1} active energy",
                    quantity="active_energy_import",
                    kind="register",
                    unit="WATT_HOUR",
                    model=RegisterModel(
                        curve=curve, step_j=3_600.0, start_counts=1_000 * number + service
                    ),
                    cadence=cadence,
                    role="none",
                    label="Index",
                    decimals=0,
                )
            )
        made.append(
            Device(
                vendor="socomec",
                serial=serial,
                name=f"Circuit meter {number + 1}",
                site=site.key,
                model="DIRIS B-30",
                signals=tuple(signals),
            )
        )
    return tuple(made)
