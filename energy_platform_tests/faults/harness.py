"""One small world, its vendors on loopback, and the real path of a day under a fault."""

from __future__ import annotations

import functools
import logging
import re
import shutil
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import polars as pl

from energy_platform.days import day_bounds
from energy_platform.ingest.run import ingest_days, ingest_inventory
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import Portfolio, load_portfolio
from energy_platform.settings import ApiSettings
from energy_platform.simulators.belimo import BelimoSimulator
from energy_platform.simulators.skycentrics.readings import DATA_FAULTS
from energy_platform.simulators.socomec import SocomecSimulator
from energy_platform.simulators.suite import SimulatorSuite
from energy_platform.simulators.world import World
from energy_platform.sources.http.errors import VendorError
from energy_platform.sources.registry import day_tables, open_source, poll_source, sources
from energy_platform_tests.environment import (
    environment,
    no_trust_store,
    small_portfolio,
    small_world,
)
from energy_platform_tests.faults.cases import TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from energy_platform.ingest.run import DayOutcome
    from energy_platform.schemas import Vendor

Verdict = Literal["same bytes", "no file", "as said", "partial", "poll missed", "WRONG"]

DAY: Final = "2026-03-03"
NOW: Final = day_bounds(DAY)[1] + timedelta(hours=1)
POLLS: Final = tuple(day_bounds(DAY)[0] + timedelta(hours=12, minutes=n) for n in range(2))

NAMED: Final = frozenset(
    {
        *("GW000001", "SN000001", "SN000004"),
        *("22001-50007-101-007", "22005-50035-105-007", "22013-50091-113-007"),
        "1000000001",
    }
)
"""Devices that the matrix needs: enough for several pages and requests, little to transfer."""

MANY: Final = 2
"""Devices that are left of a vendor of which none is named."""


def _devices() -> frozenset[str]:
    """Return what is left of the world: the named devices, and a few of any other vendor."""
    world = World()
    others = {one.vendor for one in world.devices} - {
        one.vendor for one in world.devices if one.serial in NAMED
    }
    few = (one for vendor in others for one in world.of_vendor(vendor)[:MANY])
    return NAMED | {one.serial for one in few}


DEVICES: Final = _devices()
"""Serial numbers of the small world."""

SIGNATURE: Final = re.compile(r"demo-client:[A-Za-z0-9+/]{27}=")
"""What signs a request to SkyCentrics."""

POINTS: Final = frozenset({"evcloud.200", "evcloud.210", "evcloud.140", "evcloud.150"})
"""Datapoints of a valve that are read."""

PACE: Final = {
    **{
        f"{vendor}_{name}".upper(): value
        for vendor, spec in sources().items()
        if issubclass(spec.settings, ApiSettings)
        for name, value in {
            "RPS": "2000",
            "BACKOFF_S": "0.01",
            "TIMEOUT_S": str(TIMEOUT_S),
            "ATTEMPTS": "3",
        }.items()
    },
    "SOCOMEC_PAGE_SIZE": "2",
    "SOCOMEC_MAX_SERIES": "8",
    "BELIMO_PAGE_SIZE": "2",
    "BELIMO_SAMPLE_PAGE_SIZE": "150",
    "SKYCENTRICS_HISTORY": "on",
    "SKYCENTRICS_HISTORY_GAP": "60",
}
"""Settings of the real clients that make a fault cheap to survive."""


class Run(NamedTuple):
    """What came of one run of the day."""

    content: bytes | None
    error: str
    cause: VendorError | None
    outcome: DayOutcome | None
    retries: int
    log: str
    missed: tuple[VendorError, ...]


class Result(NamedTuple):
    """A row of the matrix."""

    vendor: str
    faults: str
    verdict: Verdict
    requests: int
    retries: int
    occurred: int
    seconds: float
    remark: str

    def fits(self, expected: str) -> bool:
        """Whether the verdict is one that may come of the case."""
        either = {"same bytes", "no file", "partial", "poll missed"}
        return self.verdict in (either if expected == "either" else {expected})


