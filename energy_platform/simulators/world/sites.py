"""The three sites and the physics of each: what is used, produced, stored, heated and cooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from energy_platform.simulators.world.curves import (
    DAY_S,
    HOUR_S,
    ORIGIN_S,
    YEAR_S,
    Curve,
    Floats,
    Wave,
    load,
    lobe,
)

EXPORT_SHARE: Final = 0.25
"""Part of the solar production that leaves through the main meter.

The main meters count per phase, so import and export run at the same time, as real ones do.
"""

BATTERY_EFFICIENCY: Final = 0.9
"""Energy discharged per energy charged."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site of the world.

    Attributes:
        key: Short name, used in every key.
        name: Readable name.
        zone: IANA time zone.
        country: ISO code.
        city: City.
        latitude: Degrees north.
        longitude: Degrees east.
        solar_offset_s: Seconds its solar time is ahead of UTC.
        loads: Named electrical loads, all measured by sub meters except ``rest``.
        solar: Production of the photovoltaic plant.
        charge: Power into the battery.
        discharge: Power out of the battery.
        phase_s: Instant at which a day's charging begins, seconds after midnight UTC.
    """

    key: str
    name: str
    zone: str
    country: str
    city: str
    latitude: float
    longitude: float
    solar_offset_s: float
    loads: dict[str, Curve]
    solar: Curve
    charge: Curve
    discharge: Curve
    phase_s: float

    @property
    def use(self) -> Curve:
        """What the site consumes: the sum of its loads, whoever supplies it."""
        return sum(self.loads.values(), Curve())

    @property
    def exported(self) -> Curve:
        """Power out through the main meter."""
        return self.solar * EXPORT_SHARE

    @property
    def imported(self) -> Curve:
        """Power in through the main meter: use + export + charge - generation - discharge."""
        return self.use + self.exported + self.charge - self.solar - self.discharge

    def state_of_charge(self, at: Floats) -> Floats:
        """Charge of the battery at epoch seconds, %: up while it charges, down afterwards."""
        return 55.0 - 35.0 * np.cos(2 * np.pi * (at - self.phase_s) / DAY_S)

    def outdoor_c(self, at: Floats) -> Floats:
        """Outdoor temperature at epoch seconds, degrees Celsius."""
        warm = 14.0 if self.key != "kolkata" else 27.0
        year = np.sin(2 * np.pi * (at - ORIGIN_S - 115 * DAY_S) / YEAR_S)
        day = np.sin(2 * np.pi * (at + self.solar_offset_s - 9 * HOUR_S) / DAY_S)
        return np.asarray(warm + 8.0 * year + 4.0 * day, dtype=np.float64)


def build_sites() -> tuple[Site, ...]:
    """The three sites, always the same."""
    return (
        _site(
            key="paris",
            name="Paris office",
            zone="Europe/Paris",
            country="FR",
            city="Paris",
            latitude=48.857,
            longitude=2.352,
            solar_offset_h=1.0,
            loads_w={"ups": 14_000.0, "hvac": 38_000.0, "rest": 61_000.0},
            solar_peak_w=42_000.0,
            charge_peak_w=18_000.0,
        ),
        _site(
            key="los-angeles",
            name="Los Angeles campus",
            zone="America/Los_Angeles",
            country="US",
            city="Los Angeles",
            latitude=34.052,
            longitude=-118.244,
            solar_offset_h=-8.0,
            loads_w={"ups": 22_000.0, "chiller": 64_000.0, "charging": 31_000.0, "rest": 98_000.0},
            solar_peak_w=88_000.0,
            charge_peak_w=36_000.0,
        ),
        _site(
            key="kolkata",
            name="Kolkata plant",
            zone="Asia/Kolkata",
            country="IN",
            city="Kolkata",
            latitude=22.573,
            longitude=88.364,
            solar_offset_h=5.5,
            loads_w={"ups": 9_000.0, "lighting": 17_000.0, "rest": 72_000.0},
            solar_peak_w=35_000.0,
            charge_peak_w=14_000.0,
        ),
    )


def _site(
    *,
    key: str,
    name: str,
    zone: str,
    country: str,
    city: str,
    latitude: float,
    longitude: float,
    solar_offset_h: float,
    loads_w: dict[str, float],
    solar_peak_w: float,
    charge_peak_w: float,
) -> Site:
    offset = solar_offset_h * HOUR_S
    loads = {
        load_name: load(
            mean,
            solar_offset_s=offset,
            daily=0.12 if load_name == "ups" else 0.28,
            busiest_hour=11.0 + 1.5 * number,
        )
        for number, (load_name, mean) in enumerate(loads_w.items())
    }
    return Site(
        key=key,
        name=name,
        zone=zone,
        country=country,
        city=city,
        latitude=latitude,
        longitude=longitude,
        solar_offset_s=offset,
        loads=loads,
        solar=_solar(solar_peak_w, offset=offset),
        charge=lobe(charge_peak_w, first_hour=8.0, solar_offset_s=offset),
        discharge=lobe(charge_peak_w * BATTERY_EFFICIENCY, first_hour=20.0, solar_offset_s=offset),
        phase_s=8.0 * HOUR_S - offset,
    )


def _solar(peak_w: float, *, offset: float) -> Curve:
    return lobe(peak_w, first_hour=6.0, solar_offset_s=offset)


def heat_load(peak_w: float, *, site: Site, season: float, number: int) -> Curve:
    """Thermal power through one valve, never below zero.

    Args:
        peak_w: Largest thermal power, W.
        site: Where it is.
        season: +1 for heating (most in winter), -1 for cooling (most in summer).
        number: Running number, so that valves differ.
    """
    mean = peak_w / 2
    return Curve(
        constant_w=mean,
        waves=(
            Wave(season * mean * 0.55, YEAR_S, ORIGIN_S + (15 + number) * DAY_S - YEAR_S / 4),
            Wave(mean * 0.3, DAY_S, (6 + number % 5) * HOUR_S - site.solar_offset_s),
            Wave(mean * 0.08, DAY_S / 3, number * 600.0),
        ),
    )
