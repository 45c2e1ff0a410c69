"""SkyCentrics raw frames: the inventory, one round of polls, and whole days folded from them."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.partitions import day_bounds
from energy_platform.schemas import (
    RAW_SKYCENTRICS_DEVICES,
    RAW_SKYCENTRICS_SAMPLES,
    RAW_SKYCENTRICS_SENSORS,
)
from energy_platform.vendors.errors import (
    AuthenticationError,
    ContractError,
    PermanentError,
    VendorError,
)
from energy_platform.vendors.skycentrics.fold import (
    Folded,
    Gap,
    fold,
    gaps,
    observed_in_history,
    observed_in_polls,
    record_instants,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from energy_platform.vendors.coverage import DeviceDay, Reject
    from energy_platform.vendors.skycentrics.client import SkycentricsClient
    from energy_platform.vendors.skycentrics.landing import Landed, Landing
    from energy_platform.vendors.skycentrics.models import Record

log = logging.getLogger(__name__)

POLLS_MISSED: Final = 3
"""Poll periods without a poll that make a gap."""

SHOWN: Final = 3
"""Gaps or sensors a warning spells out; the others are counted."""


class PollReport(NamedTuple):
    """One round of polls.

    Attributes:
        landed: What each gateway brought, now on disk.
        failed: Why a gateway brought nothing.
        late_days: Earlier days that got samples and are due to be folded again.
    """

    landed: dict[str, Landed]
    failed: dict[str, VendorError]
    late_days: frozenset[str]


class DayPull(NamedTuple):
    """What one day of a pull came to.

    Attributes:
        day: The UTC day.
        frame: Rows of raw_skycentrics__samples; None when the day failed.
        error: Why the day failed.
        polls: Polls of the day in the landing.
        from_history: Rows that history filled in.
        duplicates: Samples seen again unchanged.
        conflicts: Samples that another poll gave another value for.
        nulls: Rows without a number and without a text.
        untimed: Samples without a time or with time zero; in the landing only.
        future: Samples more than five minutes ahead of their poll; in the landing only.
        backward: Samples older than what their sensor had said before; among the rows.
        torn: Lines of the landing that were cut off before they were acknowledged.
        gaps: Stretches that neither polls nor history cover.
        warnings: What somebody should look at, one sentence each.
        devices: What each device gave, and why it is not whole where it is not.
    """

    day: str
    frame: pl.DataFrame | None
    error: VendorError | None = None
    polls: int = 0
    from_history: int = 0
    duplicates: int = 0
    conflicts: int = 0
    nulls: int = 0
    untimed: int = 0
    future: int = 0
    backward: int = 0
    torn: int = 0
    gaps: tuple[Gap, ...] = ()
    warnings: tuple[str, ...] = ()
    devices: tuple[DeviceDay, ...] = ()
    rejects: tuple[Reject, ...] = ()


def inventory(client: SkycentricsClient) -> dict[str, pl.DataFrame]:
    """Read the gateways and their sensors.

    Returns:
        ``raw_skycentrics__devices`` and ``raw_skycentrics__sensors``.

    Raises:
        VendorError: A gateway could not be read.
    """
    device_ids = client.device_ids()
    devices = [client.device(device_id) for device_id in device_ids]
    seen = [
        (device_id, sensor)
        for device_id in device_ids
        for sensor in client.newest(device_id).record.sensors or ()
    ]
    sensors = pl.DataFrame(
        [
            {
                "device_id": device_id,
                "sensor_id": sensor.id,
                "name": sensor.name,
                "type": sensor.type,
                "units": sensor.units,
                "at": sensor.time * 1_000_000 if sensor.time and sensor.time > 0 else None,
            }
            for device_id, sensor in seen
        ],
        schema={**RAW_SKYCENTRICS_SENSORS.schema, "at": pl.Int64()},
    ).cast({"at": RAW_SKYCENTRICS_SENSORS.schema["at"]})
    tables = {
        RAW_SKYCENTRICS_DEVICES: pl.DataFrame(
            [
                {
                    "id": str(device.id),
                    "name": None if device.name is None else str(device.name),
                    "type": device.type,
                    "group": device.group,
                    "mac": None if device.mac is None else str(device.mac),
                }
                for device in devices
            ],
            schema=RAW_SKYCENTRICS_DEVICES.schema,
        ),
        RAW_SKYCENTRICS_SENSORS: sensors,
    }
    return {
        table.name: frame.unique(subset=table.sort_key, keep="first", maintain_order=True).sort(
            table.sort_key
        )
        for table, frame in tables.items()
    }


def poll(
    client: SkycentricsClient,
    *,
    landing: Landing,
    device_ids: Sequence[str],
    now: Callable[[], datetime],
) -> PollReport:
    """Ask every gateway once and put the answers on disk; one failing gateway stops no other.

    Args:
        client: The vendor.
        landing: Where polls land.
        device_ids: Gateways.
        now: The present.

    Raises:
        OSError: The disk refuses; what is in the report of no poll is not acknowledged.
    """

    def ask(device_id: str) -> Landed | VendorError:
        try:
            asked_at = now()
            newest = client.newest(device_id)
        except VendorError as error:
            return error
        return landing.append(device_id=device_id, polled_at=asked_at, body=newest.body)

    workers = max(1, min(len(device_ids), client.settings.max_in_flight))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="skycentrics") as pool:
        answers = dict(zip(device_ids, pool.map(ask, device_ids), strict=True))
    landed = {
        device_id: answer
        for device_id, answer in answers.items()
        if not isinstance(answer, VendorError)
    }
    return PollReport(
        landed,
        {key: answer for key, answer in answers.items() if isinstance(answer, VendorError)},
        frozenset().union(*(one.late_days for one in landed.values())),
    )


def days(
    client: SkycentricsClient | None,
    *,
    landing: Landing,
    days: Sequence[str],
    until: datetime,
    device_ids: Sequence[str],
    poll_s: int,
) -> Iterator[DayPull]:
    """Fold whole UTC days, in order; a failing day is named and stops no other.

    Arguments are those of :func:`day`.

    Raises:
        AuthenticationError: The credentials are refused; no gap can be filled.
    """
    for one in sorted(set(days)):
        try:
            yield day(
                client,
                landing=landing,
                day=one,
                until=until,
                device_ids=device_ids,
                poll_s=poll_s,
            )
        except AuthenticationError:
            raise
        except VendorError as error:
            yield DayPull(one, None, error.about(day=one))


def day(
    client: SkycentricsClient | None,
    *,
    landing: Landing,
    day: str,
    until: datetime,
    device_ids: Sequence[str],
    poll_s: int,
) -> DayPull:
    """Fold the polls of one UTC day, and history where polls are missing.

    Args:
        client: The vendor, asked for history only; None folds what has landed.
        landing: Where polls landed.
        day: Partition key.
        until: Exclusive upper bound of all samples: the present, for a day still open.
        device_ids: Gateways that should have been polled.
        poll_s: Seconds between two polls.

    Returns:
        Rows with day start <= ``at`` < min(day end, ``until``). Gaps are listed, never filled by
        interpolation.

    Raises:
        VendorError: History exists but did not answer; the polls stay in the landing.
    """
    start, end = day_bounds(day)
    window = (start, min(end, until))
    # One gateway after the other: memory does not grow with their number.
    parts = [
        _gateway(client, device_id, landing=landing, day=day, window=window, poll_s=poll_s)
        for device_id in sorted(set(device_ids) | set(landing.gateways(day)))
    ]
    frame = pl.concat([RAW_SKYCENTRICS_SAMPLES.empty(), *(part.folded.frame for part in parts)])
    left = [gap for part in parts for gap in part.gaps]
    return DayPull(
        day=day,
        frame=frame,
        polls=sum(part.polls for part in parts),
        from_history=frame.filter(pl.col("source") == "history").height,
        duplicates=sum(part.folded.duplicates for part in parts),
        conflicts=sum(part.folded.conflicts for part in parts),
        nulls=frame.filter(pl.col("value").is_null() & pl.col("value_text").is_null()).height,
        untimed=sum(part.folded.untimed for part in parts),
        future=sum(part.folded.future for part in parts),
        backward=sum(part.folded.backward for part in parts),
        torn=sum(part.torn for part in parts),
        gaps=tuple(left),
        warnings=(
            *(warning for part in parts for warning in part.warnings),
            *_gap_warning(left),
            *_clock_warning([part.folded for part in parts]),
        ),
    )


class _Gateway(NamedTuple):
    """The day of one gateway."""

    folded: Folded
    polls: int
    torn: int
    gaps: list[Gap]
    warnings: list[str]


def _gateway(
    client: SkycentricsClient | None,
    device_id: str,
    *,
    landing: Landing,
    day: str,
    window: tuple[datetime, datetime],
    poll_s: int,
) -> _Gateway:
    start, end = window
    polls = landing.polls(day, device_id=device_id)
    had = set(polls.own.get(device_id, ()))
    tolerance = timedelta(seconds=POLLS_MISSED * poll_s)
    left = gaps(device_id, had, start=start, end=end, tolerance=tolerance)
    observed = observed_in_polls(polls.lines)
    warnings: list[str] = []
    if left and client is not None and client.settings.history != "off":
        records, warnings = _history(
            client, device_id, start=start, end=end, day=day, has_polls=bool(had)
        )
        if records:
            observed = pl.concat([observed, observed_in_history(device_id, records)])
            stamped = record_instants([record.time for record in records]).drop_nulls()
            had.update(stamped)
            tolerance = max(tolerance, 2 * timedelta(minutes=client.settings.history_gap))
            left = gaps(device_id, had, start=start, end=end, tolerance=tolerance)
    return _Gateway(
        fold(observed, start=start, end=end),
        polls=len(polls.own.get(device_id, ())),
        torn=polls.torn,
        gaps=left,
        warnings=warnings,
    )


def _history(
    client: SkycentricsClient,
    device_id: str,
    *,
    start: datetime,
    end: datetime,
    day: str,
    has_polls: bool,
) -> tuple[list[Record], list[str]]:
    """Read the history of a gateway with gaps, as far as the account has it.

    A refusal leaves the gaps between polls open; a day that has nothing but history to come from
    fails by it, since it must not pass for a day without samples.
    """
    is_certain = client.settings.history == "on"
    if not is_certain and not client.probe_history(device_id):
        return [], []
    try:
        return client.history(device_id, start=start, end=end, day=day), []
    except (AuthenticationError, ContractError):
        raise
    except PermanentError as error:
        if is_certain or not has_polls:
            raise
        return [], [f"{error}; its gaps stay open"]


def _gap_warning(left: Sequence[Gap]) -> list[str]:
    if not left:
        return []
    shown = ", ".join(
        f"{gap.device_id} {gap.start:%H:%M:%S} to {gap.end:%H:%M:%S}" for gap in left[:SHOWN]
    )
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    return [f"skycentrics: no polls and no history (UTC): {shown}{more}"]


def _clock_warning(folded: Sequence[Folded]) -> list[str]:
    warnings = []
    if future := sum(one.future for one in folded):
        sensors = [sensor for one in folded for sensor in one.future_sensors]
        more = f" and {len(sensors) - SHOWN} more" if len(sensors) > SHOWN else ""
        warnings.append(
            f"skycentrics: {future} samples stamped ahead of their poll are kept in the "
            f"landing only; check the clock of {', '.join(sensors[:SHOWN])}{more}"
        )
    if untimed := sum(one.untimed for one in folded):
        warnings.append(
            f"skycentrics: {untimed} samples without a time are kept in the landing only"
        )
    return warnings
