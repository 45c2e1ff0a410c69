"""What a pulled day becomes: rows in the lake, odd rows set aside, its state in the catalogue."""

from __future__ import annotations

import errno
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from energy_platform.days import day_bounds
from energy_platform.identity import name_of
from energy_platform.lake.catalogue import CatalogueError
from energy_platform.lake.lake import LakeError
from energy_platform.lake.raw_days import Verdict, land_day
from energy_platform.lake.rejects import land_rejects
from energy_platform.lake.restamped import RESTAMPED, Increments
from energy_platform.sources.coverage import Reject
from energy_platform.sources.http.errors import AuthenticationError, VendorError
from energy_platform.sources.registry import get_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from energy_platform.lake.catalogue import Catalogue, DayState
    from energy_platform.lake.lake import Lake
    from energy_platform.lake.raw_days import RawDayResult
    from energy_platform.portfolio import Portfolio
    from energy_platform.schemas import Vendor
    from energy_platform.sources.base import PulledDay, SourceSpec
    from energy_platform.sources.coverage import DeviceDay

MOST_NAMED: Final = 5
"""Devices that the reason of a day names; the others are counted, the catalogue has all."""


class DiskFullError(LakeError):
    """There is no room for a day; the message names file and disk."""


@dataclass(frozen=True, kw_only=True)
class DayOutcome:
    """What became of one day.

    Attributes:
        day: The UTC day.
        landed: What the lake made of it; None when the day failed.
        error: Why the day failed.
        counts: Oddities of the pull by name, such as duplicates.
        warnings: What somebody should look at, one sentence each.
        why: Why the day is not whole; empty when it is shown to be.
        devices: What each device gave.
    """

    day: str
    landed: RawDayResult | None
    error: VendorError | LakeError | None = None
    counts: Mapping[str, int]
    warnings: tuple[str, ...] = ()
    why: str = ""
    devices: tuple[DeviceDay, ...] = ()

    @property
    def state(self) -> DayState:
        """Whole, partial or failed."""
        if self.landed is None:
            return "failed"
        return "partial" if self.why and not self.landed.closed else "whole"


