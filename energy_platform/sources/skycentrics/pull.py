"""SkyCentrics raw frames: the inventory, one round of polls, and whole days folded from them."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.days import day_bounds
from energy_platform.sources.base import DayPull
from energy_platform.sources.columns import split_values
from energy_platform.sources.coverage import Before, DeviceDay, Earlier, nothing_before
from energy_platform.sources.http.errors import AuthenticationError, PermanentError, VendorError
from energy_platform.sources.skycentrics.gateway import LATEST_S, SHOWN, gateway_day
from energy_platform.sources.skycentrics.models import Device
from energy_platform.sources.skycentrics.tables import (
    RAW_SKYCENTRICS_DEVICES,
    RAW_SKYCENTRICS_SAMPLES,
    RAW_SKYCENTRICS_SENSORS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from energy_platform.sources.skycentrics.client import SkycentricsClient
    from energy_platform.sources.skycentrics.landing import Landed, Landing
    from energy_platform.sources.skycentrics.merging import Gap, MergedPolls
    from energy_platform.sources.skycentrics.models import Sensor

log = logging.getLogger(__name__)

NOT_LISTED: Final = "gave samples on the days before, but the account lists it no more"


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


def inventory(client: SkycentricsClient) -> dict[str, pl.DataFrame]:
    """Read the gateways and their sensors.

    Returns:
        ``raw_skycentrics__devices`` and ``raw_skycentrics__sensors``. A gateway that does not
        answer keeps its place by its id, so that it is still polled; the log names it.

    Raises:
        VendorError: The gateways could not be listed, or none of them answered.
    """
    devices: list[Device] = []
    seen: list[tuple[str, Sensor]] = []
    refusals: list[VendorError] = []
    for device_id in client.device_ids():
        try:
            device = client.device(device_id)
            sensors_now = client.newest(device_id).record.sensors or ()
        except AuthenticationError:
            raise
        except VendorError as refused:
            refusals.append(refused)
            devices.append(Device(device_id))
            continue
        devices.append(device)
        seen += [(device_id, sensor) for sensor in sensors_now]
    if refusals and len(refusals) == len(devices):
        raise refusals[0]
    for refusal in refusals:
        log.warning("%s; the inventory holds nothing but its id", refusal)
    sensors = pl.DataFrame(
        [
            {
                "device_id": device_id,
                "sensor_id": sensor.id,
                "name": sensor.name,
                "type": sensor.type,
                "units": sensor.units,
                "at": sensor.time * 1_000_000 if 0 < (sensor.time or 0) < LATEST_S else None,  # type: ignore[operator]
            }
            for device_id, sensor in seen
        ],
        schema={
            **{
                name: dtype
                for name, dtype in RAW_SKYCENTRICS_SENSORS.schema.items()
                if not name.startswith("value")
            },
            "at": pl.Int64(),
        },
    ).cast({"at": RAW_SKYCENTRICS_SENSORS.schema["at"]})
    sensors = sensors.with_columns(*split_values([sensor.data for _, sensor in seen]))
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
    left_out: frozenset[str] = frozenset(),
    earlier: Earlier = nothing_before,
) -> Iterator[DayPull]:
    """Fold whole UTC days, in order; a failing day is named and stops no other.

    Arguments are those of :func:`day`; ``earlier`` says what the days before a day gave.

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
                left_out=left_out,
                before=earlier(one),
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
    left_out: frozenset[str] = frozenset(),
    before: Before | None = None,
) -> DayPull:
    """Fold the polls of one UTC day, and history where polls are missing.

    Args:
        client: The vendor, asked for history only; None folds what has landed.
        landing: Where polls landed.
        day: Partition key.
        until: Exclusive upper bound of all samples: the present, for a day still open.
        device_ids: Gateways that should have been polled.
        poll_s: Seconds between two polls.
        left_out: Gateways that are not read at all.
        before: The sensors that had samples on the days before, by gateway and sensor.

    Returns:
        Rows with day start <= ``at`` < min(day end, ``until``). Gaps are listed, never filled by
        interpolation. A gateway whose history does not answer is partial and costs no other.

    Raises:
        VendorError: Of no gateway anything came, and history did not answer; or there is none.
    """
    start, end = day_bounds(day)
    window = (start, min(end, until))
    spoke: dict[str, set[str]] = {}
    for device_id, sensor_id in before or ():
        spoke.setdefault(device_id, set()).add(sensor_id)
    listed = set(device_ids) - left_out
    merged = sorted((listed | set(landing.gateways(day))) - left_out)
    gone = sorted(set(spoke) - listed - left_out)
    if not merged:
        raise PermanentError(
            "the inventory holds no gateway to read",
            vendor="skycentrics",
            endpoint="devices",
            day=day,
            advice="Materialize the SkyCentrics inventory, and check the rights of the account",
        )
    # One gateway after the other: memory does not grow with their number.
    parts = [
        gateway_day(
            client,
            device_id,
            landing=landing,
            day=day,
            window=window,
            poll_s=poll_s,
            spoke=frozenset(spoke.get(device_id, ())) if end <= until else frozenset(),
        )
        for device_id in merged
    ]
    errors = [part.error for part in parts if part.error is not None]
    if errors and all(part.is_empty for part in parts):
        raise errors[0].about(day=day)
    frame = pl.concat([RAW_SKYCENTRICS_SAMPLES.empty(), *(part.merged.frame for part in parts)])
    left = [gap for part in parts for gap in part.gaps]
    return DayPull(
        day=day,
        frame=frame,
        duplicates=sum(part.merged.duplicates for part in parts),
        conflicts=sum(part.merged.conflicts for part in parts),
        nulls=frame.filter(pl.col("value").is_null() & pl.col("value_text").is_null()).height,
        warnings=(
            *(str(error) for error in errors),
            *(warning for part in parts for warning in part.warnings),
            *(f"skycentrics gateway {one}: {NOT_LISTED}" for one in gone),
            *_gap_warning(left),
            *_clock_warning([part.merged for part in parts]),
        ),
        devices=(
            *(
                _unlisted(part.device) if part.device.device in gone else part.device
                for part in parts
            ),
            *(
                DeviceDay(one, len(spoke[one]), 0, 0, None, None, NOT_LISTED)
                for one in gone
                if one not in merged
            ),
        ),
        rejects=tuple(reject for part in parts for reject in part.rejects),
    )


def _unlisted(device: DeviceDay) -> DeviceDay:
    why = f"{device.why_partial}; {NOT_LISTED}" if device.why_partial else NOT_LISTED
    return device._replace(why_partial=why)


def _gap_warning(left: Sequence[Gap]) -> list[str]:
    if not left:
        return []
    shown = ", ".join(
        f"{gap.device_id} {gap.start:%H:%M:%S} to {gap.end:%H:%M:%S}" for gap in left[:SHOWN]
    )
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    return [f"skycentrics: no polls and no history (UTC): {shown}{more}"]


def _clock_warning(merged: Sequence[MergedPolls]) -> list[str]:
    warnings = []
    if future := sum(one.future for one in merged):
        sensors = [sensor for one in merged for sensor in one.future_sensors]
        more = f" and {len(sensors) - SHOWN} more" if len(sensors) > SHOWN else ""
        warnings.append(
            f"skycentrics: {future} samples stamped ahead of their poll are kept in the "
            f"landing only; check the clock of {', '.join(sensors[:SHOWN])}{more}"
        )
    if untimed := sum(one.untimed for one in merged):
        warnings.append(
            f"skycentrics: {untimed} samples without a time are kept in the landing only"
        )
    return warnings
