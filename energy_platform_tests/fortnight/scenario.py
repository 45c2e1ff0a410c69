"""The fortnight itself: an installation lives through its troubles, and everything is noted."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from energy_platform.days import day_bounds, day_of
from energy_platform.defs.runner import open_runner
from energy_platform.lake.catalogue import Catalogue
from energy_platform.sources.registry import day_tables
from energy_platform_tests.fortnight.clock import FastClock
from energy_platform_tests.fortnight.daemon import Done, FastDaemon
from energy_platform_tests.fortnight.site import POLL_MINUTES, open_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from energy_platform.defs.runner import Runner
    from energy_platform.schemas import Vendor
    from energy_platform_tests.fortnight.site import Site
    from energy_platform_tests.fortnight.troubles import Trouble

BEGIN: Final = datetime(2026, 3, 3, tzinfo=UTC)
SETTLING: Final = timedelta(minutes=2)
"""An installation is started a little after midnight."""

LOOK_EVERY: Final = timedelta(minutes=POLL_MINUTES)
REFRESH_EVERY: Final = timedelta(minutes=85)
"""Below the two hours after which published figures count as old."""


@dataclass
class Scenario:
    """What happened.

    Attributes:
        site: The installation.
        runner: Its jobs.
        troubles: What went wrong.
        lasts: Simulated time.
        runs: Every run, in order.
        whole_at: When each source's day was first whole.
        refused_logins: By source and UTC day.
        ended_at: The last instant.
        ticks: How many ticks were evaluated.
        said: What each sensor said last.
        mails: How many mails were reported.
    """

    site: Site
    runner: Runner
    troubles: Sequence[Trouble]
    lasts: timedelta
    runs: list[Done] = field(default_factory=list)
    whole_at: dict[tuple[Vendor, str], datetime] = field(default_factory=dict)
    refused_logins: Counter[tuple[str, str]] = field(default_factory=Counter)
    ended_at: datetime = BEGIN
    ticks: int = 0
    said: dict[str, str] = field(default_factory=dict)
    mails: int = 0
    _logins_seen: Counter[str] = field(default_factory=Counter)

    def note(self, done: Done | None, *, now: datetime, clock: FastClock) -> None:
        """Note what a tick or a run left."""
        folder = self.site.folder
        if done is None or done.report.job == "refresh":
            landed = sorted((folder / "landing" / "skycentrics").glob("day=*"))[-2:]
            clock.stamp([folder / "energy.duckdb", *(p for one in landed for p in one.iterdir())])
        self._note_logins(now)
        if done is None:
            return
        self.runs.append(done)
        for vendor in day_tables():
            if done.report.job == f"ingest_{vendor}":
                with Catalogue(folder) as catalogue:
                    records = catalogue.days(vendor)
                for day in done.days:
                    is_over = day_bounds(day)[1] <= done.due
                    if is_over and day in records and records[day].state == "whole":
                        self.whole_at.setdefault((vendor, day), done.ended)

    def _note_logins(self, now: datetime) -> None:
        for source in ("socomec", "belimo"):
            counted = self.site.suite.simulators[source].requests
            refused = sum(
                number
                for (endpoint, status), number in counted.items()
                if "token" in endpoint and 400 <= status < 500
            )
            self.refused_logins[source, day_of(now)] += refused - self._logins_seen[source]
            self._logins_seen[source] = refused


@contextmanager
def live(
    folder: Path,
    *,
    troubles: Sequence[Trouble],
    lasts: timedelta,
    intraday_minutes: int,
    seed: int = 7,
    refresh_every: timedelta | None = REFRESH_EVERY,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Scenario]:
    """Live through it all, and yield what happened while the installation still stands.

    Args:
        folder: The data folder, empty.
        troubles: What goes wrong; all of them end before this does.
        lasts: How long to live.
        intraday_minutes: Between two looks at today.
        seed: Of the world.
        refresh_every: Between two looks of the sensor that refreshes; None: only what the vendors
            give is read, and nothing is derived from it or sent.
        say: Called with what begins, ends and runs.
    """
    with (
        open_site(
            folder,
            begin=BEGIN,
            intraday_minutes=intraday_minutes,
            seed=seed,
            is_sending=refresh_every is not None,
        ) as site,
        FastClock(BEGIN + SETTLING) as clock,
        open_runner(folder / "dagster") as runner,
    ):
        scenario = Scenario(site=site, runner=runner, troubles=troubles, lasts=lasts)

        mails = site.mailbox.received

        def after(done: Done | None) -> None:
            scenario.note(done, now=clock.now(), clock=clock)
            while scenario.mails < len(mails):
                say(f"{clock.now():%d %H:%M:%S} mail: {mails[scenario.mails][0]}")
                scenario.mails += 1
            if done is not None:
                said = "" if done.report.success else f"FAILED {'; '.join(done.report.errors)}"
                say(f"{clock.now():%d %H:%M:%S} {done.report.job} {done.kind} {said}"[:300])

        daemon = FastDaemon(runner, clock, LOOK_EVERY, refresh_every, after)
        for at, what, trouble in _timeline(troubles):
            daemon.advance(BEGIN + at)
            say(f"{clock.now():%d %H:%M:%S} {what}: {trouble.name}")
            if what == "begins":
                trouble.begin(site)
            else:
                trouble.finish(site)
            if what == "begins" and trouble.how == "set back":
                clock.move_to(clock.now() - trouble.lasts)
            if what == "begins" and trouble.how == "asleep":
                clock.move_to(BEGIN + trouble.end)
        daemon.advance(BEGIN + lasts)
        scenario.ended_at, scenario.ticks, scenario.said = clock.now(), daemon.ticks, daemon.said()
        yield scenario


def _timeline(troubles: Sequence[Trouble]) -> list[tuple[timedelta, str, Trouble]]:
    found = [(one.start, "begins", one) for one in troubles]
    found += [(one.end, "ends", one) for one in troubles if one.how not in {"set back", "asleep"}]
    return sorted(found, key=lambda one: one[0])