class _Lines(logging.Handler):
    """Everything any logger says, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    @property
    def retries(self) -> int:
        return sum("trying again" in line for line in self.lines)


@dataclass
class FaultHarness:
    """The vendors, and a faultless run of each to compare with."""

    suite: SimulatorSuite
    folder: Path
    _references: dict[str, bytes] = field(default_factory=dict)
    _runs: int = 0

    def reference(self, vendor: Vendor) -> bytes:
        """The day's file of a faultless run."""
        if vendor not in self._references:
            run = self.run(vendor, lake=self.new_lake())
            if run.content is None:
                raise AssertionError(f"{vendor}: the faultless run failed: {run.error}")
            self._references[vendor] = run.content
        return self._references[vendor]

    def new_lake(self) -> Lake:
        self._runs += 1
        return Lake(self.folder / f"run-{self._runs}" / "lake")

    def judge(self, vendor: Vendor, faults: str) -> Result:
        """Run the day under faults, then without, and say what became of the file."""
        reference = self.reference(vendor)
        lake = self.new_lake()
        before = self.requests(vendor)
        started = time.monotonic()
        polls_first = any(fault.partition("=")[0] in DATA_FAULTS for fault in faults.split())
        if polls_first:
            # A poll is the only reading of its instant: what it says can never be put right.
            self.poll(lake)
        with self.occurrences(vendor, faults) as occurred:
            run = self.run(vendor, lake=lake, polls=not polls_first)
        seconds = time.monotonic() - started
        requests = self.requests(vendor) - before
        verdict, remark = self._verdict(vendor, run, reference=reference, lake=lake)
        if leaks := self.leaks(run, vendor=vendor, lake=lake):
            verdict, remark = "WRONG", f"shown where nobody may see it: {', '.join(leaks)}"
        shutil.rmtree(lake.root.parent, ignore_errors=True)
        return Result(vendor, faults, verdict, requests, run.retries, occurred(), seconds, remark)

    def _verdict(  # noqa: PLR0911 - one return per verdict
        self, vendor: Vendor, run: Run, *, reference: bytes, lake: Lake
    ) -> tuple[Verdict, str]:
        if run.content == reference:
            return "same bytes", "; ".join(run.outcome.warnings) if run.outcome else ""
        if run.content is None:
            missing = missing_in(run.cause, vendor=vendor)
            return ("WRONG" if missing else "no file"), run.error + missing
        said = [*run.outcome.counts, *run.outcome.warnings] if run.outcome else []
        why = run.outcome.why if run.outcome else ""
        is_closed = run.outcome is not None and run.outcome.landed and run.outcome.landed.closed
        if why and is_closed:
            return "WRONG", f"closed although it is partial: {why}"
        table = day_tables()[vendor]
        if run.missed and not (missing := missing_in(run.missed[0], vendor=vendor, day=False)):
            lost = self.lost(reference, held=lake.read(table, day=DAY))
            if set(lost.get_column("source")) == {"poll"}:
                return "poll missed", str(run.missed[0])
            return "WRONG", f"{lost.height} true rows missing for good{missing}"
        # Without the fault, the next reading of the day must bring what was missing.
        again = self.run(vendor, lake=lake, polls=False)
        if again.content == reference and why:
            return "partial", why
        if again.content == reference:
            return "as said", f"{'; '.join(said)} (the next reading: same bytes)"
        if again.outcome is None or again.outcome.landed is None:
            return "WRONG", f"the next reading failed: {again.error}"
        lost = self.lost(reference, held=lake.read(table, day=DAY))
        strangers = again.outcome.landed.lost
        if lost.is_empty() and strangers:
            return "as said", f"{'; '.join(said)} (the next reading reports {strangers} rows)"
        return "WRONG", f"{lost.height} true rows missing for good; said: {said}"

    def secrets(self) -> dict[str, str]:
        """What must never be shown, by what it is: credentials and every token issued."""
        suite = self.suite
        credentials = {
            name: value
            for name, value in suite.environment().items()
            if name.endswith(("_SECRET", "_PASSWORD", "_USERNAME"))
        }
        identities = (
            suite.simulator(SocomecSimulator).keycloak,
            suite.simulator(BelimoSimulator).identity,
        )
        issued = [
            token
            for one in identities
            for token in (*one._access, *one._refresh)  # noqa: SLF001 - no other way to know them
        ]
        return credentials | {f"token {number}": token for number, token in enumerate(issued)}

    def leaks(self, run: Run, *, vendor: Vendor, lake: Lake) -> list[str]:
        """Names of the secrets that the logs, errors, warnings or files of a run show."""
        rows = lake.read(day_tables()[vendor], day=DAY)
        errors = [one for one in (run.cause, *run.missed) if one is not None]
        shown = "\n".join(
            (
                run.log,
                *map(repr, errors),
                *("".join(traceback.format_exception(error)) for error in errors),
                repr(run.outcome),
                *(str(value) for name in rows.columns for value in rows[name].unique()),
                *map(str, lake.root.parent.rglob("*")),
            )
        )
        found = [name for name, secret in self.secrets().items() if secret in shown]
        return found + ["a signature"] * bool(SIGNATURE.search(shown))

    def lost(self, reference: bytes, *, held: pl.DataFrame) -> pl.DataFrame:
        """Rows of the faultless day that another one does not hold."""
        true = pl.read_parquet(reference, hive_partitioning=False)
        return true.join(held, on=true.columns, how="anti", nulls_equal=True)

    @contextmanager
    def occurrences(self, vendor: str, faults: str) -> Iterator[Callable[[], int]]:
        """Switch faults on; yields a function that counts how often they occurred."""
        switches = self.suite.faults[vendor]
        before = switches.occurred.copy()
        for fault in faults.split():
            switches.set(fault)
        try:
            yield lambda: switches.occurred.total() - before.total()
        finally:
            switches.clear()

    def run(self, vendor: Vendor, *, lake: Lake, polls: bool = True) -> Run:
        """Read inventory and day as an asset does, with the same words for a failure."""
        landing = _landing(lake)
        table = day_tables()[vendor]
        lines = _Lines()
        logger = logging.getLogger()
        level = logger.level
        logger.addHandler(lines)
        logger.setLevel(logging.DEBUG)
        outcome: DayOutcome | None = None
        failure: VendorError | None = None
        missed: tuple[VendorError, ...] = ()
        try:
            if vendor == "skycentrics" and polls:
                missed = self.poll(lake)
            with open_source(
                vendor, portfolio=self.portfolio, landing=landing, logins=None
            ) as source:
                ingest_inventory(source, vendor=vendor, lake=lake)
                (outcome,) = ingest_days(source, vendor=vendor, lake=lake, days=[DAY], now=NOW)
        except VendorError as error:
            # As the asset reports a range that ended before it came to this day.
            failure = error.about(day=DAY)
        finally:
            logger.removeHandler(lines)
            logger.setLevel(level)
        if outcome is not None and isinstance(outcome.error, VendorError):
            failure = outcome.error
        path = lake.path(table, day=DAY)
        return Run(
            content=path.read_bytes() if path.exists() else None,
            error=str(failure or ""),
            cause=failure,
            outcome=outcome,
            retries=lines.retries,
            log="\n".join(lines.lines),
            missed=missed,
        )

    def poll(self, lake: Lake) -> tuple[VendorError, ...]:
        """Poll at the instants of the day, as the sensor does; returns what went wrong."""
        missed: list[VendorError] = []
        for at in POLLS:
            self.suite.set_clock(at)
            try:
                report = poll_source(
                    "skycentrics",
                    lake=lake,
                    portfolio=Portfolio(),
                    landing=_landing(lake),
                    now=self.suite.now,
                    logins=None,
                )
                missed += report.failed.values()
            except VendorError as error:
                missed.append(error)
            finally:
                self.suite.set_clock(NOW)
        return tuple(missed)

    @functools.cached_property
    def portfolio(self) -> Portfolio:
        path = self.folder / "portfolio.yaml"
        path.write_text(small_portfolio(DEVICES, valve_points=POINTS), encoding="utf-8")
        return load_portfolio(path)

    def requests(self, vendor: str) -> int:
        return int(self.suite.simulators[vendor].requests.total())


def _landing(lake: Lake) -> Path:
    return lake.root.parent / "landing"


def missing_in(error: VendorError | None, *, vendor: str, day: bool = True) -> str:
    """What a failure does not say although the reader needs it."""
    if error is None:
        return " [no error at all]"
    wanted: dict[str, object] = {
        "vendor": error.vendor == vendor,
        "endpoint": error.endpoint,
        "advice": error.advice,
    }
    wanted["day"] = not day or error.day
    if error.status is not None:
        wanted["status"] = f"HTTP {error.status}" in str(error)
    gone = [name for name, there in wanted.items() if not there]
    return f" [does not name: {', '.join(gone)}]" if gone else ""


@contextmanager
def open_harness(folder: Path) -> Iterator[FaultHarness]:
    """Serve the small world and point this process at it."""
    suite = SimulatorSuite(world=small_world(DEVICES), wattics_streams=(), history=True)
    suite.set_clock(NOW)
    with no_trust_store(), suite, environment({**PACE, **suite.environment()}):
        yield FaultHarness(suite, folder)
