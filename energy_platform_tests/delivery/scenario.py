"""A small lake whose figures a test states itself, and a Wattics to deliver them to."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl
from pydantic import SecretStr

from energy_platform.days import day_bounds, day_of, day_range
from energy_platform.delivery import Ledger, PushDecision, PushOutcome, push, push_decision
from energy_platform.destinations.wattics import WatticsSettings
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import Portfolio, parse_portfolio
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS, CORE_REGISTER_STATE, INSTANT
from energy_platform.simulators.serving import LoopbackServers
from energy_platform.simulators.wattics import PUSH_PATH, WatticsSimulator, WatticsStream
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform.transforms.counters import EnergyDeltas, energy_deltas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from energy_platform.simulators.faults import Faults
    from energy_platform.simulators.middleware import App
    from energy_platform.simulators.wattics import WatticsBehaviour
    from energy_platform.transforms.policy import CounterPolicy

GAP_AFTER = timedelta(hours=2)


def utc(text: str) -> datetime:
    """Return ``2026-03-01 10:15`` as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Scenario:
    """Samples by point; ``write_days`` writes them as the lake's core files.

    Attributes:
        registers: Samples ``(at, Wh)`` of each register.
        gauges: Samples ``(at, value)`` of each gauge, with its quantity and unit.
        deltas: Rows given as they are, in place of what the samples say.
        policies: Registers that the platform's own settle rule reads, with their policy.
    """

    lake: Lake
    registers: dict[str, list[tuple[datetime, float]]] = field(default_factory=dict)
    gauges: dict[str, list[tuple[datetime, float]]] = field(default_factory=dict)
    quantities: dict[str, tuple[str, str]] = field(default_factory=dict)
    deltas: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    policies: dict[str, CounterPolicy] = field(default_factory=dict)

    def write_days(
        self,
        first: str,
        last: str | None = None,
        *,
        until: datetime | None = None,
        partial: str = "",
    ) -> None:
        """Write some days; the last one stays open when ``until`` lies in it, all if partial."""
        for day in day_range(first, last or first):
            start, end = day_bounds(day)
            upto = end if until is None else min(end, until)
            is_open = bool(partial) or (until is not None and until < end)
            self.lake.write(
                RAW_SOCOMEC_DATAPOINTS,
                RAW_SOCOMEC_DATAPOINTS.empty(),
                day=day,
                meta={
                    "complete_until": upto.isoformat(),
                    "closed": "false" if is_open else "true",
                    **({"partial": partial} if partial else {}),
                },
            )
            rows = [
                row
                for point_id in sorted({*self.registers, *self.deltas})
                for row in self._steps(point_id, until=upto)
                if start <= row["end_at"] < upto  # type: ignore[operator]
            ]
            self.lake.write(
                CORE_ENERGY_DELTAS,
                pl.DataFrame(rows, schema=CORE_ENERGY_DELTAS.schema, orient="row").sort(
                    "point_id", "end_at"
                ),
                day=day,
            )
            self.lake.write(CORE_REGISTER_STATE, self._state(until=upto), day=day)
            readings = [
                {
                    "point_id": point_id,
                    "at": at,
                    "quantity": self.quantities.get(point_id, ("active_power", "W"))[0],
                    "value": value,
                    "unit": self.quantities.get(point_id, ("active_power", "W"))[1],
                    "status": "ok",
                }
                for point_id in sorted(self.gauges)
                for at, value in sorted(self.gauges[point_id])
                if start <= at < upto
            ]
            self.lake.write(
                CORE_READINGS,
                pl.DataFrame(readings, schema=CORE_READINGS.schema, orient="row"),
                day=day,
            )

    def _steps(self, point_id: str, *, until: datetime) -> list[dict[str, object]]:
        if point_id in self.deltas:
            return self.deltas[point_id]
        samples = [one for one in sorted(self.registers[point_id]) if one[0] < until]
        if point_id in self.policies:
            return self._settled([point_id], until=until).deltas.to_dicts()
        return steps(point_id, samples)

    def _state(self, *, until: datetime) -> pl.DataFrame:
        if not self.policies:
            return CORE_REGISTER_STATE.empty()
        return self._settled(sorted(self.policies), until=until).state

    def _settled(self, point_ids: Sequence[str], *, until: datetime) -> EnergyDeltas:
        readings = pl.DataFrame(
            [
                (point_id, at, float(value))
                for point_id in point_ids
                for at, value in self.registers[point_id]
                if at < until
            ],
            schema={"point_id": pl.String(), "at": INSTANT, "value_wh": pl.Float64()},
            orient="row",
        )
        return energy_deltas(readings, policy=self.policies)


def steps(point_id: str, samples: Sequence[tuple[datetime, float]]) -> list[dict[str, object]]:
    """Return the delta rows of a register that only rises."""
    if not samples:
        return []
    at, value = samples[0]
    rows = [delta(point_id, (at, value), (at, value), status="first")]
    rows += [delta(point_id, before, after) for before, after in pairwise(samples)]
    return rows


def delta(
    point_id: str,
    before: tuple[datetime, float],
    after: tuple[datetime, float],
    *,
    status: str = "ok",
    energy_wh: float | None = None,
) -> dict[str, object]:
    """Return one delta row."""
    return {
        "point_id": point_id,
        "end_at": after[0],
        "start_at": before[0],
        "register_start_wh": before[1],
        "register_end_wh": after[1],
        "energy_wh": after[1] - before[1] if energy_wh is None else energy_wh,
        "status": status,
        "estimated": after[0] - before[0] > GAP_AFTER,
        "dropped": 0,
        "reason": None,
        "method": "register",
    }


