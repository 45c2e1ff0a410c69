"""The portfolio as the platform uses it: every point with all that was inherited.

No YAML and no pydantic: the rest of the platform asks these records and frames.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from energy_platform.days import day_bounds
from energy_platform.identity import device_id
from energy_platform.portfolio.occupancy import OCCUPANCY_COLUMNS, days_of_spans
from energy_platform.schemas import INSTANT, VIRTUAL
from energy_platform.transforms.policy import CounterPolicy
from energy_platform.transforms.quantities import ENERGY_QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Literal

    from energy_platform.portfolio.model import Confidence, Correction, Device, Site, Stream
    from energy_platform.schemas import Carrier, Kind, Phase, Quantity, Role, Vendor


_SURENESS: Final[tuple[Confidence, ...]] = ("low", "medium", "high")
"""From the least sure to the surest."""


def weakest(*guesses: Confidence | None) -> Confidence | None:
    """Return the least sure of some guesses; None when every one of them is confirmed."""
    return min((one for one in guesses if one is not None), key=_SURENESS.index, default=None)


class Part(NamedTuple):
    """A point within a virtual one, and how often it is counted."""

    point_id: str
    factor: float


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point of one device, with its policy.

    Attributes:
        point_id: ``vendor/serial/key``, stable across a device's transfer.
        unit: Unit the vendor counts in; None where each row says its own.
        every: Expected time between two samples; None when unknown.
        stamped_at: Which end of its period an increment is stamped at.
        width: Length of an increment's period, None where it is not stated.
        policy: How its register is to be read.
        until: From when on it is out of service; None while it is in service.
        is_read: Whether its device is read at all.
        confidence: How sure the weakest guess of ``discover`` is that the point rests on (its own
            entry, its device's, its site's); None when an operator has confirmed them all.
        parent: The first instrument of the load that its load stands behind; None at the top.
        same_as: The first instrument of its load; None where it is that itself.
        accuracy_percent: Its largest error by its class, None where it is not known.
        of: Of a virtual point the parts as the portfolio names them.
        leaves: Of a virtual point the points that are measured, behind virtual parts as well.
        constant_w: Constant power that is added to the leaves.
        leaf_stamps: Of a virtual point the stamps of its leaves.
    """

    point_id: str
    vendor: Vendor
    serial: str
    key: str
    site_id: str
    device_name: str
    name: str
    quantity: Quantity
    unit: str | None
    kind: Kind
    phase: Phase
    carrier: Carrier | None
    role: Role
    sign: int
    states: tuple[tuple[str, float], ...]
    every: timedelta | None
    stamped_at: Literal["start", "end"]
    width: timedelta | None
    maximum: float | None
    rated_capacity_wh: float | None
    energy_from_power: bool
    policy: CounterPolicy
    until: datetime | None = None
    is_read: bool = True
    confidence: Confidence | None = None
    parent: str | None = None
    same_as: str | None = None
    accuracy_percent: float | None = None
    of: tuple[Part, ...] = ()
    leaves: tuple[Part, ...] = ()
    constant_w: float = 0.0
    leaf_stamps: tuple[str, ...] = ()

    @property
    def is_virtual(self) -> bool:
        """Whether the point is computed from others."""
        return self.vendor == VIRTUAL

    @property
    def device_id(self) -> str:
        """``vendor/serial``."""
        return device_id(self.vendor, self.serial)

    @property
    def is_energy(self) -> bool:
        """Whether the point counts watt-hours."""
        return self.quantity in ENERGY_QUANTITIES

    def stamp(self) -> str:
        """Return a digest that changes when anything that shapes its data changes."""
        shape: tuple[Any, ...] = (
            self.point_id,
            self.quantity,
            self.unit,
            self.kind,
            self.sign,
            self.states,
            self.maximum,
            self.rated_capacity_wh,
            self.energy_from_power,
            self.stamped_at,
            self.width,
            self.policy.stamp(),
        )
        if self.is_virtual:
            shape += (self.leaves, self.constant_w, self.leaf_stamps)
        return hashlib.blake2b(repr(shape).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A span of one point in which refused energy is booked.

    Attributes:
        start: First instant, UTC.
        end: First instant after it, UTC.
        reason: Why, in the portfolio's words.
    """

    point_id: str
    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class Portfolio:
    """Sites, devices, points, corrections and streams, cross-checked.

    Attributes:
        sites: By id.
        points: By point id.
        streams: By stream id.
    """

    sites: Mapping[str, Site] = field(default_factory=dict)
    devices: Mapping[str, Device] = field(default_factory=dict)
    points: Mapping[str, Point] = field(default_factory=dict)
    corrections: tuple[Correction, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    streams: Mapping[str, Stream] = field(default_factory=dict)

    def zone_of(self, stream: Stream) -> str:
        """Return the IANA zone a stream's packets are stamped in."""
        return stream.timezone or self.sites[stream.site].timezone

    @cached_property
    def virtual_points(self) -> tuple[Point, ...]:
        """The points that are computed from others, by id."""
        found = (point for point in self.points.values() if point.is_virtual)
        return tuple(sorted(found, key=lambda point: point.point_id))

    def vendors_of(self, point: Point) -> tuple[Vendor, ...]:
        """Return whose data a point is made of: its vendor, or those of the leaves."""
        if not point.is_virtual:
            return (point.vendor,)
        return tuple(sorted({self.points[leaf.point_id].vendor for leaf in point.leaves}))

    def left_out(self, vendor: Vendor) -> frozenset[str]:
        """Return the serial numbers of a vendor's devices that are not to be read."""
        return frozenset(
            device.serial
            for device in self.devices.values()
            if device.vendor == vendor and not device.read
        )

    def keys_of(self, vendor: Vendor) -> dict[str, frozenset[str]]:
        """Return, per serial number of a vendor that is read, the vendor keys of its points."""
        found: dict[str, set[str]] = {}
        for device in self.devices.values():
            if device.vendor == vendor and device.read:
                found.setdefault(device.serial, set())
        for point in self.points.values():
            if point.vendor == vendor and point.serial in found:
                found[point.serial].add(point.key)
        return {serial: frozenset(keys) for serial, keys in found.items()}

    def policy_on(self, point_id: str, *, day: str) -> CounterPolicy:
        """Return a point's policy on a UTC day, with the corrections that touch the day."""
        point = self.points.get(point_id)
        policy = point.policy if point is not None else CounterPolicy()
        start, end = day_bounds(day)
        for correction in self._policy_corrections.get(point_id, ()):
            touches = (correction.start is None or correction.start < end) and (
                correction.end is None or correction.end > start
            )
            if touches and correction.policy is not None:
                policy = replace(policy, **correction.policy.settings())
        spans = tuple(
            (one.start, one.end)
            for one in self._accepted_of.get(point_id, ())
            if one.start < end and one.end > start
        )
        return replace(policy, accepted=spans) if spans else policy

    @cached_property
    def _accepted_of(self) -> dict[str, list[Accepted]]:
        found: dict[str, list[Accepted]] = {}
        for one in self.accepted:
            found.setdefault(one.point_id, []).append(one)
        return found

    @cached_property
    def _policy_corrections(self) -> dict[str, list[Correction]]:
        found: dict[str, list[Correction]] = {}
        for correction in self.corrections:
            if correction.policy is not None:
                for point_id in correction.points:
                    found.setdefault(point_id, []).append(correction)
        return found

    def points_frame(self) -> pl.DataFrame:
        """Return one row per point: what dim_point and the readings transform need."""
        rows = [
            {
                "point_id": point.point_id,
                "vendor": point.vendor,
                "serial": point.serial,
                "key": point.key,
                "device_id": point.device_id,
                "device_name": point.device_name,
                "site_id": point.site_id,
                "name": point.name,
                "quantity": point.quantity,
                "unit": point.unit,
                "kind": point.kind,
                "phase": point.phase,
                "carrier": point.carrier,
                "role": point.role,
                "sign": point.sign,
                "every_s": point.every.total_seconds() if point.every else None,
                "maximum": point.maximum,
                "rated_capacity_wh": point.rated_capacity_wh,
                "max_power_w": point.policy.max_power_w,
                "energy_from_power": point.energy_from_power,
                "until": point.until,
                "is_read": point.is_read,
                "confidence": point.confidence,
                "is_confirmed": point.confidence is None,
                "parent": point.parent,
                "same_as": point.same_as,
                "accuracy_percent": point.accuracy_percent,
                "resolution_wh": point.policy.resolution_wh,
            }
            for point in self.points.values()
        ]
        schema = {
            **dict.fromkeys(
                ("point_id", "vendor", "serial", "key", "device_id", "device_name", "site_id"),
                pl.String(),
            ),
            **dict.fromkeys(
                ("name", "quantity", "unit", "kind", "phase", "carrier", "role"), pl.String()
            ),
            "sign": pl.Int64(),
            **dict.fromkeys(
                ("every_s", "maximum", "rated_capacity_wh", "max_power_w"), pl.Float64()
            ),
            "energy_from_power": pl.Boolean(),
            "until": INSTANT,
            "is_read": pl.Boolean(),
            "confidence": pl.String(),
            "is_confirmed": pl.Boolean(),
            "parent": pl.String(),
            "same_as": pl.String(),
            "accuracy_percent": pl.Float64(),
            "resolution_wh": pl.Float64(),
        }
        return pl.DataFrame(rows, schema=schema)

    def increments_frame(self) -> pl.DataFrame:
        """Return one row per increment: point_id, width_s, stamp, timezone.

        ``timezone`` is the clock of periods of whole days, null for shorter ones.
        """
        rows = []
        for point in self.points.values():
            if point.kind != "increment":
                continue
            length = point.width or point.every
            is_days = length is not None and not length % timedelta(days=1)
            rows.append(
                {
                    "point_id": point.point_id,
                    "width_s": point.width.total_seconds() if point.width else None,
                    "stamp": point.stamped_at,
                    "timezone": self.sites[point.site_id].timezone if is_days else None,
                }
            )
        texts = dict.fromkeys(("stamp", "timezone"), pl.String())
        return pl.DataFrame(
            rows, schema={"point_id": pl.String(), "width_s": pl.Float64(), **texts}
        )

    def states_frame(self) -> pl.DataFrame:
        """Return one row per point and text state: point_id, text, value."""
        rows = [
            {"point_id": point.point_id, "text": text, "value": value}
            for point in self.points.values()
            for text, value in point.states
        ]
        return pl.DataFrame(
            rows, schema={"point_id": pl.String(), "text": pl.String(), "value": pl.Float64()}
        )

    def corrections_frame(self) -> pl.DataFrame:
        """Return one row per point and value correction, in the portfolio's order.

        Columns: ``point_id, start, end`` (half open, null: no bound), ``factor, offset, drop,
        reason``.
        """
        rows = [
            {
                "point_id": point_id,
                "start": correction.start,
                "end": correction.end,
                "factor": correction.factor,
                "offset": correction.offset,
                "drop": correction.drop,
                "reason": correction.reason,
            }
            for correction in self.corrections
            for point_id in correction.points
            if correction.drop or correction.factor is not None or correction.offset is not None
        ]
        schema = {
            "point_id": pl.String(),
            "start": INSTANT,
            "end": INSTANT,
            "factor": pl.Float64(),
            "offset": pl.Float64(),
            "drop": pl.Boolean(),
            "reason": pl.String(),
        }
        return pl.DataFrame(rows, schema=schema)

    def sites_frame(self) -> pl.DataFrame:
        """Return one row per site.

        Columns: ``site_id, name, timezone, country, floor_area_m2, holidays``, the last being whose
        public holidays count.
        """
        rows = [
            {
                "site_id": s.id,
                "name": s.name,
                "timezone": s.timezone,
                "country": s.country,
                "floor_area_m2": s.floor_area_m2,
                "holidays": s.holiday_region,
            }
            for s in self.sites.values()
        ]
        names = ("site_id", "name", "timezone", "country")
        schema = {
            **dict.fromkeys(names, pl.String()),
            "floor_area_m2": pl.Float64(),
            "holidays": pl.String(),
        }
        return pl.DataFrame(rows, schema=schema)

    def occupancy_frame(self) -> pl.DataFrame:
        """Return when sites are occupied: one row per site, weekday and span of its clock.

        Columns: ``site_id, weekday`` (Monday is 1), ``from_minute, until_minute`` of the day, and
        ``day_shift``: 1 for what goes on after midnight of a day that is the day before's.
        """
        rows = [
            (site.id, weekday, start, end, shift)
            for site in self.sites.values()
            for weekday, start, end, shift in days_of_spans(site.occupancy or ())
        ]
        schema = {"site_id": pl.String(), **dict.fromkeys(OCCUPANCY_COLUMNS, pl.Int64())}
        return pl.DataFrame(rows, schema=schema, orient="row")
