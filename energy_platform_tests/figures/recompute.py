"""Every published figure of the scenario, computed again from its raw files in plain Python.

Nothing of the platform's transforms, calendars or SQL is used: files are read with pyarrow, local
days are those of ``zoneinfo``, registers are read with hindsight, knowing what comes after.
Instants are whole seconds since 1970.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import yaml

from energy_platform_tests.figures.scenario import LATE_DAYS, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Row = dict[str, Any]

QUARTER: Final = 900
CONFIRMED_BY: Final = 3
DIGITS_OF_PEAK: Final = 3
HOLD: Final = 7200
GAP: Final = 7200
FACTORS: Final = {
    "Wh": (1, 1),
    "kWh": (1000, 1),
    "J": (1, 3600),
    "kvarh": (1000, 1),
    "kW": (1000, 1),
}
FACTORS_OF_VOLUME: Final = {"l": (1, 1000), "m³": (1, 1)}
UNITS: Final = {
    "active_energy_import": "Wh",
    "active_energy_export": "Wh",
    "generation_energy": "Wh",
    "heating_energy": "Wh",
    "reactive_energy_import": "varh",
    "volume": "m³",
    "active_power": "W",
    "temperature": "°C",
    "state": "1",
}
NOT_ENERGY: Final = {"reactive_energy_import", "volume", "other"}


@dataclass
class Reading:
    """One raw sample."""

    at: int
    value: float | None
    text: str | None
    is_ok: bool = True
    is_corrected: bool = False


@dataclass
class Step:
    """What was counted between two readings."""

    start: int
    end: int
    amount: float | None
    status: str = "ok"
    refused: float = 0.0
    is_estimated: bool = False
    is_covered: bool = True


@dataclass
class PointOf:
    """One point of the portfolio, with its readings and steps."""

    vendor: str
    serial: str
    spec: Row
    device: Row
    site: Row
    readings: list[Reading] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    rejects: list[int] = field(default_factory=list)

    @property
    def point_id(self) -> str:
        return f"{self.vendor}/{self.serial}/{self.spec['key']}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.site["timezone"])

    @property
    def kind(self) -> str:
        if "kind" in self.spec:
            return str(self.spec["kind"])
        quantity = self.spec["quantity"]
        if quantity == "state":
            return "state"
        return "gauge" if quantity in {"active_power", "temperature"} else "register"

    @property
    def unit(self) -> str:
        return str(UNITS.get(self.spec["quantity"], self.spec.get("unit")))

    @property
    def role(self) -> str:
        return str(self.spec.get("role") or self.device.get("role") or "none")

    @property
    def carrier(self) -> str | None:
        return self.spec.get("carrier") or self.device.get("carrier")

    @property
    def every(self) -> int | None:
        text = self.spec.get("every") or self.device.get("every")
        return None if text is None else int(text[:-1]) * {"m": 60, "h": 3600}[text[-1]]

    @property
    def until(self) -> int | None:
        day = self.device.get("until")
        return None if day is None else midnight(day, self.zone)

    @property
    def method(self) -> str:
        return {"register": "register", "increment": "increment"}.get(self.kind, "power")

    @property
    def term(self) -> str | None:
        quantity = self.spec["quantity"]
        if quantity == "active_power":
            return (
                "charge" if self.role == "storage" and self.spec.get("energy_from_power") else None
            )
        own = {
            ("active_energy_import", "main"): "import",
            ("active_energy_export", "main"): "export",
            ("generation_energy", "generation"): "generation",
        }
        return "heating" if quantity == "heating_energy" else own.get((quantity, self.role))


def midnight(day: date, zone: ZoneInfo) -> int:
    """Return the second at which a local day begins."""
    return int(datetime.combine(day, time.min, tzinfo=zone).timestamp())


def local(at: int, zone: ZoneInfo) -> datetime:
    """Return the local wall time of a second, with its offset."""
    return datetime.fromtimestamp(at, tz=zone)


class Recomputed:
    """All figures of a scenario.

    Args:
        scenario: What happened.
        folder: Its data folder.
    """

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.end = int(scenario.end.timestamp())
        self.start = int(scenario.start.timestamp())
        self.portfolio = yaml.safe_load(scenario.portfolio)
        self.sites = {site["id"]: site for site in self.portfolio["sites"]}
        self.foreign_device_ids: list[tuple[str, Reading]] = []
        self.points = {
            point.point_id: point
            for device in self.portfolio["devices"]
            for spec in device["points"]
            for point in [
                PointOf(
                    device["vendor"], device["serial"], spec, device, self.sites[device["site"]]
                )
            ]
        }
        self._read(folder / "lake")
        for point in self.points.values():
            point.readings.sort(key=lambda one: one.at)
            self._step(point)
        self.quarters = {
            site["timezone"]: _quarters(ZoneInfo(site["timezone"]), self.start, self.end)
            for site in self.sites.values()
        }
        self.buckets = {
            point.point_id: self._spread(point) for point in self.points.values() if point.steps
        }
        self.daily: dict[tuple[str, date], Row] = {}

    def final_before(self, point: PointOf) -> int:
        return self.end - LATE_DAYS[point.vendor] * 86_400

    def horizon(self, point: PointOf) -> int:
        return min(self.end, point.until or self.end)

    # From raw files to steps

    def _read(self, lake: Path) -> None:
        for vendor, name in (
            ("socomec", "datapoints"), ("belimo", "samples"), ("skycentrics", "samples")
        ):  # fmt: skip
            for path in sorted((lake / f"raw_{vendor}__{name}").glob("day=*/part.parquet")):
                for row in pq.ParquetFile(path).read().to_pylist():
                    parts = {
                        "socomec": ("item_type", "item_index", "service_id"),
                        "belimo": ("datapoint_id",),
                        "skycentrics": ("sensor_id",),
                    }[vendor]
                    key = "|".join(row[part] for part in parts)
                    serial = row["device_id" if vendor == "skycentrics" else "serial_number"]
                    self._take(f"{vendor}/{serial}/{key}", row)

    def _take(self, point_id: str, row: Row) -> None:
        reading = Reading(int(row["at"].timestamp()), row["value"], row["value_text"])
        point = self.points.get(point_id)
        if point is None:
            self.foreign_device_ids.append((point_id, reading))
            return
        point.readings.append(reading)
        if point.kind == "state":
            reading.value = float(point.spec["states"][reading.text])
        elif reading.value is None:
            reading.is_ok = False
            return
        elif point.spec["quantity"] == "temperature":
            reading.value -= 273.15
        else:
            table = FACTORS_OF_VOLUME if point.spec["quantity"] == "volume" else FACTORS
            times, over = table.get(point.spec["unit"], (1, 1))
            reading.value = reading.value * times / over
        for entry in self.portfolio["corrections"]:
            begin, end = (midnight(entry[name], point.zone) for name in ("from", "to"))
            if point_id in entry["points"] and begin <= reading.at < end:
                reading.is_ok, reading.is_corrected = False, True

    def _step(self, point: PointOf) -> None:
        usable = [(one.at, one.value) for one in point.readings if one.is_ok]
        if point.kind == "register":
            point.steps = list(_register_steps(usable, point))  # type: ignore[arg-type]
        elif point.kind == "increment":
            every = point.every or 0
            before = -math.inf
            for at, value in usable:
                start = before if at - before <= 1.5 * every else at - every
                point.steps.append(Step(int(start), at, value))
                before = at
        elif point.spec.get("energy_from_power"):
            for (at, a), (to, b) in pairwise(usable):
                assert a is not None
                assert b is not None
                if to - at > GAP:
                    point.steps.append(Step(at, to, None, "gap", is_estimated=True))
                else:
                    point.steps.append(Step(at, to, (a + b) / 2 * (to - at) / 3600))
            if usable:
                point.steps.insert(0, Step(usable[0][0], usable[0][0], 0.0, "first"))

    # From steps to buckets and periods

    def _spread(self, point: PointOf) -> dict[int, Row]:
        found: dict[int, Row] = {}
        for step in point.steps:
            if step.amount is None or step.end == step.start:
                continue
            for begin in range(step.start // QUARTER * QUARTER, step.end, QUARTER):
                inside = min(step.end, begin + QUARTER) - max(step.start, begin)
                share = inside / (step.end - step.start)
                row = found.setdefault(
                    begin, {"amount": 0.0, "estimated": 0.0, "refused": 0.0, "covered_s": 0.0}
                )
                row["amount"] += step.amount * share
                row["estimated"] += step.amount * share * step.is_estimated
                row["refused"] += step.refused * share
                row["covered_s"] += inside * step.is_covered
        until = point.until or self.end
        return {at: row for at, row in sorted(found.items()) if at < until}

    def _figures(self, point: PointOf, rows: list[Row], begin: int, end: int) -> Row:
        """Return the columns that every period of a point has."""
        known = [row for row in rows if row["covered_s"] > 0 or row["amount"]]
        amount = math.fsum(row["amount"] for row in known) if known else None
        estimated = math.fsum(row["estimated"] for row in known) if known else None
        refused = math.fsum(row["refused"] for row in rows)
        covered = math.fsum(row["covered_s"] for row in rows)
        end = min(end, point.until or end)
        last = point.steps[-1].end
        past = end <= self.final_before(point)
        if refused:
            status = "disputed"
        elif last >= end:
            whole = "final" if covered >= 0.99 * (end - begin) else "partial"
            status = whole if past else "closed"
        else:
            status = "incomplete" if past else "open"
        share = estimated / amount if amount and estimated is not None else None
        found: Row = {"point_id": point.point_id, "site_id": point.site["id"]}
        found |= {"timezone": point.site["timezone"], "estimated_share": share}
        found |= {"covered_s": covered, "expected_s": end - begin, "status": status}
        found |= {"is_closed": last >= end, "is_final": status == "final"}
        found["method"] = point.method if rows else None
        if point.spec["quantity"] in NOT_ENERGY:
            unit = point.unit if rows else None
            found |= {"quantity": point.spec["quantity"], "unit": unit, "consumption": amount}
            return found | {"estimated_consumption": estimated, "refused": refused}
        kilo = None if amount is None else amount / 1000
        found |= {"energy_wh": amount, "energy_kwh": kilo, "estimated_wh": estimated}
        return found | {"refused_wh": refused, "refused_kwh": refused / 1000}

    def counted(self, grain: str, *, energy: bool) -> Iterator[Row]:
        """Yield the rows of ``fct_energy_<grain>`` or ``fct_consumption_<grain>``."""
        for point in self.points.values():
            if point.steps and (point.spec["quantity"] not in NOT_ENERGY) == energy:
                yield from getattr(self, f"_{grain}")(point)

    def _15min(self, point: PointOf) -> Iterator[Row]:
        for at, row in self.buckets[point.point_id].items():
            found = self._figures(point, [row], at, at + QUARTER)
            wall = local(at, point.zone)
            yield found | {
                "interval_start": at,
                "local_start": wall.replace(tzinfo=None),
                "utc_offset_s": _offset(wall),
                "local_day": wall.date(),
                "is_spike_reversal": False,
            }

    def _hourly(self, point: PointOf) -> Iterator[Row]:
        hours: dict[int, list[Row]] = defaultdict(list)
        quarters = self.quarters[point.site["timezone"]]
        for at, row in self.buckets[point.point_id].items():
            hours[quarters[at].hour_start].append(row)
        for begin, rows in hours.items():
            quarter = quarters[begin]
            found = self._figures(point, rows, begin, begin + quarter.hour_s)
            yield found | {
                "hour_start_at": begin,
                "local_hour": quarter.local_hour,
                "utc_offset_s": quarter.offset,
                "local_day": quarter.day,
            }

    def _days(self, point: PointOf) -> Iterator[tuple[date, int, int]]:
        """Yield the local days of a point: from its first step to where it is known."""
        first = point.steps[0].start
        day = local(first, point.zone).date()
        while (begin := midnight(day, point.zone)) < self.horizon(point):
            end = midnight(day + timedelta(days=1), point.zone)
            if end > first:
                yield day, begin, end
            day += timedelta(days=1)

    def _daily(self, point: PointOf) -> Iterator[Row]:
        of_day: dict[date, list[Row]] = defaultdict(list)
        quarters = self.quarters[point.site["timezone"]]
        for at, row in self.buckets[point.point_id].items():
            of_day[quarters[at].day].append(row)
        for day, begin, end in self._days(point):
            found = self._figures(point, of_day[day], begin, end) | {"local_day": day}
            found["covered_share"] = found["covered_s"] / found["expected_s"]
            self.daily[point.point_id, day] = found
            yield found

    def _weekly(self, point: PointOf) -> Iterator[Row]:
        yield from self._periods(point, "local_week", lambda d: d - timedelta(days=d.weekday()), 7)

    def _monthly(self, point: PointOf) -> Iterator[Row]:
        yield from self._periods(point, "local_month", lambda d: d.replace(day=1), 0)

    def _periods(
        self, point: PointOf, name: str, of: Callable[[date], date], days: int
    ) -> Iterator[Row]:
        quarters = self.quarters[point.site["timezone"]]
        rows: dict[date, list[Row]] = defaultdict(list)
        for at, row in self.buckets[point.point_id].items():
            rows[of(quarters[at].day)].append(row)
        seen: dict[date, int] = defaultdict(int)
        for day, _, _ in self._days(point):
            seen[of(day)] += 1
        for first, many in seen.items():
            after = first + timedelta(days=days) if days else _next_month(first)
            begin, end = midnight(first, point.zone), midnight(after, point.zone)
            found = self._figures(point, rows[first], begin, end) | {name: first, "days": many}
            found["covered_share"] = found["covered_s"] / found["expected_s"]
            yield found

    # Measurements and states

    def _held(self, point: PointOf) -> Iterator[tuple[Reading, int, int]]:
        """Yield what each usable reading holds, cut at quarter-hours."""
        usable = [one for one in point.readings if one.is_ok]
        for n, one in enumerate(usable):
            after = usable[n + 1].at if n + 1 < len(usable) else self.horizon(point)
            end = min(after, one.at + HOLD)
            begin = one.at
            while begin < end:
                piece = min(end, begin // QUARTER * QUARTER + QUARTER)
                yield one, begin, piece - begin
                begin = piece

    def measured(self, *, daily: bool) -> Iterator[Row]:
        """Yield the rows of ``fct_measurement_daily`` or ``fct_measurement_hourly``."""
        for point in self.points.values():
            if point.kind != "gauge":
                continue
            quarters = self.quarters[point.site["timezone"]]
            values: dict[Any, list[float]] = defaultdict(list)
            held: dict[Any, list[tuple[float, int]]] = defaultdict(list)

            def place(at: int, quarters: dict[int, _Quarter] = quarters) -> Any:
                quarter = quarters[at // QUARTER * QUARTER]
                return quarter.day if daily else quarter.hour_start

            for one in point.readings:
                if one.is_ok and one.value is not None:
                    values[place(one.at)].append(one.value)
            for one, at, seconds in self._held(point):
                if at // QUARTER * QUARTER in quarters and one.value is not None:
                    held[place(at)].append((one.value, seconds))
            for where in values.keys() | held.keys():
                row = _statistics(values[where], held[where])
                row |= {"point_id": point.point_id, "site_id": point.site["id"]}
                row |= {"timezone": point.site["timezone"], "unit": point.unit}
                if daily:
                    yield row | {"local_day": where}
                    continue
                quarter = quarters[where]
                row |= {"hour_start_at": where, "local_hour": quarter.local_hour}
                yield row | {"utc_offset_s": quarter.offset, "local_day": quarter.day}

    def states(self) -> Iterator[Row]:
        """Yield the rows of ``fct_state_daily``."""
        for point in self.points.values():
            if point.kind != "state":
                continue
            quarters = self.quarters[point.site["timezone"]]
            found: dict[tuple[date, float], Row] = {}

            def row_of(
                at: int, one: Reading, point: PointOf = point, found: dict[Any, Row] = found
            ) -> Row:
                day = local(at, point.zone).date()
                begin, end = (midnight(day + timedelta(days=n), point.zone) for n in (0, 1))
                assert one.value is not None
                row: Row = {"point_id": point.point_id, "site_id": point.site["id"]}
                row |= {"timezone": point.site["timezone"], "local_day": day}
                row |= {"state_value": one.value, "state_text": one.text, "samples": 0}
                row |= {"times_entered": 0, "duration_s": 0, "expected_s": end - begin}
                return found.setdefault((day, one.value), row)

            before: Reading | None = None
            for one in point.readings:
                row = row_of(one.at, one)
                row["samples"] += 1
                row["times_entered"] += before is not None and before.value != one.value
                before = one
            for one, at, seconds in self._held(point):
                if at // QUARTER * QUARTER in quarters:
                    row_of(at, one)["duration_s"] += seconds
            yield from found.values()

    # Quality

    def quality(self) -> Iterator[Row]:
        """Yield the rows of ``fct_quality_daily``."""
        zero = dict.fromkeys(
            ("received_samples", "quarantined_samples", "corrected_samples", "rejects", "gaps",
             "resets", "rollovers", "exchanges", "dips", "spike_reversals", "over_limit_steps",
             "refused_wh", "refused_consumption", "estimated_steps"), 0
        )  # fmt: skip
        names = {"gap": "gaps", "reset": "resets", "exchange": "exchanges"}
        for point in self.points.values():
            first = point.readings[0].at
            rows: dict[date, Row] = {}
            day = local(first, point.zone).date()
            while (begin := midnight(day, point.zone)) < self.horizon(point):
                end = midnight(day + timedelta(days=1), point.zone)
                every, lasts = point.every, min(end, self.horizon(point)) - max(begin, first)
                rows[day] = zero | {
                    "point_id": point.point_id,
                    "site_id": point.site["id"],
                    "timezone": point.site["timezone"],
                    "local_day": day,
                    "expected_samples": None if every is None else max(lasts // every, 0),
                }
                day += timedelta(days=1)
            for one in point.readings:
                row = rows[local(one.at, point.zone).date()]
                row["received_samples"] += 1
                row["quarantined_samples"] += not one.is_ok
                row["corrected_samples"] += one.is_corrected
            for at in point.rejects:
                rows[local(at, point.zone).date()]["rejects"] += 1
            for step in point.steps:
                row = rows.get(local(step.end, point.zone).date(), dict(zero))
                if step.status in names:
                    row[names[step.status]] += 1
                is_energy = point.spec["quantity"] not in NOT_ENERGY
                row["refused_wh" if is_energy else "refused_consumption"] += step.refused
                row["estimated_steps"] += step.is_estimated
            yield from rows.values()
        for point_id, one in self.foreign_device_ids:
            row = zero | {"point_id": point_id, "site_id": None, "timezone": "UTC"}
            row |= {"expected_samples": None, "received_samples": 1, "quarantined_samples": 1}
            yield row | {"local_day": datetime.fromtimestamp(one.at, tz=UTC).date()}

    # Sites

    def site_days(self) -> Iterator[Row]:
        """Yield the rows of ``mart_site_energy``; daily energy must have been made before."""
        signs = {"import": 1, "export": -1, "generation": 1, "charge": -1}
        for site_id, site in self.sites.items():
            members = [p for p in self.points.values() if p.term and p.site is site]
            zone = ZoneInfo(site["timezone"])
            for day in sorted({d for p in members for i, d in self.daily if i == p.point_id}):
                own = [p for p in members if (p.point_id, day) in self.daily]
                rows = {p.point_id: self.daily[p.point_id, day] for p in own}
                row: Row = {"site_id": site_id, "timezone": site["timezone"], "local_day": day}
                row["expected_s"] = midnight(day + timedelta(days=1), zone) - midnight(day, zone)
                for term in (*signs, "net", "discharge", "heating", "cooling"):
                    parts = [rows[p.point_id]["energy_wh"] for p in own if p.term == term]
                    amount = math.fsum(parts) if parts and None not in parts else None
                    row[f"{term}_wh"] = amount
                    row[f"{term}_kwh"] = None if amount is None else amount / 1000
                power = [p for p in own if p.term != "heating"]
                terms = {str(p.term) for p in power}
                unknown = [p for p in power if rows[p.point_id]["energy_wh"] is None]
                use = None
                if power and not unknown:
                    use = math.fsum(signs[term] * row[f"{term}_wh"] for term in terms)
                row |= {"site_use_wh": use, "site_use_kwh": None if use is None else use / 1000}
                said = [rows[p.point_id] for p in power]
                estimated = [r["estimated_wh"] for r in said if r["estimated_wh"] is not None]
                refused = math.fsum(r["refused_wh"] for r in said)
                methods = {r["method"] for r in said} - {None}
                row |= {
                    "estimated_wh": math.fsum(estimated) if estimated else None,
                    "refused_wh": refused,
                    "refused_kwh": refused / 1000,
                    "points_counted": len(power),
                    "points_unknown": len(unknown),
                    "method": "mixed" if len(methods) > 1 else next(iter(methods), None),
                    "is_closed": all(r["is_closed"] for r in said) if said else None,
                }
                heat = [p for p in own if p.term == "heating"]
                for name, of in (("", power), ("heating_", heat), ("cooling_", [])):
                    shares = [rows[p.point_id]["covered_share"] for p in of]
                    guesses = sum("confidence" in p.spec for p in of)
                    row[f"{name}least_covered_share"] = min(shares) if shares else None
                    row[f"{name}unconfirmed_points"] = guesses
                    row[f"{name}status"] = _least(
                        {rows[p.point_id]["status"] for p in of}, guesses=guesses
                    )
                row |= self._peak_of_day(site, day, row) | self._base_load(site, day, own)
                # The scenario says nothing of its buildings.
                row |= dict.fromkeys(("floor_area_m2", "use_kwh_per_m2"))
                row |= dict.fromkeys(("heating_kwh_per_m2", "cooling_kwh_per_m2"))
                yield row | {"is_final": row["status"] == "final"}

    def _peak_of_day(self, site: Row, day: date, row: Row) -> Row:
        """Return the peak of a site's local day, and what it is next to the mean."""
        quarters = self.quarters[site["timezone"]]
        mains = [p for p in self.points.values() if p.term == "import" and p.site is site]
        together: dict[int, list[Row]] = defaultdict(list)
        for point in mains:
            for at, bucket in self.buckets[point.point_id].items():
                if quarters[at].day == day:
                    together[at].append(bucket)
        (found,) = self._peaks("site", site["id"], site, together, wanted=len(mains))
        names = ("peak_w", "peak_kw", "peak_at", "peak_local_start", "peak_is_estimated")
        peak = {name: found[name] for name in names}
        at = peak["peak_at"]
        peak |= {"peak_ends_at": None, "peak_outdoor_temperature": None, "peak_points_share": None}
        if at is not None:
            power = self._electricity(site, day)
            known = sum((p.point_id, quarters[at].hour_start) in self._hours for p in power)
            peak |= {"peak_ends_at": at + QUARTER, "peak_points_share": known / len(power)}
        peak["peak_covered_share"] = found["buckets_counted"] * QUARTER / row["expected_s"]
        own = [self.daily[p.point_id, day] for p in mains if (p.point_id, day) in self.daily]
        whole = all(r["is_closed"] and r["covered_share"] >= 0.99 for r in own)
        peak["load_factor"] = None
        if own and whole and peak["peak_w"]:
            peak["load_factor"] = row["import_wh"] * 3600 / row["expected_s"] / peak["peak_w"]
        return peak

    def _electricity(self, site: Row, day: date) -> list[PointOf]:
        return [
            p
            for p in self.points.values()
            if p.term not in {None, "heating"}
            and p.site is site
            and (p.point_id, day) in self.daily
        ]

    @cached_property
    def _hours(self) -> dict[tuple[str, int], Row]:
        """The hours of all points that count for a site and have a figure, by their start."""
        return {
            (point.point_id, row["hour_start_at"]): row
            for point in self.points.values()
            if point.term and point.steps
            for row in self._hourly(point)
            if row["energy_wh"] is not None
        }

    def _base_load(self, site: Row, day: date, own: list[PointOf]) -> Row:
        """Return the lower quartile of the measured nights of a site's local day."""
        quarters = self.quarters[site["timezone"]]
        members = [p for p in self.points.values() if p.term and p.site is site and p.steps]
        begins = min(p.steps[0].start for p in members)
        ends = max(self.horizon(p) for p in own)
        hours = {q.hour_start: q for q in quarters.values() if q.day == day}
        nights = [
            q
            for at, q in hours.items()
            if q.local_hour.hour < 6 and at < ends and at + q.hour_s > begins
        ]
        power = self._electricity(site, day)
        loads = []
        for q in nights:
            rows = [self._hours.get((p.point_id, q.hour_start)) for p in power]
            if rows and all(
                r and r["covered_s"] >= 0.99 * r["expected_s"] and not r["estimated_wh"]
                for r in rows
            ):
                signs = [-1 if p.term in {"export", "charge"} else 1 for p in power]
                use = sum(s * r["energy_wh"] for s, r in zip(signs, rows, strict=True) if r)
                loads.append(use * 3600 / q.hour_s)
        base = None
        if len(loads) >= 0.5 * len(nights) and loads:
            base = quantiles(loads, n=4, method="inclusive")[0] if len(loads) > 1 else loads[0]
        return {
            "base_load_w": base,
            "base_load_kw": None if base is None else base / 1000,
            "base_load_hours": len(loads),
            "unoccupied_hours": len(nights),
            "occupancy_basis": "nights",
            "holiday": None,
        }

    def peaks(self) -> Iterator[Row]:
        """Yield the rows of ``mart_peak_demand``."""
        for point in self.points.values():
            if point.steps and point.spec["quantity"] not in NOT_ENERGY:
                mine = {at: [row] for at, row in self.buckets[point.point_id].items()}
                yield from self._peaks("point", point.point_id, point.site, mine, wanted=1)
        for site_id, site in self.sites.items():
            mains = [p for p in self.points.values() if p.term == "import" and p.site is site]
            together: dict[int, list[Row]] = defaultdict(list)
            for point in mains:
                for at, row in self.buckets[point.point_id].items():
                    together[at].append(row)
            yield from self._peaks("site", site_id, site, together, wanted=len(mains))

    def _peaks(
        self, scope: str, scope_id: str, site: Row, buckets: dict[int, list[Row]], *, wanted: int
    ) -> Iterator[Row]:
        zone = ZoneInfo(site["timezone"])
        months: dict[date, list[tuple[float | None, int, bool]]] = defaultdict(list)
        for at, rows in buckets.items():
            known = all(row["covered_s"] or row["amount"] for row in rows)
            usable = known and len(rows) == wanted and all(row["amount"] >= 0 for row in rows)
            wh = math.fsum(row["amount"] for row in rows)
            estimated = any(row["estimated"] for row in rows)
            month = local(at, zone).date().replace(day=1)
            months[month].append((wh if usable else None, at, estimated))
        for month, found in months.items():
            lasts = midnight(_next_month(month), zone) - midnight(month, zone)
            candidates = [(wh, at, is_long) for wh, at, is_long in found if wh is not None]
            top = max((wh for wh, _, _ in candidates), default=None)
            # Of equal ones the first; rounding of contributions tells none apart.
            highest = [
                (at, is_long)
                for wh, at, is_long in candidates
                if top is not None and round(wh, DIGITS_OF_PEAK) == round(top, DIGITS_OF_PEAK)
            ]
            peak_at, is_estimated = min(highest, default=(None, None))
            counted = sum(not is_long for _, _, is_long in candidates)
            yield {
                "scope": scope,
                "scope_id": scope_id,
                "site_id": site["id"],
                "timezone": site["timezone"],
                "local_month": month,
                "peak_w": None if top is None else top * 4,
                "peak_kw": None if top is None else top * 4 / 1000,
                "peak_at": peak_at,
                "peak_local_start": None
                if peak_at is None
                else local(peak_at, zone).replace(tzinfo=None),
                "peak_is_estimated": is_estimated,
                "buckets_counted": counted,
                "buckets_left_out": len(found) - counted,
                "covered_share": counted * QUARTER / lasts,
            }

    # Dimensions

    def dim_sites(self) -> Iterator[Row]:
        for site in self.sites.values():
            named = {"site_id": site["id"], "site_name": site["name"]}
            named |= {"floor_area_m2": site.get("floor_area_m2"), "holidays": None}
            yield named | {"timezone": site["timezone"], "country": site.get("country")}

    def dim_devices(self) -> Iterator[Row]:
        for device in self.portfolio["devices"]:
            yield {
                "device_id": f"{device['vendor']}/{device['serial']}",
                "vendor": device["vendor"],
                "serial": device["serial"],
                "device_name": device["name"],
                "device_type": None,
                "site_id": device["site"],
                "carrier": device.get("carrier"),
                "role": device.get("role", "none"),
                **{
                    name: device.get(name)
                    for name in ("peak_power_w", "rated_capacity_wh", "design_delta_t_k")
                },
                "points": len(device["points"]),
            }

    def dim_points(self) -> Iterator[Row]:
        for point in self.points.values():
            spec = point.spec
            limit = spec.get("max_power_w", point.device.get("max_power_w"))
            if spec["quantity"] in {"volume", "other"} or limit == "none":
                limit = None  # watts bound no volume
            yield {
                "point_id": point.point_id,
                "vendor": point.vendor,
                "serial": point.serial,
                "key": spec["key"],
                "device_id": f"{point.vendor}/{point.serial}",
                "device_name": point.device["name"],
                "site_id": point.site["id"],
                "point_name": spec["name"],
                "quantity": spec["quantity"],
                "unit": point.unit,
                "vendor_unit": spec.get("unit"),
                "kind": point.kind,
                "phase": "total",
                "carrier": point.carrier,
                "role": point.role,
                "site_term": point.term,
                "every_s": point.every,
                "maximum": None,
                "rated_capacity_wh": None,
                "max_power_w": limit,
                "parent_point_id": spec.get("parent"),
                "same_as_point_id": spec.get("same_as"),
                "accuracy_percent": spec.get("accuracy_percent"),
                "until_at": point.until,
                "confidence": spec.get("confidence"),
                "is_confirmed": "confidence" not in spec,
            }


