"""The rules a day is made by, as a refresh sees them: three functions and their versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

    from energy_platform.schemas import Vendor
    from energy_platform.transforms.policy import CounterPolicy


class ValidatedDay(NamedTuple):
    """Readings of a day.

    Attributes:
        frame: Rows of ``core_readings``.
        merged: Rows merged away, by kind of repetition.
    """

    frame: pl.DataFrame
    merged: Mapping[str, int]


class EnergyDay(NamedTuple):
    """Energy and consumption of a day: rows of the four tables."""

    deltas: pl.DataFrame
    consumption: pl.DataFrame
    state: pl.DataFrame
    rejects: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class ReadingsInput:
    """All that validating a day may depend on.

    Attributes:
        day: Partition key.
        raw: Rows of the raw day files, by vendor; vendors without a file are absent.
        points: One row per point of the portfolio, the columns ``READING_COLUMNS`` of
            ``config_fingerprints``.
        states: One row per point and text state.
        corrections: Value corrections that touch the day, cut to it.
    """

    day: str
    raw: Mapping[Vendor, pl.DataFrame]
    points: pl.DataFrame
    states: pl.DataFrame
    corrections: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class EnergyInput:
    """All that the energy of a day may depend on.

    Attributes:
        day: Partition key.
        readings: Rows of ``core_readings``.
        state: State at the end of the nearest earlier day, None before the first.
        points: One row per point that may become energy, the columns of
            ``config_fingerprints.ENERGY_COLUMNS``.
        policies: By point, as they hold on the day.
    """

    day: str
    readings: pl.DataFrame
    state: pl.DataFrame | None
    points: pl.DataFrame
    policies: Mapping[str, CounterPolicy] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Pure functions and their versions; a new version makes every day stale.

    Attributes:
        validate: Raw rows to readings.
        energy: Readings and the state before to energy and the state after.
        allocate: Deltas to intervals.
    """

    validate: Callable[[ReadingsInput], ValidatedDay]
    validate_version: str
    energy: Callable[[EnergyInput], EnergyDay]
    energy_version: str
    allocate: Callable[[pl.DataFrame], pl.DataFrame]
    allocate_version: str
