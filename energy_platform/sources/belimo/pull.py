"""Belimo raw frames: the inventory, and whole days of samples.

The account may ask twice a second, so a run asks for long stretches: one chain of pages per
datapoint over many days, split by day at the end. A stretch that fails is halved until the failing
days stand alone; the others still come.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.days import day_bounds
from energy_platform.sources.base import DayPull
from energy_platform.sources.belimo.reading import Chunk, Failure, Plan, Reader
from energy_platform.sources.belimo.tables import (
    RAW_BELIMO_DATAPROFILES,
    RAW_BELIMO_DEVICES,
    RAW_BELIMO_SAMPLES,
)
from energy_platform.sources.belimo.wholeness import (
    NOT_VISIBLE,
    Planned,
    device_days,
    rejects_of,
)
from energy_platform.sources.columns import deduplicate, instants
from energy_platform.sources.coverage import nothing_before
from energy_platform.sources.http.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from energy_platform.sources.belimo.client import BelimoClient
    from energy_platform.sources.belimo.models import Device
    from energy_platform.sources.coverage import Earlier

log = logging.getLogger(__name__)

ENERGY_AND_POWER: Final = frozenset({"J", "kJ", "MJ", "GJ", "Wh", "kWh", "MWh", "W", "kW"})
"""Profile units that are read from a device the portfolio does not know: nothing cumulative is
lost while it waits to be described."""

TEXT: Final = "text"
"""Base type of datapoints that resampled history leaves out."""

EXPECTED_PER_DAY: Final = 960
"""Samples of a datapoint and day that are planned for: one every 90 s."""

ROWS_IN_MEMORY: Final = 1_500_000
"""Rows that a stretch of days is planned to hold; bounds the memory of any range."""

FIRST_STRETCH: Final = 2
"""Days asked for before the cadence is known: a full page at the usual one."""

MAX_STRETCH: Final = 14
"""Days asked for at once: seven full pages at the usual cadence, hardly a request wasted."""


def inventory(client: BelimoClient) -> dict[str, pl.DataFrame]:
    """Read the registered devices and the datapoints of the dataprofiles in use.

    Returns:
        ``raw_belimo__devices`` and ``raw_belimo__dataprofiles``. A profile the vendor no longer
        knows is left out with a warning in the log.

    Raises:
        VendorError: A list could not be read whole.
    """
    devices = client.devices()
    definitions: list[dict[str, object]] = []
    for profile_id in sorted({device.profile_id for device in devices if device.profile_id}):
        try:
            profile = client.dataprofile(profile_id)
        except PermanentError as error:
            if error.status not in {403, 404}:
                raise
            log.warning("%s; its datapoints stay unknown", error)
            continue
        definitions += [
            {
                "dataprofile": profile_id,
                "datapoint_id": point.id,
                "name": point.feature("default.name"),
                "basetype": point.feature("default.basetype"),
                "access": point.feature("default.access"),
                "description": point.feature("default.description"),
                "unit": point.unit,
            }
            for point in profile.datapoints or ()
        ]
    tables = {
        RAW_BELIMO_DEVICES: pl.DataFrame(
            [_device_row(device) for device in devices], schema=RAW_BELIMO_DEVICES.schema
        ),
        RAW_BELIMO_DATAPROFILES: pl.DataFrame(definitions, schema=RAW_BELIMO_DATAPROFILES.schema),
    }
    return {
        table.name: frame.unique(subset=table.sort_key, keep="first", maintain_order=True).sort(
            table.sort_key
        )
        for table, frame in tables.items()
    }


def _device_row(device: Device) -> dict[str, object]:
    health = device.health
    return {
        "id": device.id,
        "serial_number": device.serial,
        "production_id": _text(device.production_id),
        "display_name": _text(device.display_name),
        "material_number": _text(device.material_number),
        "device_type": _text(device.device_type),
        "dataprofile": device.profile_id,
        "health_state": health.state if health else None,
        "last_seen_at": _instant(health.last_seen) if health else None,
        "project_name": _text(device.project_name),
        "address_city": _text(device.address_city),
        "address_country": _text(device.address_country),
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _instant(said: str | None) -> datetime | None:
    """Read an instant of the inventory; one that cannot be read is not worth a failed inventory."""
    if not said:
        return None
    try:
        at: datetime = instants([said])[0]
    except ValueError:
        return None
    return at


def days(
    client: BelimoClient,
    *,
    days: Sequence[str],
    until: datetime,
    devices: pl.DataFrame,
    profiles: pl.DataFrame,
    wanted: Mapping[str, frozenset[str]] | None = None,
    left_out: frozenset[str] = frozenset(),
    earlier: Earlier = nothing_before,
) -> Iterator[DayPull]:
    """Read whole UTC days of samples, in order.

    Args:
        client: The vendor.
        days: Partition keys, with or without gaps.
        until: Exclusive upper bound of all samples: the present, for a day still open.
        devices: ``raw_belimo__devices``.
        profiles: ``raw_belimo__dataprofiles``.
        wanted: Datapoints by serial number, from the portfolio. A device it does not name is read
            for what its profile counts in joules or watts (and their like).
        left_out: Serial numbers that are not read at all.
        earlier: What the days before gave, by data scope and datapoint.

    Yields:
        Each day once, ascending: its rows with day start <= ``at`` < min(day end, ``until``), and
        device by device why it may not be whole; or the error that kept every device from it.

    Raises:
        AuthenticationError: The credentials are refused; no day can come.
    """
    planned = _plans(devices, profiles=profiles, wanted=wanted or {}, left_out=left_out)
    if not planned.plans:
        # An account that sees nothing has lost a right; its days are unknown, not empty.
        for day in sorted(set(days)):
            yield DayPull(
                day,
                None,
                _nothing_to_read(day),
                warnings=planned.warnings,
                devices=device_days(planned, [], [], day=day, until=until, since={}),
            )
        return
    reader = Reader(client, plans=planned.plans, known=_known(profiles), earlier=earlier)
    todo = sorted(set(days))
    length = min(FIRST_STRETCH, _stretch(series=len(planned.plans), per_day=EXPECTED_PER_DAY))
    while todo:
        stretch = todo[:length]
        todo = todo[len(stretch) :]
        with ThreadPoolExecutor(
            max_workers=client.settings.max_in_flight, thread_name_prefix="belimo"
        ) as pool:
            chunks = [
                chunk
                for found in pool.map(
                    lambda plan: reader.read(plan, days=stretch, until=until),  # noqa: B023
                    planned.plans,
                )
                for chunk in found
            ]
        chunks.sort(key=lambda chunk: (chunk.plan.device_id, chunk.plan.datapoint_id))
        densest = max((chunk.found.frame.height for chunk in chunks), default=0) // len(stretch)
        length = _stretch(series=len(planned.plans), per_day=max(EXPECTED_PER_DAY, densest))
        said = (*planned.warnings, *reader.take_warnings())
        since: dict[Plan, str] = {}
        for failure in reader.failures:
            since[failure.plan] = min(failure.day, since.get(failure.plan, failure.day))
        for day in stretch:
            yield _day(
                day,
                planned=planned,
                chunks=[one for one in chunks if one.first <= day <= one.last],
                failures=[one for one in reader.failures if one.day == day],
                since=since,
                until=until,
                warnings=said,
            )


def _nothing_to_read(day: str) -> PermanentError:
    return PermanentError(
        "the inventory holds no datapoint to read",
        vendor="belimo",
        endpoint="devices",
        day=day,
        advice="Materialize the Belimo inventory, and check the rights of the user",
    )


def _stretch(*, series: int, per_day: int) -> int:
    return max(1, min(MAX_STRETCH, ROWS_IN_MEMORY // max(1, series * per_day)))


def _plans(
    devices: pl.DataFrame,
    *,
    profiles: pl.DataFrame,
    wanted: Mapping[str, frozenset[str]],
    left_out: frozenset[str],
) -> Planned:
    """Decide which datapoints of which devices are read."""
    counted: dict[str, list[str]] = {}
    texts: set[tuple[str, str]] = set()
    for profile, point, unit, kind in profiles.select(
        "dataprofile", "datapoint_id", "unit", "basetype"
    ).iter_rows():
        if unit in ENERGY_AND_POWER:
            counted.setdefault(profile, []).append(point)
        if kind == TEXT:
            texts.add((profile, point))
    known = set(profiles["dataprofile"])
    plans: list[Plan] = []
    warnings: list[str] = []
    for device_id, serial, production_id, profile in devices.select(
        "id", "serial_number", "production_id", "dataprofile"
    ).iter_rows():
        if serial in left_out:
            continue
        if serial in wanted:
            points = sorted(wanted[serial])
        elif profile is None or profile not in known:
            warnings.append(
                f"belimo device {serial}: no known dataprofile and not in the portfolio; not read"
            )
            continue
        else:
            points = sorted(counted.get(profile, []))
        plans += [
            Plan(
                device_id,
                point,
                serial,
                profile,
                is_text=(profile, point) in texts,
                production_id=production_id,
            )
            for point in points
        ]
    visible = set(devices["serial_number"])
    unseen = {
        serial: points
        for serial, points in sorted(wanted.items())
        if serial not in visible and serial not in left_out
    }
    warnings += [f"belimo device {serial}: {NOT_VISIBLE}" for serial in unseen]
    return Planned(
        plans, {serial: len(points) for serial, points in unseen.items()}, tuple(warnings)
    )


def _known(profiles: pl.DataFrame) -> frozenset[tuple[str, str]]:
    return frozenset(profiles.select("dataprofile", "datapoint_id").iter_rows())


def _day(
    day: str,
    *,
    planned: Planned,
    chunks: Sequence[Chunk],
    failures: Sequence[Failure],
    since: Mapping[Plan, str],
    until: datetime,
    warnings: tuple[str, ...],
) -> DayPull:
    start, end = day_bounds(day)
    end = min(end, until)
    devices = device_days(planned, chunks, failures, day=day, until=until, since=since)
    if failures and not chunks:
        # No device answered: that is the vendor, and the day is unknown.
        return DayPull(day, None, failures[0].error, warnings=warnings, devices=devices)
    warnings = (
        *warnings,
        *(
            f"belimo device {one.device}: {one.why_partial}"
            for one in devices
            if one.why_partial and any(one.device == f.plan.serial_number for f in failures)
        ),
    )
    rejects = rejects_of(chunks, day=day)
    parts: list[pl.DataFrame] = []
    series: set[tuple[str, str]] = set()
    duplicates = conflicts = 0
    for chunk in chunks:
        inside = chunk.found.frame.filter(pl.col("at").is_between(start, end, closed="left"))
        rows = deduplicate(inside, key=["at"])
        duplicates += rows.duplicates
        conflicts += rows.conflicts
        if rows.frame.height:
            plan = chunk.plan
            series.add((plan.device_id, plan.datapoint_id))
            parts.append(
                rows.frame.select(
                    pl.lit(plan.device_id).alias("device_id"),
                    pl.lit(plan.datapoint_id).alias("datapoint_id"),
                    "at",
                    "value",
                    "value_text",
                    pl.lit(plan.serial_number).alias("serial_number"),
                    pl.lit(plan.profile_id, dtype=pl.String).alias("dataprofile"),
                )
            )
    if not parts:
        return DayPull(
            day, RAW_BELIMO_SAMPLES.empty(), warnings=warnings, devices=devices, rejects=rejects
        )
    frame = pl.concat(parts)
    if len(series) < len(parts):
        # Two inventory rows may lead to one data scope after a transfer.
        settled = deduplicate(frame, key=RAW_BELIMO_SAMPLES.sort_key)
        frame = settled.frame
        duplicates += settled.duplicates
        conflicts += settled.conflicts
    return DayPull(
        day,
        frame.rechunk(),
        duplicates=duplicates,
        conflicts=conflicts,
        nulls=frame.filter(pl.col("value").is_null() & pl.col("value_text").is_null()).height,
        warnings=warnings,
        devices=devices,
        rejects=rejects,
    )