def _register_steps(readings: list[tuple[int, float]], point: PointOf) -> Iterator[Step]:
    """Read a register knowing the future: a spike is a reading above all that come after it."""
    rows: list[tuple[int, float]] = []
    for n, (at, value) in enumerate(readings):
        after = readings[n + 1 : n + 1 + CONFIRMED_BY]
        before = rows[-1][1] if rows else math.inf
        is_spike = len(after) == CONFIRMED_BY and all(before <= later < value for _, later in after)
        if is_spike or (value == 0 and 0 < before < math.inf):
            point.rejects.append(at)
        else:
            rows.append((at, value))
    yield Step(rows[0][0], rows[0][0], 0.0, "first")
    n = 1
    limit = {"import": 20_000}.get(str(point.term), 1e9)
    while n < len(rows):
        (start, before), (end, value) = rows[n - 1], rows[n]
        if value < before or value - before > limit * max(end - start, 60) / 3600 * 1.2 * 2:
            # Three readings settle it: a restart counts what it shows, a jump is refused.
            end, last = rows[n + 2]
            if value < before:
                yield Step(start, end, last, "reset")
            else:
                yield Step(start, end, last - value, "exchange", value - before, is_covered=False)
            n += 3
            continue
        late = end - start > GAP
        yield Step(start, end, value - before, "gap" if late else "ok", is_estimated=late)
        n += 1


