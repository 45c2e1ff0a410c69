"""The daemon on a fast clock: every schedule and sensor when it is due, and the runs they ask for.

The rules are Dagster's own (``dagster/_scheduler/scheduler.py``, ``dagster/_daemon/sensor.py``): of
missed ticks of a schedule only the newest is evaluated; a sensor rests until its interval has gone
by on the wall clock; a run key that the schedule or sensor asked for before is not run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg
from dagster._utils.schedules import schedule_execution_time_iterator

from energy_platform.days import day_range
from energy_platform.defs.partitions import RANGE_END, RANGE_START, RUN_KIND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from energy_platform.defs.runner import Runner, RunReport
    from energy_platform_tests.fortnight.clock import FastClock

REFRESH: Final = "refresh_when_stale"
DERIVING: Final = frozenset({REFRESH, "push_when_behind"})


_AT_ONCE: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Done:
    """A run and what asked for it.

    Attributes:
        asked_by: The schedule or sensor.
        due: The tick.
        kind: What the run's tag says it is for.
        days: The UTC days it was asked for.
        report: How it ended.
        ended: When.
    """

    asked_by: str
    due: datetime
    kind: str
    days: tuple[str, ...]
    report: RunReport
    ended: datetime


@dataclass
class _Schedule:
    definition: dg.ScheduleDefinition
    times: Iterator[datetime]
    next: datetime

    def due(self, now: datetime) -> datetime | None:
        """Return the newest missed tick, and go on behind it."""
        newest = None
        while self.next <= now:
            newest, self.next = self.next, next(self.times).astimezone(UTC)
        return newest


@dataclass
class _Sensor:
    definition: dg.SensorDefinition
    interval: timedelta
    last: datetime | None = None
    cursor: str | None = None
    said: str = ""


@dataclass
class FastDaemon:
    """Schedules and sensors of a code location, evaluated when the fast clock says so.

    Args:
        runner: Runs jobs on the instance.
        clock: The clock.
        look_every: How often sensors look at least; the real daemon's looks are more frequent.
        refresh_every: The same for the sensor that refreshes, whose every run builds all marts;
            None: neither refreshed nor sent.
        after: Called after each tick and each run.
    """

    runner: Runner
    clock: FastClock
    look_every: timedelta
    refresh_every: timedelta | None
    after: Callable[[Done | None], None]
    ticks: int = 0

    def __post_init__(self) -> None:
        definitions = self.runner.definitions
        self._repository = definitions.get_repository_def()
        now = self.clock.now()
        self._schedules = [_schedule(one, now) for one in self._repository.schedule_defs]
        self._sensors = {
            one.name: _Sensor(one, self._interval(one))
            for one in self._repository.sensor_defs
            if self.refresh_every is not None or one.name not in DERIVING
        }

    def advance(self, until: datetime) -> None:
        """Let the time go by."""
        while True:
            now = self.clock.now()
            upcoming = min(
                *(one.next for one in self._schedules),
                *(self._next_look(one) for one in self._sensors.values()),
                until,
            )
            if upcoming > now:
                self.clock.move_to(upcoming)
            if self.clock.now() >= until:
                return
            self._tick()

    def _tick(self) -> None:
        for schedule in self._schedules:
            if (at := schedule.due(self.clock.now())) is not None:
                self._evaluate_schedule(schedule.definition, at)
        for name, sensor in self._sensors.items():
            if self._next_look(sensor) <= self.clock.now():
                self._evaluate_sensor(name, sensor)

    def _interval(self, sensor: dg.SensorDefinition) -> timedelta:
        own = timedelta(seconds=sensor.minimum_interval_seconds or 30)
        longer = self.refresh_every if sensor.name == REFRESH else self.look_every
        return max(own, longer or own)

    def _next_look(self, sensor: _Sensor) -> datetime:
        if sensor.last is None:
            return _AT_ONCE
        return sensor.last + sensor.interval

    def _evaluate_schedule(self, schedule: dg.ScheduleDefinition, at: datetime) -> None:
        self.ticks += 1
        context = dg.build_schedule_context(
            instance=self.runner.instance,
            scheduled_execution_time=at,
            repository_def=self._repository,
        )
        data = schedule.evaluate_tick(context)
        self._run(
            data.run_requests or [],
            job=schedule.job_name,
            asked_by=schedule.name,
            tag="dagster/schedule_name",
            due=at,
        )

    def _evaluate_sensor(self, name: str, sensor: _Sensor) -> None:
        self.ticks += 1
        due = self.clock.now()
        sensor.last = due
        with dg.build_sensor_context(
            instance=self.runner.instance,
            cursor=sensor.cursor,
            definitions=self.runner.definitions,
            sensor_name=name,
            resources=dict(self.runner.definitions.resources or {}),
        ) as context:
            data = sensor.definition.evaluate_tick(context)
        sensor.cursor = data.cursor
        sensor.said = data.skip_message or ""
        for event in data.asset_events:
            self.runner.instance.report_runless_asset_event(event)
        self.after(None)
        job = "" if not data.run_requests else sensor.definition.job_name
        self._run(
            data.run_requests or [],
            job=job or "",
            asked_by=name,
            tag="dagster/sensor_name",
            due=due,
        )

    def _run(
        self, asked: Sequence[dg.RunRequest], *, job: str, asked_by: str, tag: str, due: datetime
    ) -> None:
        for request in asked:
            tags = dict(request.tags) | {tag: asked_by}
            if request.run_key is not None:
                tags["dagster/run_key"] = request.run_key
                mine = {tag: asked_by, "dagster/run_key": request.run_key}
                if self.runner.instance.get_runs(filters=dg.RunsFilter(tags=mine), limit=1):
                    continue
            report = self.runner.run(
                request.job_name or job, tags=tags, assets=request.asset_selection
            )
            days: tuple[str, ...] = ()
            if RANGE_START in tags and RANGE_END in tags:
                days = tuple(day_range(tags[RANGE_START], tags[RANGE_END]))
            self.after(
                Done(
                    asked_by=asked_by,
                    due=due,
                    kind=tags.get(RUN_KIND, ""),
                    days=days,
                    report=report,
                    ended=self.clock.now(),
                )
            )

    def said(self) -> dict[str, str]:
        """Return what each sensor said last."""
        return {name: one.said for name, one in self._sensors.items()}


def _schedule(definition: dg.ScheduleDefinition, now: datetime) -> _Schedule:
    times = schedule_execution_time_iterator(
        now.timestamp(), definition.cron_schedule, definition.execution_timezone or "UTC"
    )
    return _Schedule(definition, times, next(times).astimezone(UTC))
