"""Power curves whose integral is known in closed form: the truth every other room is judged by."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ORIGIN_S: Final = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp())
"""Every register of the world began to count here; no sample is older."""

HOUR_S: Final = 3_600.0
DAY_S: Final = 86_400.0
WEEK_S: Final = 604_800.0
_HALF: Final = 0.5
YEAR_S: Final = 31_556_952.0
"""Mean Gregorian year, so that summer stays summer at any date."""


@dataclass(frozen=True, slots=True)
class Wave:
    """``amplitude_w * sin(2 pi (t - phase_s) / period_s)``, with t in epoch seconds."""

    amplitude_w: float
    period_s: float
    phase_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """Power over time: a constant, whole sine waves, and lobes (the positive halves of waves).

    Attributes:
        constant_w: Power that is always there, W.
        waves: Sine waves added to it.
        lobes: Waves of which only the positive half counts (solar production, a battery's
            charging); their integral is exact too.
    """

    constant_w: float = 0.0
    waves: tuple[Wave, ...] = ()
    lobes: tuple[Wave, ...] = ()

    def __add__(self, other: Curve) -> Curve:
        return Curve(
            constant_w=self.constant_w + other.constant_w,
            waves=_merge(self.waves + other.waves),
            lobes=_sum_equal(self.lobes + other.lobes),
        )

    def __sub__(self, other: Curve) -> Curve:
        return self + other * -1.0

    def __mul__(self, factor: float) -> Curve:
        return Curve(
            constant_w=self.constant_w * factor,
            waves=tuple(Wave(w.amplitude_w * factor, w.period_s, w.phase_s) for w in self.waves),
            lobes=tuple(Wave(w.amplitude_w * factor, w.period_s, w.phase_s) for w in self.lobes),
        )

    def power_w(self, at: npt.ArrayLike) -> Floats:
        """Power at epoch seconds ``at``, W."""
        t = np.asarray(at, dtype=np.float64)
        power = np.full(t.shape, self.constant_w)
        for wave in self.waves:
            power += wave.amplitude_w * np.sin((2 * np.pi / wave.period_s) * (t - wave.phase_s))
        for lobe in self.lobes:
            height = np.sin((2 * np.pi / lobe.period_s) * (t - lobe.phase_s))
            power += lobe.amplitude_w * np.maximum(height, 0.0)
        return power

    def energy_j(self, at: npt.ArrayLike) -> Floats:
        """Antiderivative of the power at epoch seconds ``at``, J; only differences mean something.

        Counted from ``ORIGIN_S`` so that doubles keep it exact to a hundredth of a joule.
        """
        t = np.asarray(at, dtype=np.float64)
        energy = self.constant_w * (t - ORIGIN_S)
        for wave in self.waves:
            scale = wave.amplitude_w * wave.period_s / (2 * np.pi)
            energy -= scale * np.cos((2 * np.pi / wave.period_s) * (t - wave.phase_s))
        for lobe in self.lobes:
            turns = (t - lobe.phase_s) / lobe.period_s
            whole = np.floor(turns)
            part = turns - whole
            risen = np.where(part < _HALF, 1.0 - np.cos(2 * np.pi * part), 2.0)
            before = 2.0 * (whole - np.floor((ORIGIN_S - lobe.phase_s) / lobe.period_s))
            energy += lobe.amplitude_w * lobe.period_s / (2 * np.pi) * (before + risen)
        return energy

    def energy_wh(self, start: float, end: float) -> float:
        """Exact energy of [start, end) in epoch seconds, Wh."""
        joules = self.energy_j(np.array([start, end]))
        return float(joules[1] - joules[0]) / HOUR_S


def _merge(waves: tuple[Wave, ...]) -> tuple[Wave, ...]:
    """One wave per period: the sum of sines of one period is a sine of it."""
    vectors: dict[float, complex] = {}
    for wave in waves:
        turn = cmath.exp(-2j * math.pi * math.fmod(wave.phase_s, wave.period_s) / wave.period_s)
        vectors[wave.period_s] = vectors.get(wave.period_s, 0j) + wave.amplitude_w * turn
    return tuple(
        Wave(abs(vector), period, -cmath.phase(vector) * period / (2 * math.pi))
        for period, vector in vectors.items()
        if vector
    )


def _sum_equal(lobes: tuple[Wave, ...]) -> tuple[Wave, ...]:
    """One lobe per period and phase."""
    heights: dict[tuple[float, float], float] = {}
    for lobe_ in lobes:
        at = (lobe_.period_s, lobe_.phase_s)
        heights[at] = heights.get(at, 0.0) + lobe_.amplitude_w
    return tuple(Wave(height, *at) for at, height in heights.items() if height)


def load(
    mean_w: float,
    *,
    solar_offset_s: float,
    daily: float = 0.35,
    weekly: float = 0.1,
    yearly: float = 0.05,
    busiest_hour: float = 14.0,
) -> Curve:
    """A building load that never falls to zero.

    Args:
        mean_w: Mean power, W.
        solar_offset_s: Seconds the site's solar time is ahead of UTC.
        daily: Height of the day's swing, as a share of the mean.
        weekly: Height of the week's swing (Wednesday high, weekend low).
        yearly: Height of the year's swing, highest in mid January.
        busiest_hour: Solar hour of the daily maximum.
    """
    # sin peaks a quarter period after its phase; ORIGIN_S is a Thursday at 00:00 UTC.
    day_phase = busiest_hour * HOUR_S - solar_offset_s - DAY_S / 4
    return Curve(
        constant_w=mean_w,
        waves=(
            Wave(mean_w * daily, DAY_S, day_phase),
            Wave(mean_w * daily * 0.3, DAY_S / 2, day_phase - 1.5 * HOUR_S),
            Wave(mean_w * daily * 0.1, DAY_S / 6, day_phase),
            Wave(mean_w * weekly, WEEK_S, ORIGIN_S - 0.5 * DAY_S - WEEK_S / 4 - solar_offset_s),
            Wave(mean_w * yearly, YEAR_S, ORIGIN_S + 15 * DAY_S - YEAR_S / 4),
        ),
    )


def lobe(peak_w: float, *, first_hour: float, solar_offset_s: float) -> Curve:
    """Twelve hours of a half sine each day from ``first_hour`` (solar time), nothing otherwise."""
    return Curve(lobes=(Wave(peak_w, DAY_S, first_hour * HOUR_S - solar_offset_s),))