@dataclass(frozen=True)
class _Quarter:
    day: date
    local_hour: datetime
    offset: int
    hour_start: int
    hour_s: int


def _offset(wall: datetime) -> int:
    offset = wall.utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _quarters(zone: ZoneInfo, first: int, last: int) -> dict[int, _Quarter]:
    """Return the quarter-hours of every local day that the span touches."""
    begin = midnight(local(first, zone).date(), zone)
    end = midnight(local(last - 1, zone).date() + timedelta(days=1), zone)
    walls = {at: local(at, zone) for at in range(begin, end, QUARTER)}
    hours: dict[tuple[datetime, int], list[int]] = defaultdict(list)
    for at, wall in walls.items():
        hours[wall.replace(minute=0, tzinfo=None, fold=0), _offset(wall)].append(at)
    return {
        at: _Quarter(walls[at].date(), hour, offset, members[0], len(members) * QUARTER)
        for (hour, offset), members in hours.items()
        for at in members
    }


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _statistics(values: list[float], held: list[tuple[float, int]]) -> Row:
    n = len(values)
    mean = math.fsum(values) / n if n else None
    var = None
    if n > 1 and mean is not None:
        var = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    seconds = sum(length for _, length in held)
    weighted = math.fsum(value * length for value, length in held) / seconds if seconds else None
    return {
        "samples": n,
        "avg_value": mean,
        "min_value": min(values, default=None),
        "max_value": max(values, default=None),
        "sum_value": math.fsum(values) if n else None,
        "var_value": var,
        "stdev_value": None if var is None else math.sqrt(var),
        "time_weighted_avg_value": weighted,
        "held_s": seconds,
    }


def _least(statuses: set[str], *, guesses: int) -> str | None:
    order = ("disputed", "incomplete", "open", "partial", "closed", "final")
    for status in order:
        if status in statuses:
            return "unconfirmed" if status == "final" and guesses else status
    return None
