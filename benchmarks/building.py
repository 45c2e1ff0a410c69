"""What trees, virtual points and figures of devices cost, on 10,000 points.

    python -m benchmarks.building
    python -m benchmarks.building --points 1000 --rounds 5

Two lakes have the same raw days. One portfolio says only what is measured. The other one says what
stands behind what (every meter behind the main of its site), has a sum of each device and of each
site, and names valves, UPS, a battery and a plant at each site, so that flows and device figures
are made. Both are loaded, then days land one by one, then points are corrected one by one. Refresh,
build and publication are measured as in ``benchmarks.scale``, in turns; medians of the rounds.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import tempfile
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from benchmarks.scale import FIRST_DAY, PER_DEVICE, PER_SITE, QUARTERS, ZONES, RawDays, run_steps
from energy_platform.days import day_range
from energy_platform.lake.lake import Lake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from benchmarks.scale import Step

DEVICES: Final = PER_SITE // PER_DEVICE
"""Devices of a site."""

Kind = Literal["main", "plant", "battery", "ups", "valve", "meter"]


class Gauge(NamedTuple):
    """A point that is not a register.

    Attributes:
        quantity: Its name in the portfolio that names devices.
        unit: Its unit.
        low: Its least value.
        high: Its greatest one, in the middle of the day.
    """

    quantity: str
    unit: str
    low: float
    high: float


POINTS: Final[dict[Kind, tuple[str | Gauge, ...]]] = {
    "main": (),
    "plant": ("generation_energy",),
    "battery": (
        "battery_energy_charge",
        "battery_energy_discharge",
        Gauge("state_of_charge", "%", 10, 90),
    ),
    "ups": ("input_energy", "output_energy", Gauge("load_rate", "%", 20, 80)),
    "valve": (
        "heating_energy",
        Gauge("supply_temperature", "°C", 50, 70),
        Gauge("return_temperature", "°C", 40, 50),
        Gauge("volume_flow", "m³/h", 0, 4),
        Gauge("valve_position", "%", 0, 100),
    ),
    "meter": (),
}
"""The first points of each kind of device; all others are registers of active energy."""

ROLES: Final[dict[Kind, str]] = {
    "main": "main",
    "plant": "generation",
    "battery": "storage",
    "ups": "sub",
    "valve": "none",
    "meter": "sub",
}


def kind_of(place: int) -> Kind:
    """Return the kind of a device by its place at its site: of 50 there are ten valves."""
    first: tuple[Kind, ...] = ("main", "plant", "battery", "ups", "ups")
    if place < len(first):
        return first[place]
    return "valve" if place < len(first) + 10 else "meter"


def devices(points: int) -> Iterator[tuple[int, int, Kind]]:
    """Yield the number of each device, that of its site, and its kind."""
    for number in range(points // PER_DEVICE):
        site, place = divmod(number, DEVICES)
        yield number, site, kind_of(place)


def write_portfolio(path: Path, *, points: int, is_understood: bool) -> None:
    """Write the portfolio of either side.

    Args:
        path: The file.
        points: How many there are, whole sites of 500.
        is_understood: Whether it has trees, sums and named devices.
    """
    lines = ["version: 1", "sites:"]
    lines += [
        f"  - {{id: site-{n:04d}, name: S, timezone: {ZONES[n % 3]}}}"
        for n in range(points // PER_SITE)
    ]
    lines.append("devices:")
    for number, site, kind in devices(points):
        role = ROLES[kind] if is_understood or kind == "main" else "sub"
        lines.append(
            f"  - {{vendor: socomec, serial: SN{number:06d}, site: site-{site:04d}, name: Meter, "
            f"role: {role}, every: 15m, max_power_w: none, points: ["
        )
        for place in range(PER_DEVICE):
            own = POINTS[kind][place] if place < len(POINTS[kind]) else "active_energy_import"
            if isinstance(own, Gauge):
                quantity = own.quantity if is_understood else "other"
                said = f'quantity: {quantity}, kind: gauge, unit: "{own.unit}"'
            else:
                quantity = own if is_understood else "active_energy_import"
                said = f"quantity: {quantity}, unit: Wh"
                if is_understood and own == "active_energy_import" and kind in {"meter", "ups"}:
                    said += f', parent: "{_id(site * DEVICES, place)}"'
            lines.append(f'      {{key: "Global|{place}|140100", name: P{place}, {said}}},')
        lines.append("    ]}")
    if is_understood:
        lines += _sums(points)
    path.write_text("\n".join(lines) + "\n")


def _sums(points: int) -> Iterator[str]:
    """Yield the lines of a sum of each meter, and of all meters of each site."""
    for site in range(points // PER_SITE):
        meters = [n for n, at, kind in devices(points) if at == site and kind == "meter"]
        parts = {f"device-{n}": [_id(n, place) for place in range(PER_DEVICE)] for n in meters}
        yield (
            f"  - {{vendor: virtual, serial: site-{site:04d}, site: site-{site:04d}, name: Sums, "
            "points: ["
        )
        every = [one for own in parts.values() for one in own]
        for name, own in {**parts, "all": every}.items():
            of = ", ".join(f'"{one}"' for one in own)
            yield f"      {{key: {name}, name: Sum, quantity: active_energy_import, of: [{of}]}},"
        yield "    ]}"


def _id(device: int, place: int) -> str:
    return f"socomec/SN{device:06d}/Global|{place}|140100"


class BuildingDays(RawDays):
    """Writes raw days in which some points are gauges that rise until noon and fall again."""

    def __init__(self, lake: Lake, *, points: int) -> None:
        super().__init__(lake, registers=points)
        self._gauges = [
            (number * PER_DEVICE + place, own)
            for number, _, kind in devices(points)
            for place, own in enumerate(POINTS[kind])
            if isinstance(own, Gauge)
        ]

    def values(self) -> NDArray[np.float64]:
        """Return a row of quarter-hours for each point."""
        value = super().values()
        hill = 1 - np.abs(np.linspace(-1, 1, QUARTERS))
        noise = self._rng.random((len(self._gauges), QUARTERS)) * 0.1
        for row, (place, own) in enumerate(self._gauges):
            value[place] = own.low + (own.high - own.low) * (0.9 * hill + noise[row])
        return value


def measure(folder: Path, *, points: int, rounds: int) -> None:
    """Print what each kind of change costs on both sides, and the ratios."""
    last = (FIRST_DAY + timedelta(days=rounds)).isoformat()
    first, *more = day_range(FIRST_DAY.isoformat(), last)
    raws = {}
    for name in ("without", "with"):
        own = folder / name
        own.mkdir()
        write_portfolio(own / "portfolio.yaml", points=points, is_understood=name == "with")
        raws[name] = BuildingDays(Lake(own / "lake"), points=points)
        raws[name].write(first)
    compare("first day", folder, [first], change=lambda _: None)
    compare("one day more", folder, more, change=_each(raws, RawDays.write))
    compare("one corrected point", folder, more, change=_each(raws, RawDays.correct))


def _each(
    raws: dict[str, BuildingDays], change: Callable[[RawDays, str], None]
) -> Callable[[str], None]:
    """Return what makes the same change on both sides."""

    def make(day: str) -> None:
        for raw in raws.values():
            change(raw, day)

    return make


def compare(what: str, folder: Path, days: Sequence[str], *, change: Callable[[str], None]) -> None:
    """Change each day and run the steps on both sides in turns; print medians."""
    spent: dict[str, dict[str, list[Step]]] = {}
    for number, day in enumerate(days):
        change(day)
        for name in ("without", "with")[:: 1 if number % 2 else -1]:
            steps, whole = run_steps(folder=folder / name, memory=None)
            for step, one in {**steps, "all": whole}.items():
                spent.setdefault(step, {}).setdefault(name, []).append(one)
    for step, sides in spent.items():
        seconds = {name: median(one.seconds for one in found) for name, found in sides.items()}
        cpu = {name: median(one.cpu_s for one in found) for name, found in sides.items()}
        print(f"{what:<20} {step:<8} {_shown(seconds, 's')}   {_shown(cpu, 'cpu s')}", flush=True)


def _shown(spent: dict[str, float], unit: str) -> str:
    ratio = spent["with"] / spent["without"]
    return f"{spent['without']:7.1f} and {spent['with']:7.1f} {unit}, x {ratio:.2f}"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=int, default=10_000, help="whole sites of 500")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(f"{asked.points:,} points; without, and with trees, sums and devices", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), points=asked.points, rounds=asked.rounds)


if __name__ == "__main__":
    main()