@dataclass(frozen=True, kw_only=True)
class DayLanding:
    """Lands the days of one run.

    Attributes:
        lake: Where they land.
        vendor: Whose they are.
        now: The present, taken before the first request.
        closes: Whether days that are over are closed.
        late_days: Days for which the vendor may still send data.
        catalogue: Where the state of each day that is over is noted; None notes nothing.
        accepts: The device whose newer answer an operator lets replace the rows of before, empty
            for all devices; None keeps rows that the vendor no longer has.
        increments: Which rows are increments, of which the newer answer counts; None: none.
    """

    lake: Lake
    vendor: Vendor
    now: datetime
    closes: bool = True
    late_days: int = 1
    catalogue: Catalogue | None = None
    accepts: str | None = None
    increments: Increments | None = None

    @property
    def source(self) -> SourceSpec[Any]:
        """The source whose days land."""
        return get_source(self.vendor)

    def land(self, pulled: PulledDay) -> DayOutcome:
        """Land one day, and say what became of it.

        Raises:
            AuthenticationError: The vendor refused the credentials while its rows were read.
        """
        error: VendorError | LakeError | None = pulled.error
        landed: RawDayResult | None = None
        rejected = 0
        notes: list[str] = []
        if pulled.frame is not None:
            try:
                landed = land_day(
                    self.lake,
                    self.source.day_table,
                    day=pulled.day,
                    frame=pulled.frame,
                    complete_until=self.now,
                    closed=False,
                    verdict=lambda answer_id: self._verdict(pulled, answer_id),
                    drops=self._drops(),
                    increments=self.increments,
                )
                restamped = self._restamped(landed, notes)
                rejected = self._land_rejects(pulled, [*pulled.rejects, *restamped], notes)
            except AuthenticationError as refused:
                refused.about(day=pulled.day)
                raise
            except VendorError as failed:
                error = failed.about(day=pulled.day)
            except LakeError as failed:
                error = failed
            except OSError as failed:
                error = self._disk_error(pulled.day, failed)
        if landed is not None and landed.damaged is not None:
            notes.append(self._of_damage(pulled, landed, aside=landed.damaged))
        counts = {
            name: count
            for name in ("duplicates", "conflicts", "nulls")
            if (count := getattr(pulled, name))
        }
        if rejected:
            counts["rejects"] = rejected
        outcome = DayOutcome(
            day=pulled.day,
            landed=landed,
            error=error,
            counts=counts,
            warnings=(*pulled.warnings, *notes),
            why=str(error or "") if landed is None else landed.partial,
            devices=pulled.devices,
        )
        return self._noted(outcome)

    def _of_damage(self, pulled: PulledDay, landed: RawDayResult, *, aside: Path) -> str:
        """Say what became of a damaged file, and what is lost with it."""
        before: tuple[DeviceDay, ...] = ()
        had = landed.damaged_rows
        if self.catalogue is not None:
            with suppress(CatalogueError):
                before = self.catalogue.devices(self.vendor, pulled.day)
                known = self.catalogue.days(self.vendor, first=pulled.day, last=pulled.day)
                if had is None and pulled.day in known:
                    had = known[pulled.day].rows
        if had is None:
            lost = "how many rows it had is not known"
        else:
            gone = max(0, had - landed.rows)
            lost = f"it had {had} rows, {gone} of which the vendor no longer has and are lost"
        return (
            f"{pulled.day}: the file was damaged and is set aside as {aside}; read again from the "
            f"vendor: {lost}{_fewer(before, pulled.devices)}"
        )

    def failed(self, day: str, error: Exception) -> None:
        """Note a day that could not even be asked for."""
        self._noted(DayOutcome(day=day, landed=None, counts={}, why=str(error)))

    def _is_over(self, day: str) -> bool:
        return self.closes and day_bounds(day)[1] <= self.now

    def _verdict(self, pulled: PulledDay, answer_id: str) -> Verdict:
        """Close a day that is whole, or of which the vendor keeps saying the same."""
        self._refuse_partial(pulled)
        partial = partial_text(pulled.devices)
        if not self._is_over(pulled.day):
            return Verdict(closed=False, partial=partial)
        return Verdict(
            closed=not partial or self._is_confirmed(pulled.day, answer_id), partial=partial
        )

    def _drops(self) -> pl.Expr | None:
        if self.accepts is None:
            return None
        if not self.accepts:
            return pl.lit(value=True)
        return pl.col(self.source.device_column) == self.accepts

    def _refuse_partial(self, pulled: PulledDay) -> None:
        """Let no answer replace rows that is not shown to be all there is.

        Raises:
            LakeError: Says what of the answer is missing; nothing was changed.
        """
        if self.accepts is None:
            return
        meant = [one for one in pulled.devices if self.accepts in {"", one.device}]
        if self.accepts and pulled.devices and not meant:
            known = ", ".join(sorted(one.device for one in pulled.devices)[:MOST_NAMED])
            raise LakeError(
                f"{pulled.day}: {self.vendor} gave no answer for device {self.accepts}; it knows "
                f"{known}. Nothing was replaced"
            )
        if why := partial_text(meant):
            raise LakeError(f"{pulled.day}: {why}. Nothing was replaced; try again later")

    def _is_confirmed(self, day: str, answer_id: str) -> bool:
        """Whether a partial day's answer has stayed the same for the vendor's late days."""
        if self.catalogue is None:
            return False
        try:
            known = self.catalogue.days(self.vendor, first=day, last=day).get(day)
        except CatalogueError:
            return False
        return (
            known is not None
            and known.state == "partial"
            and known.answer_id == answer_id
            and self.now - known.since >= max(1, self.late_days) * timedelta(days=1)
        )

    def _restamped(self, landed: RawDayResult, notes: list[str]) -> list[Reject]:
        """Return the increments that gave way to a newer answer, and say so by device."""
        if self.accepts is not None or landed.dropped is None:
            return []
        point_ids = self.source.readings(landed.dropped)["point_id"]
        found = [
            Reject(
                (name := name_of(point_id)).serial,
                name.key,
                row["at"].isoformat(),
                repr(row["value"]) if row["value_text"] is None else row["value_text"],
                RESTAMPED,
            )
            for point_id, row in zip(point_ids, landed.dropped.iter_rows(named=True), strict=True)
        ]
        for device, count in sorted(Counter(one.device for one in found).items()):
            notes.append(
                f"device {device}: {count} increments came with another stamp than before; the "
                f"newer answer counts, the older is in {self.source.reject_table.name}"
            )
        return found

    def _land_rejects(self, pulled: PulledDay, rejects: Sequence[Reject], notes: list[str]) -> int:
        table = self.source.reject_table
        try:
            land_rejects(self.lake, table, day=pulled.day, rejects=rejects)
        except LakeError as error:
            # Odd rows that cannot be kept must not cost the good ones their day.
            notes.append(f"{pulled.day}: {len(rejects)} odd rows could not be kept: {error}")
        return len(rejects)

    def _disk_error(self, day: str, error: OSError) -> LakeError:
        path = error.filename or self.lake.path(self.source.day_table, day=day)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return DiskFullError(
                f"{day}: no room for {path}: the disk of {self.lake.root} is full. Free some; "
                "the day is read again by itself"
            )
        return LakeError(
            f"{day}: {path} could not be written ({error.strerror or error}). Check the disk and "
            "the rights of its folder; the day is read again by itself"
        )

    def _noted(self, outcome: DayOutcome) -> DayOutcome:
        """Note a day that is over in the catalogue, today is asked for again anyway; name devices.

        Returns:
            The outcome, with a sentence for each device that is not whole.
        """
        landed = outcome.landed
        since: dict[str, str] = {}
        notes: list[str] = []
        partial = [one for one in outcome.devices if one.why_partial and landed is not None]
        # An answer that was not accepted says nothing new about the day.
        is_news = self.accepts is None or landed is not None
        if self.catalogue is not None and self._is_over(outcome.day) and is_news:
            try:
                known = self.catalogue.days(self.vendor, first=outcome.day, last=outcome.day)
                rows = known[outcome.day].rows if outcome.day in known else 0
                self.catalogue.record(
                    source=self.vendor,
                    day=outcome.day,
                    state=outcome.state,
                    now=self.now,
                    why=outcome.why,
                    rows=landed.rows if landed is not None else rows,
                    answer_id=landed.answer_id if landed is not None else "",
                    devices=outcome.devices if landed is not None else None,
                )
                for one in partial:
                    first = self.catalogue.partial_since(self.vendor, one.device, day=outcome.day)
                    since[one.device] = f" (since {first})" if first else ""
            except CatalogueError as error:
                # The lake has the day; only what is known about it is missing.
                notes.append(f"{outcome.day}: not noted in the catalogue: {error}")
        notes[:0] = [
            f"{outcome.day}: device {one.device}: {one.why_partial}{since.get(one.device, '')}"
            for one in partial
        ]
        return replace(outcome, warnings=(*outcome.warnings, *notes))