def regular(
    first: datetime, last: datetime, *, every: timedelta, value: Callable[[datetime], float]
) -> list[tuple[datetime, float]]:
    """Return samples at a steady pace, both ends included."""
    found = []
    at = first
    while at <= last:
        found.append((at, value(at)))
        at += every
    return found


def rising(start: datetime, *, face_wh: float, power_w: float) -> Callable[[datetime], float]:
    """Return a register that rises at constant power."""
    return lambda at: face_wh + power_w * (at - start).total_seconds() / 3600


def steady(value: float) -> Callable[[datetime], float]:
    """Return a gauge that never moves."""
    return lambda at: value + 0 * at.microsecond


def portfolio(
    streams: str, *, meters: int = 2, zone: str = "Europe/Paris", **extra: str
) -> Portfolio:
    """Return a portfolio of meters M1, M2 … with one register and some gauges each.

    Args:
        streams: YAML of the list of streams, indented by two.
        meters: How many.
        zone: Zone of the site.
        extra: Further YAML by key: ``corrections``, ``policy`` (lines of the register).
    """
    policy = extra.get("policy", "")
    devices = "".join(
        f"""
  - vendor: socomec
    serial: M{n}
    site: s
    name: Meter {n}
    type: meter
    max_power_w: none"""
        for n in range(1, meters + 1)
    )
    text = f"""
version: 1
sites:
  - {{id: s, name: Site, timezone: {zone}}}
device_types:
  meter:
    points:
      - {{key: E, name: Energy, quantity: active_energy_import, unit: Wh{policy}}}
      - {{key: H, name: Heat, quantity: heating_energy, unit: J, carrier: heating}}
      - {{key: P, name: Power, quantity: active_power, unit: W}}
      - {{key: V, name: Voltage, quantity: voltage, unit: V, phase: L1}}
      - {{key: T, name: Temperature, quantity: temperature, unit: °C}}
devices:{devices}
{extra.get("corrections", "")}
streams:
{streams}
"""
    return parse_portfolio(text)


def point(meter: int, key: str = "E") -> str:
    """Return a point id."""
    return f"socomec/M{meter}/{key}"


ELECTRICITY = """  - {id: el-1, kind: electricity, site: s, credential: default, interval: 15m,
     reading: cumulative, fields: {pC_1: socomec/M1/E}}
"""


def day_text(at: datetime) -> str:
    """Return the partition key of an instant."""
    return day_of(at)


def push_wanted(
    lake: Lake,
    ledger: Ledger,
    portfolio: Portfolio,
    *,
    now: datetime,
    max_hold: timedelta | None = None,
) -> PushDecision | None:
    """Return the decision when a push is wanted now, else None."""
    decision = push_decision(lake, ledger, portfolio, now=now, max_hold=max_hold)
    return decision if decision.is_wanted else None


@dataclass
class DeliveryHarness:
    """A lake, a ledger and a Wattics, with pushes between them."""

    scenario: Scenario
    ledger: Ledger
    sim: WatticsSimulator
    url: str
    now: datetime
    settings_extra: dict[str, object] = field(default_factory=dict)

    def settings(self, **changes: object) -> WatticsSettings:
        """Return settings that point at the simulator, retried for a moment only."""
        return WatticsSettings.model_validate(
            {
                "base_url": self.url,
                "username": "demo-user",
                "password": SecretStr("demo-password"),
                "give_up_s": 20,
                "max_backoff_s": 0.05,
                "read_timeout_s": 5,
                **self.settings_extra,
                **changes,
            }
        )

    def push(self, portfolio: Portfolio, **changes: object) -> PushOutcome:
        """Push once."""
        return push(
            self.scenario.lake,
            ledger=self.ledger,
            portfolio=portfolio,
            settings=self.settings(**changes),
            clock=lambda: self.now,
        )

    def register_streams(self, portfolio: Portfolio) -> None:
        """Register the portfolio's streams at Wattics."""
        for stream in portfolio.streams.values():
            self.sim.register(
                WatticsStream(
                    id=stream.id,
                    kind="electricity" if stream.kind == "electricity" else "value",
                    interval_s=int(stream.interval.total_seconds()),
                    reading=stream.reading,
                    timezone=portfolio.zone_of(stream),
                    group=stream.credential,
                )
            )

    def values(self, stream: str, name: str) -> dict[datetime, float]:
        """Return what Wattics holds of one field, by instant."""
        return {
            packet.at: packet.values[name]
            for packet in self.sim.packets(stream)
            if name in packet.values
        }


@contextmanager
def open_harness(
    folder: Path,
    *,
    ledger: Ledger,
    now: datetime,
    faults: Faults | None = None,
    behaviour: WatticsBehaviour | None = None,
    before: Callable[[App], App] | None = None,
) -> Iterator[DeliveryHarness]:
    """Open a harness whose clock stands at ``now``; ``before`` may stand before Wattics."""
    sim = WatticsSimulator(faults=faults, behaviour=behaviour)
    app = sim.app if before is None else before(sim.app)
    with LoopbackServers({"wattics": app}) as servers:
        yield DeliveryHarness(
            scenario=Scenario(Lake(folder / "lake")),
            ledger=ledger,
            sim=sim,
            url=servers.url("wattics") + PUSH_PATH,
            now=now,
        )
