"""Twelve days of the real schedules and sensors, with a vendor away from noon of day 3 to day 8."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import time_machine

from energy_platform.days import DAY, day_bounds, day_of, day_range
from energy_platform.defs.partitions import RANGE_END, RANGE_START, RUN_KIND
from energy_platform.defs.resources import Platform
from energy_platform.defs.schedules import DAILY_MINUTE, build_schedules
from energy_platform.defs.sensors.build import build_sensors
from energy_platform.ingest.due import DAYS_A_RUN, missing_days
from energy_platform.ingest.due import read_source_days as read
from energy_platform.lake.catalogue import LONGEST_PAUSE, Catalogue, pause_after
from energy_platform.lake.raw_days import land_day
from energy_platform.settings import PlatformSettings
from energy_platform.sources.registry import day_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from energy_platform.schemas import Vendor

pytestmark = pytest.mark.long

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = BEGIN + 12 * DAY
AWAY = (datetime(2026, 1, 3, 12, tzinfo=UTC), datetime(2026, 1, 8, 6, tzinfo=UTC))
INTRADAY = 120
SENSORS_EVERY = timedelta(hours=1)
CLOSING = timedelta(minutes=DAILY_MINUTE["socomec"])
VENDORS: tuple[Vendor, ...] = ("socomec", "belimo")


@dataclass
class Simulation:
    """Vendors that answer at once or not at all, and a daemon that runs what is asked for.

    Attributes:
        platform: The installation.
        instance: Where runs are recorded.
        attempts: Every attempt at a day of a vendor.
        kinds: The kinds of runs by vendor and instant.
    """

    platform: Platform
    instance: dg.DagsterInstance
    attempts: dict[tuple[Vendor, str], list[datetime]] = field(default_factory=dict)
    kinds: dict[tuple[Vendor, str], list[datetime]] = field(default_factory=dict)
    cursors: dict[str, str | None] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    checks: list[tuple[datetime, Vendor, bool]] = field(default_factory=list)

    def advance(self, *, since: datetime, until: datetime) -> None:
        """Let the clock go, and tick what is due at each step."""
        settings = PlatformSettings(intraday_minutes=INTRADAY)
        schedules = {one.name: one for one in build_schedules(settings)}
        sensors = {one.name: one for one in build_sensors(settings)}
        now = since
        with time_machine.travel(now, tick=False) as clock:
            while now < until:
                clock.move_to(now)
                self._schedules(schedules, now=now)
                if (now - since) % SENSORS_EVERY == timedelta(0):
                    for vendor in VENDORS:
                        self._sensor(sensors[f"{vendor}_days_due"], vendor=vendor, now=now)
                now += timedelta(minutes=5)

    def _schedules(self, schedules: dict[str, dg.ScheduleDefinition], *, now: datetime) -> None:
        for vendor in VENDORS:
            names = []
            if (now - day_bounds(day_of(now))[0]) == timedelta(minutes=DAILY_MINUTE[vendor]):
                names.append(f"ingest_{vendor}_daily")
            if now.minute == 0 and now.hour % (INTRADAY // 60) == 0:
                names.append(f"ingest_{vendor}_intraday")
            for name in names:
                context = dg.build_schedule_context(scheduled_execution_time=now)
                data = schedules[name].evaluate_tick(context)
                assert data.run_requests or data.skip_message
                self._run(vendor, data.run_requests or [], now=now, name=name)

    def _sensor(self, sensor: dg.SensorDefinition, *, vendor: Vendor, now: datetime) -> None:
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(sensor.name),
            resources={"platform": self.platform},
        ) as context:
            data = sensor.evaluate_tick(context)
        assert data.run_requests or data.skip_message
        self.cursors[sensor.name] = data.cursor
        for event in data.asset_events:
            assert isinstance(event, dg.AssetCheckEvaluation)
            self.checks.append((now, vendor, event.passed))
        self._run(vendor, data.run_requests or [], now=now, name=sensor.name)

    def _run(
        self, vendor: Vendor, asked: Sequence[dg.RunRequest], *, now: datetime, name: str
    ) -> None:
        for request in asked:
            key = f"{name} {request.run_key}"
            if key in self.keys:
                continue
            self.keys.add(key)
            kind = request.tags[RUN_KIND]
            self.kinds.setdefault((vendor, kind), []).append(now)
            days = day_range(request.tags[RANGE_START], request.tags[RANGE_END])
            assert len(days) <= DAYS_A_RUN
            is_away = vendor == "socomec" and AWAY[0] <= now < AWAY[1]
            self.instance.add_run(
                dg.DagsterRun(
                    job_name=f"ingest_{vendor}",
                    run_id=str(uuid.uuid4()),
                    tags=dict(request.tags),
                    status=dg.DagsterRunStatus.FAILURE if is_away else dg.DagsterRunStatus.SUCCESS,
                )
            )
            for day in days:
                self._attempt(vendor, day, now=now, closes=kind != "intraday", is_away=is_away)

    def _attempt(
        self, vendor: Vendor, day: str, *, now: datetime, closes: bool, is_away: bool
    ) -> None:
        self.attempts.setdefault((vendor, day), []).append(now)
        if not is_away:
            land_day(
                self.platform.lake,
                day_tables()[vendor],
                day=day,
                frame=day_tables()[vendor].empty(),
                complete_until=now,
                closed=closes and day_bounds(day)[1] <= now,
            )
        if not closes or now < day_bounds(day)[1]:
            return
        with Catalogue(self.platform.data) as catalogue:
            catalogue.record(
                source=vendor,
                day=day,
                state="failed" if is_away else "whole",
                now=now,
                why="HTTP 503" if is_away else "",
            )


@pytest.fixture
def simulation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulation]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("SKYCENTRICS_CLIENT_ID", raising=False)
    for vendor in VENDORS:
        monkeypatch.setenv(f"{vendor.upper()}_CLIENT_ID", "client")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Simulation(platform=Platform.of(PlatformSettings()), instance=instance)


def test_a_week_without_a_vendor_heals_by_itself_and_delays_no_other(
    simulation: Simulation,
) -> None:
    simulation.advance(since=BEGIN, until=END)
    _every_day_is_whole(simulation)
    _no_day_was_pressed(simulation)
    _belimo_was_never_late(simulation)
    _the_check_warned_once_and_was_quiet_otherwise(simulation)


def _every_day_is_whole(simulation: Simulation) -> None:
    lake, data = simulation.platform.lake, simulation.platform.data
    for vendor in VENDORS:
        known = read(lake, data_dir=data, source=vendor)
        assert missing_days(known, start=None, late_days=1, now=END - timedelta(minutes=5)) == ()
        assert all(known.files[day].closed for day in day_range("2026-01-01", "2026-01-11"))
    for day in day_range("2026-01-04", "2026-01-06"):
        at = next(at for at in simulation.attempts["socomec", day] if at >= AWAY[1])
        assert at <= AWAY[1] + LONGEST_PAUSE + SENSORS_EVERY, day


def _no_day_was_pressed(simulation: Simulation) -> None:
    for day in day_range("2026-01-04", "2026-01-06"):
        closing = [
            at
            for at in simulation.attempts["socomec", day]
            if day_bounds(day)[1] + CLOSING <= at < AWAY[1]
        ]
        assert closing, day
        for n, (at, later) in enumerate(pairwise(closing), start=1):
            assert later - at >= pause_after(n), (day, n)
        while_it_lasted = [
            at for at in simulation.attempts["socomec", day] if day_of(at) == day and at < AWAY[1]
        ]
        assert len(while_it_lasted) <= DAY // timedelta(minutes=INTRADAY)


def _belimo_was_never_late(simulation: Simulation) -> None:
    expected = [
        BEGIN + n * timedelta(minutes=INTRADAY)
        for n in range(12 * DAY // timedelta(minutes=INTRADAY))
    ]
    # At the midnight that begins it all there is no day before.
    assert simulation.kinds["belimo", "intraday"] == expected[1:]
    daily = [BEGIN + n * DAY + timedelta(minutes=DAILY_MINUTE["belimo"]) for n in range(12)]
    assert simulation.kinds["belimo", "daily"] == daily
    # A new installation asks for yesterday at once; after that the schedules do it all.
    assert simulation.kinds["belimo", "due"] == [BEGIN]


def _the_check_warned_once_and_was_quiet_otherwise(simulation: Simulation) -> None:
    assert all(passed for _, vendor, passed in simulation.checks if vendor == "belimo")
    said = [(at, passed) for at, vendor, passed in simulation.checks if vendor == "socomec"]
    warned = [at for at, passed in said if not passed]
    assert min(warned) >= day_bounds("2026-01-03")[1] + timedelta(hours=3)
    assert max(warned) <= AWAY[1] + LONGEST_PAUSE
    assert said[-1][1], "the last word is that all is well"
