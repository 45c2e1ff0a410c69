"""The records that ``explain`` returns, and how a program reads them.

Amounts carry no unit in their names: they are in ``Explanation.unit``, watt-hours of an energy, the
point's own unit (m³, varh, s) of anything else that is counted. Only what is shown belongs here;
reading the lake is in ``chain``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ENERGY_UNIT: Final = "Wh"

_JSON_OF_ENERGY: Final = {
    "amount": "energy_wh",
    "estimated_amount": "estimated_wh",
    "refused_amount": "refused_wh",
    "register_start": "register_start_wh",
    "register_end": "register_end_wh",
    "register": "value_wh",
    "total": "total_wh",
}
"""Names of the columns of ``core_energy_deltas``, ``_intervals`` and ``core_register_state``."""

_JSON_OF_CONSUMPTION: Final = {
    "amount": "consumption",
    "estimated_amount": "estimated_consumption",
    "refused_amount": "refused",
}
"""Names of the columns of ``core_consumption_deltas`` and ``_intervals``."""


@dataclass(frozen=True, kw_only=True)
class RawRow:
    """A raw row: value, text and unit as the vendor said them."""

    value: float | None
    text: str | None
    unit: str | None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One instant of the point: its raw rows, the validated reading, and what became of it.

    Attributes:
        raw: Raw rows of the instant; more than one where the vendor repeated itself.
        value: The judged value in ``unit``; None where the day was not judged yet.
        decisions: What was decided about it, in order, each a sentence.
    """

    at: datetime
    raw: tuple[RawRow, ...]
    value: float | None
    unit: str | None
    status: str | None
    decisions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the register that touches the day: a row of the table of deltas.

    Attributes:
        file_day: UTC day of the file that holds it.
    """

    start_at: datetime
    end_at: datetime
    register_start: float | None
    register_end: float | None
    amount: float | None
    refused_amount: float | None
    status: str
    reason: str | None
    method: str
    dropped: int
    estimated: bool
    file_day: str
    description: str


@dataclass(frozen=True, kw_only=True)
class CarriedReading:
    """What the register carries over midnight UTC.

    Attributes:
        kind: good, previous, unconfirmed or zero.
        register: What the register showed.
        total: Amount since the first reading (good).
    """

    at: datetime
    register: float
    kind: str
    total: float | None


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What was counted in one 15-minute bucket: the sum over the files that bring any.

    Attributes:
        file_days: UTC days of those files.
    """

    start: datetime
    amount: float
    estimated_amount: float
    refused_amount: float
    covered_s: float
    file_days: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PartFigure:
    """What a part brings to a virtual point on the day.

    Attributes:
        factor: How often the part counts.
        amount: Energy of the part, or the mean of its readings; None where it has none.
        covered_s: Seconds of the day that are covered; None of a power.
    """

    point_id: str
    name: str
    factor: float
    amount: float | None
    covered_s: float | None


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The whole chain.

    Attributes:
        utc_days: UTC days whose raw files overlap the local day.
        policy: Settings of the register rule that differ from the defaults, by UTC day.
        learned: What the limit is learned from, as a sentence; empty where one is stated.
        corrections: What the portfolio changes on these days, each a sentence.
        before: What the register carried into the first of the UTC days.
        after: What it carries out of the last.
        unit: Unit of every amount: Wh of an energy.
        amount: What the day counted; None where nothing was counted, which is not 0.
        data_from: Beginning of the point's first interval of any day; only sought for a day
            without one, None where there is none at all.
        data_until: End of its last interval, likewise.
        closed_by: The first settled reading at or after the day's end; None while there is none.
        parts: Of a virtual point what it is made of, as the portfolio names it.
        constant_w: Of a virtual point the constant power in it, W.
        stale: Of the days involved, those that wait for a refresh, with what differs.
    """

    point_id: str
    name: str
    quantity: str
    unit: str
    site: str
    timezone: str
    local_day: str
    starts_at: datetime
    ends_at: datetime
    utc_days: tuple[str, ...]
    policy: dict[str, str]
    learned: str
    corrections: tuple[str, ...]
    before: tuple[CarriedReading, ...]
    samples: tuple[Sample, ...]
    steps: tuple[Step, ...]
    after: tuple[CarriedReading, ...]
    intervals: tuple[Contribution, ...]
    amount: float | None
    estimated_amount: float
    refused_amount: float
    covered_s: float
    expected_s: float
    data_from: datetime | None
    data_until: datetime | None
    closed_by: datetime | None
    stale: dict[str, list[str]]
    parts: tuple[PartFigure, ...] = ()
    constant_w: float = 0.0

    @property
    def is_energy(self) -> bool:
        """Whether the amounts are energy, and not consumption in a unit of their own."""
        return self.unit == ENERGY_UNIT

    def as_json(self) -> dict[str, Any]:
        """Return the chain for JSON, amounts named as in the tables of the lake."""
        names = _JSON_OF_ENERGY if self.is_energy else _JSON_OF_CONSUMPTION
        found: dict[str, Any] = _renamed(asdict(self), names)
        return found


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(one, names) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(one, names) for one in value]
    return value
