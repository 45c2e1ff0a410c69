"""One datapoint over a stretch of days: halving what fails, following a transferred device."""

from __future__ import annotations

import threading
from collections import Counter
from copy import copy
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.days import contiguous, day_bounds, day_range
from energy_platform.identity import APART, is_told_apart
from energy_platform.sources.belimo.buckets import Buckets, at_ends
from energy_platform.sources.belimo.decoding import EMPTY, Odd
from energy_platform.sources.belimo.proof import OPEN_END, Doubt, Whole, Window, whole
from energy_platform.sources.belimo.samples import MILLISECOND, Answer
from energy_platform.sources.coverage import is_known_silent, nothing_before
from energy_platform.sources.http.errors import (
    AuthenticationError,
    PermanentError,
    TransientError,
    VendorError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.sources.belimo.client import BelimoClient
    from energy_platform.sources.belimo.models import Device
    from energy_platform.sources.coverage import Earlier

BREAKER: Final = 3
"""Single days that may fail in a row before the vendor is asked whether it is there at all."""

WITNESSES: Final = 3
"""Other devices that are asked before the vendor counts as down."""

REFUSING: Final = 3
"""Devices that may refuse everything, while none answers, before days are no longer halved."""

GONE: Final = frozenset({403, 404})
"""Answers of a data scope that no longer belongs to the account: the device was transferred."""


class Plan(NamedTuple):
    """A datapoint to read.

    Attributes:
        device_id: Data scope.
        datapoint_id: Datapoint.
        serial_number: The device as users know it.
        profile_id: Its dataprofile, None when the cloud knows none.
        is_text: Whether its values are texts, which resampled history leaves out.
        production_id: What stays of a device besides its serial number, None when not known.
    """

    device_id: str
    datapoint_id: str
    serial_number: str
    profile_id: str | None
    is_text: bool = False
    production_id: str | None = None


class Chunk(NamedTuple):
    """What came for one datapoint over the days from ``first`` to ``last``."""

    plan: Plan
    first: str
    last: str
    found: Whole


class Failure(NamedTuple):
    """Why a datapoint could not be read on a day."""

    plan: Plan
    day: str
    error: VendorError


class Reader:
    """Reads plans over days from several threads and remembers what failed.

    Args:
        client: The vendor.
        plans: All that is to be read.
        known: Pairs of dataprofile and datapoint id that exist by definition.
        earlier: What the days before gave.
    """

    def __init__(
        self,
        client: BelimoClient,
        *,
        plans: Sequence[Plan],
        known: frozenset[tuple[str, str]],
        earlier: Earlier = nothing_before,
    ) -> None:
        self._client = client
        self._plans = plans
        self._known = known
        self._earlier = earlier
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._down: VendorError | None = None
        self._warnings: list[str] = []
        self._current: dict[str, Device | None] = {}
        self._answering: set[str] = set()
        self._refusing: set[str] = set()
        self.failures: list[Failure] = []

    def take_warnings(self) -> tuple[str, ...]:
        """Return what was noted since the last call, each once."""
        with self._lock:
            noted = tuple(sorted(set(self._warnings)))
            self._warnings.clear()
        return noted

    def read(self, plan: Plan, *, days: Sequence[str], until: datetime) -> list[Chunk]:
        """Read one datapoint; days that fail are put into ``failures``.

        Raises:
            AuthenticationError: The credentials are refused.
        """
        chunks: list[Chunk] = []
        open_days = [day for day in days if day_bounds(day)[0] < until]
        for first, last in contiguous(open_days):
            chunks += self._range(plan, days=day_range(first, last), until=until)
        if open_days:
            with self._lock:
                answers = self._answering if chunks else self._refusing
                answers.add(plan.serial_number)
        return chunks

    def _range(self, plan: Plan, *, days: list[str], until: datetime) -> list[Chunk]:
        with self._lock:
            down = self._down
        if down is not None:
            self._fail(plan, days=days, error=down)
            return []
        try:
            return [self._ask(plan, days=days, until=until)]
        except AuthenticationError:
            raise
        except VendorError as error:
            if len(days) == 1 or self._expects_refusal(plan):
                self._fail(plan, days=days, error=error)
                self._look_whether_down(plan, day=days[0], error=error)
                return []
        half = len(days) // 2
        return [
            *self._range(plan, days=days[:half], until=until),
            *self._range(plan, days=days[half:], until=until),
        ]

    def _expects_refusal(self, plan: Plan) -> bool:
        """Say whether halving is a waste: the device, or every device so far, refused all days."""
        with self._lock:
            refuses = plan.serial_number in self._refusing - self._answering
            return refuses or (not self._answering and len(self._refusing) >= REFUSING)

    def _fail(self, plan: Plan, *, days: Sequence[str], error: VendorError) -> None:
        for day in days:
            # The same fault may fail many days: each has an error of its own that names it.
            named = copy(error)
            named.day = day
            with self._lock:
                self.failures.append(Failure(plan, day, named))

    def _look_whether_down(self, plan: Plan, *, day: str, error: VendorError) -> None:
        """After several failures in a row, stop asking if nothing else can be had either.

        A refusal of the version, such as of a path that is closed, says nothing about the devices,
        nor does its failure while other devices answer.
        """
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row < BREAKER:
                return
            self._in_a_row = 0
        try:
            self._client.api_info()
        except TransientError:
            if not any(self._answers(other, day=day) for other in self._others(plan)):
                with self._lock:
                    self._down = error
        except VendorError:
            return

    def _others(self, plan: Plan) -> list[Plan]:
        """Return a datapoint of each of some other devices, those that answered first."""
        others = {one.serial_number: one for one in self._plans}
        with self._lock:
            answering = set(self._answering)
        others.pop(plan.serial_number, None)
        return sorted(others.values(), key=lambda one: one.serial_number not in answering)[
            :WITNESSES
        ]

    def _answers(self, plan: Plan, *, day: str) -> bool:
        start = day_bounds(day)[0]
        try:
            self._client.history(
                plan.device_id, plan.datapoint_id, start=start, end=start + timedelta(hours=1)
            )
        except VendorError:
            return False
        return True

    def _ask(self, plan: Plan, *, days: Sequence[str], until: datetime) -> Chunk:
        current = self._moved(plan)
        try:
            found = self._fetch(current, days=days, until=until)
        except PermanentError as error:
            if error.status not in GONE:
                raise
            successor = self._look_up(plan)
            if successor is None:
                why = f"HTTP {error.status}: no longer visible to this account"
                self._note(f"belimo device {plan.serial_number}: {why}; nothing read")
                found = _nothing(days, why=why)
            elif successor.id != current.device_id:
                current = current._replace(
                    device_id=successor.id, profile_id=successor.profile_id or plan.profile_id
                )
                self._note(
                    f"belimo device {plan.serial_number}: transferred, its data scope is now "
                    f"{successor.id}"
                )
                found = self._fetch(current, days=days, until=until)
            elif self._exists(current, device=successor):
                raise
            else:
                self._note(
                    f"belimo device {plan.serial_number}: the vendor knows no datapoint "
                    f"{plan.datapoint_id}; remove it from the portfolio"
                )
                found = _nothing(days)
        with self._lock:
            self._in_a_row = 0
        if found.cut:
            self._note(
                f"belimo device {plan.serial_number}: the vendor cuts its answers; {found.cut} "
                f"samples of {plan.datapoint_id} came only when they were asked for again"
            )
        return Chunk(current, days[0], days[-1], found)

    def _moved(self, plan: Plan) -> Plan:
        """Return the plan under the id its device is known to have now."""
        with self._lock:
            found = self._current.get(plan.serial_number)
        if found is None or found.id == plan.device_id:
            return plan
        return plan._replace(device_id=found.id, profile_id=found.profile_id or plan.profile_id)

    def _look_up(self, plan: Plan) -> Device | None:
        """Find the device by its serial number, once per run."""
        with self._lock:
            if plan.serial_number in self._current:
                return self._current[plan.serial_number]
        own_id = plan.production_id
        serial = plan.serial_number
        if is_told_apart(serial, own_id=own_id):
            serial = serial.removesuffix(f"{APART}{own_id}")
        found = self._client.device_by_serial(serial, production_id=own_id)
        with self._lock:
            self._current[plan.serial_number] = found
        return found

    def _exists(self, plan: Plan, *, device: Device) -> bool:
        if plan.profile_id is not None and (plan.profile_id, plan.datapoint_id) in self._known:
            return True
        state = device.state
        return bool(state and state.datapoints and plan.datapoint_id in state.datapoints)

    def _note(self, warning: str) -> None:
        with self._lock:
            self._warnings.append(warning)

    def _fetch(self, plan: Plan, *, days: Sequence[str], until: datetime) -> Whole:
        start, end = day_bounds(days[0])[0], day_bounds(days[-1])[1]
        before = self._earlier(days[0])
        series = (plan.device_id, plan.datapoint_id)
        window = Window(
            start,
            min(end, until),
            is_open=end > until,
            step=MILLISECOND,
            before=None if before is None else before.get(series),
            is_silent=is_known_silent(series, before),
        )
        asked = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        if self._client.settings.history_mode == "raw":
            return self._samples(plan, window=window, asked=asked)
        return self._buckets(plan, window=window, asked=asked)

    def _samples(self, plan: Plan, *, window: Window, asked: str) -> Whole:
        def ask(low: datetime, high: datetime) -> Answer:
            return self._client.history(
                plan.device_id,
                plan.datapoint_id,
                start=low,
                end=high,
                day=asked,
                cadence=window.cadence,
                end_tolerance=OPEN_END if window.is_open and high == window.end else timedelta(0),
            )

        return whole(ask, window=window)

    def _buckets(self, plan: Plan, *, window: Window, asked: str) -> Whole:
        grid = Buckets.of(self._client.settings.resolution)
        if not any(grid.requests(window.start, window.end, most=1)):
            # Buckets longer than the window: none ends in it.
            return Whole(EMPTY, Counter())

        def ask(low: datetime, high: datetime) -> Answer:
            return self._bucketed(plan, low=low, high=high, grid=grid, asked=asked)

        is_known = (plan.profile_id, plan.datapoint_id) in self._known
        left_out = "asked for twice and left out of the answer"
        return whole(
            ask,
            window=window._replace(
                step=grid.width,
                left_out_why=left_out if is_known and not plan.is_text else "",
            ),
        )

    def _bucketed(
        self, plan: Plan, *, low: datetime, high: datetime, grid: Buckets, asked: str
    ) -> Answer:
        """Read the buckets that end in ``[low, high)``, each at its end."""
        settings = self._client.settings
        frames = [EMPTY]
        odd: Counter[Odd] = Counter()
        left_out = True
        for request in grid.requests(low, high, most=settings.max_points):
            answer = self._client.buckets(
                plan.device_id,
                [plan.datapoint_id],
                start=request.start,
                end=request.end,
                resolution=request.resolution,
                day=asked,
            )[plan.datapoint_id]
            found = at_ends(answer.frame, request=request, width=grid.width)
            frames.append(found.frame)
            odd += answer.odd + Counter(found.odd)
            left_out = left_out and answer.left_out
        return Answer(pl.concat(frames), odd, left_out=left_out)


def _nothing(days: Sequence[str], *, why: str = "") -> Whole:
    start, end = day_bounds(days[0])[0], day_bounds(days[-1])[1]
    return Whole(EMPTY, Counter(), (Doubt(start, end, why),) if why else ())