def increments_of(portfolio: Portfolio, *, vendor: Vendor) -> Increments | None:
    """Return which rows of a vendor are increments; None without any."""
    periods: dict[str, float | None] = {
        point.point_id: length.total_seconds() if (length := point.width or point.every) else None
        for point in portfolio.points.values()
        if point.kind == "increment" and point.vendor == vendor
    }
    if not periods:
        return None
    return Increments(
        periods_s=periods, point_ids=lambda raw: get_source(vendor).readings(raw)["point_id"]
    )


def _fewer(before: Sequence[DeviceDay], after: Sequence[DeviceDay]) -> str:
    """Name the devices that have fewer rows than a damaged file had of them."""
    now = {device.device: device.rows for device in after}
    gone = [
        f"{one.device} {one.rows - now.get(one.device, 0)}"
        for one in before
        if one.rows > now.get(one.device, 0)
    ]
    shown = ", ".join(gone[:MOST_NAMED])
    more = f" and {len(gone) - MOST_NAMED} more devices" if len(gone) > MOST_NAMED else ""
    return f" (rows lost by device: {shown}{more})" if gone else ""


def partial_text(devices: Sequence[DeviceDay]) -> str:
    """Say why a day is not whole, the same words for the same answer; empty when it is."""
    partial = [device for device in devices if device.why_partial]
    if not partial:
        return ""
    named = "; ".join(f"{one.device}: {one.why_partial}" for one in partial[:MOST_NAMED])
    more = f"; and {len(partial) - MOST_NAMED} more" if len(partial) > MOST_NAMED else ""
    return f"{len(partial)} of {len(devices)} devices not shown to be whole: {named}{more}"
