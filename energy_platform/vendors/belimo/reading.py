"""One datapoint over a stretch of days: halving what fails, following a transferred device."""

from __future__ import annotations

import threading
from copy import copy
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.partitions import contiguous, day_bounds, day_range
from energy_platform.vendors.errors import AuthenticationError, PermanentError, VendorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.vendors.belimo.client import BelimoClient
    from energy_platform.vendors.belimo.models import Device

BREAKER: Final = 3
"""Single days that may fail in a row before the vendor is asked whether it is there at all."""

GONE: Final = frozenset({403, 404})
"""Answers of a data scope that no longer belongs to the account: the device was transferred."""

_WIDTHS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Plan(NamedTuple):
    """A datapoint to read."""

    device_id: str
    datapoint_id: str
    serial_number: str
    profile_id: str | None


class Piece(NamedTuple):
    """What came for one datapoint over the days from ``first`` to ``last``."""

    plan: Plan
    first: str
    last: str
    frame: pl.DataFrame


class Reader:
    """Reads plans over days from several threads and remembers which days failed.

    Args:
        client: The vendor.
        known: Pairs of dataprofile and datapoint id that exist by definition.
    """

    def __init__(self, client: BelimoClient, *, known: frozenset[tuple[str, str]]) -> None:
        self._client = client
        self._known = known
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._down: VendorError | None = None
        self._warnings: list[str] = []
        self._current: dict[str, Device | None] = {}
        self.failed: dict[str, VendorError] = {}

    def take_warnings(self) -> tuple[str, ...]:
        """Return what was noted since the last call, each once."""
        with self._lock:
            noted = tuple(sorted(set(self._warnings)))
            self._warnings.clear()
        return noted

    def read(self, plan: Plan, *, days: Sequence[str], until: datetime) -> list[Piece]:
        """Read one datapoint; days that fail are put into ``failed``.

        Raises:
            AuthenticationError: The credentials are refused.
        """
        pieces: list[Piece] = []
        open_days = [day for day in days if day_bounds(day)[0] < until]
        for first, last in contiguous(open_days):
            pieces += self._range(plan, days=day_range(first, last), until=until)
        return pieces

    def _range(self, plan: Plan, *, days: list[str], until: datetime) -> list[Piece]:
        with self._lock:
            down = self._down
            # A day that failed for another datapoint cannot be complete any more.
            alive = [day for day in days if day not in self.failed]
        if down is not None:
            for day in alive:
                self._fail(day, down)
            return []
        if alive != days:
            return [
                piece
                for first, last in contiguous(alive)
                for piece in self._range(plan, days=day_range(first, last), until=until)
            ]
        try:
            return [self._ask(plan, days=days, until=until)]
        except AuthenticationError:
            raise
        except VendorError as error:
            if len(days) == 1:
                self._fail(days[0], error)
                self._look_whether_down(error)
                return []
        half = len(days) // 2
        return [
            *self._range(plan, days=days[:half], until=until),
            *self._range(plan, days=days[half:], until=until),
        ]

    def _fail(self, day: str, error: VendorError) -> None:
        # The same fault may fail many days: each has an error of its own that names it.
        named = copy(error)
        named.day = day
        with self._lock:
            self.failed.setdefault(day, named)

    def _look_whether_down(self, error: VendorError) -> None:
        """After several failures in a row, stop asking if even the version cannot be had."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row < BREAKER:
                return
            self._in_a_row = 0
        try:
            self._client.api_info()
        except VendorError:
            with self._lock:
                self._down = error

    def _ask(self, plan: Plan, *, days: Sequence[str], until: datetime) -> Piece:
        current = self._moved(plan)
        try:
            frame = self._fetch(current, days=days, until=until)
        except PermanentError as error:
            if error.status not in GONE:
                raise
            successor = self._look_up(plan)
            if successor is None:
                self._note(
                    f"belimo device {plan.serial_number}: no longer visible to this account; "
                    "nothing read"
                )
                frame = _EMPTY
            elif successor.id != current.device_id:
                current = current._replace(
                    device_id=successor.id, profile_id=successor.profile_id or plan.profile_id
                )
                self._note(
                    f"belimo device {plan.serial_number}: transferred, its data scope is now "
                    f"{successor.id}"
                )
                frame = self._fetch(current, days=days, until=until)
            elif self._exists(current, device=successor):
                raise
            else:
                self._note(
                    f"belimo device {plan.serial_number}: the vendor knows no datapoint "
                    f"{plan.datapoint_id}; remove it from the portfolio"
                )
                frame = _EMPTY
        with self._lock:
            self._in_a_row = 0
        return Piece(current, days[0], days[-1], frame)

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
        found = self._client.device_by_serial(plan.serial_number)
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

    def _fetch(self, plan: Plan, *, days: Sequence[str], until: datetime) -> pl.DataFrame:
        start, end = day_bounds(days[0])[0], min(day_bounds(days[-1])[1], until)
        asked = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        settings = self._client.settings
        if settings.history_mode == "raw":
            return self._client.samples(
                plan.device_id, plan.datapoint_id, start=start, end=end, day=asked
            )
        width = resolution_width(settings.resolution)
        step = width * max(1, min(settings.max_points, timedelta(days=len(days)) // width))
        parts = []
        while start < end:
            stop = min(start + step, end)
            parts.append(
                self._client.timeseries(
                    plan.device_id,
                    [plan.datapoint_id],
                    start=start,
                    end=stop,
                    resolution=settings.resolution,
                    day=asked,
                )[plan.datapoint_id]
            )
            start = stop
        # The bucket that is not over yet is provisional.
        return pl.concat(parts).filter(pl.col("at") + width <= until)


_EMPTY: Final = pl.DataFrame(
    schema={"at": pl.Datetime("us", "UTC"), "value": pl.Float64(), "value_text": pl.String()}
)


def resolution_width(resolution: str) -> timedelta:
    """Return the width of a bucket such as ``15m``.

    Raises:
        ValueError: It is not a duration that divides a UTC day.
    """
    number, unit = resolution[:-1], resolution[-1:]
    seconds = int(number) * _WIDTHS[unit] if number.isdigit() and unit in _WIDTHS else 0
    if seconds <= 0 or 86_400 % seconds:
        raise ValueError(
            f"BELIMO_RESOLUTION: expected a duration that divides a day, such as 15m or 1h, "
            f"came {resolution!r}"
        )
    return timedelta(seconds=seconds)
