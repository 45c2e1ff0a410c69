"""The day of one gateway: its polls, history where polls are missing, and what is not covered.

A poll cannot be made up for. Where the account has history it fills the gaps between polls; what
history leaves is asked for once more, gap by gap, before it counts as a gap that stays.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.schemas import INSTANT
from energy_platform.sources.coverage import DeviceDay, Reject, Span, unproven_spans
from energy_platform.sources.http.errors import (
    AuthenticationError,
    ContractError,
    PermanentError,
    VendorError,
)
from energy_platform.sources.skycentrics.merging import (
    Gap,
    MergedPolls,
    gaps,
    merge_polls,
    observed_in_history,
    observed_in_polls,
    record_instants,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from energy_platform.sources.skycentrics.client import SkycentricsClient
    from energy_platform.sources.skycentrics.landing import Landing, Polls
    from energy_platform.sources.skycentrics.models import Record

POLLS_MISSED: Final = 3
"""Poll periods without a poll that make a gap."""

SHOWN: Final = 3
"""Gaps or sensors a sentence spells out; the others are counted."""

MOST_ASKS: Final = 100
"""Questions for the gaps of one gateway and day; smaller bits of history are not followed."""

SECOND: Final = timedelta(seconds=1)
"""The finest step of the history call's bounds, of which both may be inclusive."""

LAST_SECOND: Final = (59, 59)
"""Minute and second of a record that means the full hour."""

NO_TIME: Final = "no time"
NO_EPOCH: Final = "a time that is no epoch second"
TWO_SENSORS: Final = "an id that two sensors of the answer have"
NO_SENSOR: Final = "no sensor with an id"


class GatewayDay(NamedTuple):
    """The day of one gateway.

    Attributes:
        merged: Its rows and what was left out of them.
        gaps: What neither polls nor history cover.
        warnings: What somebody should look at.
        device: What it gave, and why that may not be all.
        rejects: Odd rows that were set aside.
        error: Why its history could not be read.
        is_empty: Whether neither a poll nor a record came.
    """

    merged: MergedPolls
    gaps: list[Gap]
    warnings: list[str]
    device: DeviceDay
    rejects: list[Reject]
    error: VendorError | None
    is_empty: bool


def gateway_day(
    client: SkycentricsClient | None,
    device_id: str,
    *,
    landing: Landing,
    day: str,
    window: tuple[datetime, datetime],
    poll_s: int,
    spoke: frozenset[str],
) -> GatewayDay:
    """Fold the day of one gateway.

    Args:
        client: Asked for history; None folds what has landed.
        device_id: Gateway.
        landing: Where polls landed.
        day: The UTC day.
        window: Inclusive begin and exclusive end of the samples.
        poll_s: Seconds between two polls.
        spoke: Its sensors that had samples on the days before.

    Raises:
        AuthenticationError: The credentials are refused.
    """
    polls = landing.polls(day, device_id=device_id)
    cover = _Cover(device_id, window, poll_s=poll_s, polls=polls.own.get(device_id, ()))
    if cover.left and client is not None and client.settings.history != "off":
        _fill(cover, client, day=day)
    observed = observed_in_polls(polls.lines)
    if cover.records:
        observed = pl.concat([observed, observed_in_history(device_id, cover.records)])
    merged = merge_polls(observed, start=window[0], end=window[1])
    damaged = polls.damaged.get(device_id, [])
    listed = frozenset(observed["sensor_id"].unique())
    return GatewayDay(
        merged,
        gaps=cover.left,
        warnings=[
            *cover.warnings,
            *_damage_warnings(polls, device_id=device_id, day=day),
            *_shared_ids(merged.shared, device_id=device_id),
            *_vanished(spoke - listed if listed else frozenset(), device_id=device_id, day=day),
        ],
        device=_device_day(
            device_id,
            merged.frame,
            asked=len(listed | spoke),
            why="; ".join(_reasons(cover, damaged=damaged)),
        ),
        rejects=[
            *_rejects_of_samples(device_id, merged.odd),
            *_rejects_of_samples(device_id, merged.shared, reason=TWO_SENSORS),
            *_rejects_of_records(
                device_id, [*(line.answer for line in polls.lines), *cover.records]
            ),
        ],
        error=cover.error,
        is_empty=not polls.lines and not cover.records,
    )


class _Cover:
    """What of a window is covered by polls and records, and how history answered."""

    def __init__(
        self,
        device_id: str,
        window: tuple[datetime, datetime],
        *,
        poll_s: int,
        polls: Iterable[datetime],
    ) -> None:
        self.device_id, self.window = device_id, window
        self.records: list[Record] = []
        self.warnings: list[str] = []
        self.error: VendorError | None = None
        self.doubts: list[str] = []
        self._had = set(polls)
        self.has_polls = bool(self._had)
        self._between_polls = self._tolerance = timedelta(seconds=POLLS_MISSED * poll_s)
        self._of_records: set[datetime] = set()
        self._settled: set[Span] = set()

    @property
    def left(self) -> list[Gap]:
        """The gaps that are left."""
        start, end = self.window
        return gaps(self.device_id, self._had, start=start, end=end, tolerance=self._tolerance)

    @property
    def unsettled(self) -> list[Span]:
        """The spans not asked for by themselves yet; many as the two halves of their whole.

        Records show a single one that is missing; where polls lie close together none is needed.
        """
        start, end = self.window
        spans: list[Span] = [(gap.start, gap.end) for gap in self.left]
        if self._of_records:
            stamps = pl.Series(sorted(self._of_records), dtype=INSTANT)
            spans = [
                span
                # The record at the end holds what was read last before it.
                for span in unproven_spans(stamps, start=start, end=end + SECOND)
                if not self.has_polls
                or gaps(
                    self.device_id,
                    self._had,
                    start=span[0],
                    end=span[1],
                    tolerance=self._between_polls,
                )
            ]
        if len(spans) > SHOWN:
            low, high = spans[0][0], spans[-1][1]
            middle = (low + (high - low) / 2).replace(microsecond=0)
            spans = [(low, middle), (middle, high)]
        return [span for span in spans if span not in self._settled]

    def inside(self, span: Span, *, gap_minutes: int) -> Span | None:
        """Return a span without the known records at its ends, which could be all that comes.

        It begins where a record of the whole day would lie: records are counted from the begin of
        what is asked for. None where no record would lie inside.
        """
        start, end = span
        if start in self._had:
            step = timedelta(minutes=gap_minutes)
            start = self.window[0] - ((self.window[0] - start - SECOND) // step) * step
        if end in self._had:
            end -= SECOND
        return (start, end) if start < end else None

    def deduplicate(self, span: Span) -> None:
        """Keep that a span brought nothing new."""
        self._settled.add(span)

    def add(self, records: Sequence[Record], *, gap_minutes: int) -> int:
        """Take records; return how many of another instant than any before."""
        stamps = {at for at in _stamps(records) if self.window[0] <= at <= self.window[1]}
        fresh = stamps - self._had
        if records:
            self._tolerance = max(self._tolerance, 2 * timedelta(minutes=gap_minutes))
        self.records += records
        self._had |= fresh
        self._of_records |= stamps
        return len(fresh)


def _fill(cover: _Cover, client: SkycentricsClient, *, day: str) -> None:
    """Read the history of a gateway with gaps, as far as the account has it.

    A refusal leaves the gaps between polls open; a day that has nothing but history to come from
    is without an answer by it, and must not pass for a day without samples.
    """
    gap_minutes = client.settings.history_gap
    is_certain = client.settings.history == "on"
    start, end = cover.window
    try:
        if not is_certain and not client.probe_history(cover.device_id):
            return
        found = client.history(cover.device_id, start=start, end=end, day=day)
    except AuthenticationError:
        raise
    except VendorError as error:
        is_refusal = isinstance(error, PermanentError) and not isinstance(error, ContractError)
        if is_refusal and not is_certain and cover.has_polls:
            cover.warnings.append(f"{error}; its gaps stay open")
        else:
            cover.error = error
        return
    cover.add(found, gap_minutes=gap_minutes)
    _ask_again(cover, client, day=day)


def _ask_again(cover: _Cover, client: SkycentricsClient, *, day: str) -> None:
    """Ask for each gap that history left, until nothing new comes."""
    cut = asks = 0
    while spans := cover.unsettled:
        for span in spans:
            inside = cover.inside(span, gap_minutes=client.settings.history_gap)
            if inside is None:
                cover.deduplicate(span)
                continue
            asks += 1
            start, end = inside
            if asks > MOST_ASKS:
                cover.doubts.append(f"history still gives more after {MOST_ASKS} questions")
                break
            try:
                more = client.history(cover.device_id, start=start, end=end, day=day)
            except AuthenticationError:
                raise
            except VendorError as error:
                cover.doubts.append(
                    f"history {start:%H:%M} to {end:%H:%M} UTC could not be asked for again: "
                    f"{_said(error)}"
                )
                cover.deduplicate(span)
                continue
            fresh = cover.add(more, gap_minutes=client.settings.history_gap)
            cut += fresh
            if not fresh:
                cover.deduplicate(span)
        if asks > MOST_ASKS:
            break
    if cut:
        cover.warnings.append(
            f"skycentrics gateway {cover.device_id}: the vendor cuts its history; {cut} records "
            "came only when they were asked for again"
        )


def _stamps(records: Sequence[Record]) -> list[datetime]:
    """Return when each record was taken: its own time, else its newest sensor's.

    ``hh:59:59`` stands where the full hour is meant (seen by a public client).
    """
    said = record_instants([record.time for record in records])
    stamps = []
    for record, at in zip(records, said, strict=True):
        newest = max((sensor.time or 0 for sensor in record.sensors or ()), default=0)
        if at is not None:
            is_hour = (at.minute, at.second) == LAST_SECOND
            stamps.append(at + SECOND if is_hour else at)
        elif 0 < newest < LATEST_S:
            stamps.append(datetime.fromtimestamp(newest, tz=UTC))
    return stamps


LATEST_S: Final = 4_102_444_800
"""The year 2100, in epoch seconds: later stamps are in another unit."""


def _reasons(cover: _Cover, *, damaged: Sequence[str]) -> list[str]:
    reasons = []
    if cover.error is not None:
        reasons.append(f"history: {_said(cover.error)}")
    left = cover.left
    if left:
        shown = ", ".join(f"{gap.start:%H:%M} to {gap.end:%H:%M}" for gap in left[:SHOWN])
        more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        reasons.append(f"no polls and no history (UTC): {shown}{more}")
    reasons += cover.doubts
    if damaged:
        reasons.append(f"damaged in the landing: {', '.join(damaged)}")
    return reasons


def _said(error: VendorError) -> str:
    status = "" if error.status is None else f"HTTP {error.status}, "
    return f"{status}{error.reason}"


def _device_day(device_id: str, frame: pl.DataFrame, *, asked: int, why: str) -> DeviceDay:
    first, last = frame["at"].min(), frame["at"].max()
    return DeviceDay(
        device_id,
        asked=asked,
        answered=frame["sensor_id"].n_unique(),
        rows=frame.height,
        first_at=first if isinstance(first, datetime) else None,
        last_at=last if isinstance(last, datetime) else None,
        why_partial=why,
    )


def _damage_warnings(polls: Polls, *, device_id: str, day: str) -> list[str]:
    files = polls.damaged.get(device_id, [])
    warnings = [
        f"skycentrics landing day={day}/{name}: damaged; what can be read of it is used, "
        "the rest is lost"
        for name in files
    ]
    if polls.torn and not files:
        warnings.append(
            f"skycentrics landing day={day}, gateway {device_id}: {polls.torn} lines cannot be "
            "read and are skipped"
        )
    return warnings


def _vanished(sensors: frozenset[str], *, device_id: str, day: str) -> list[str]:
    if not sensors:
        return []
    names = sorted(sensors)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [
        (
            f"skycentrics gateway {device_id}: in no answer of {day}, though on the days before: "
            f"{', '.join(names[:SHOWN])}{more}"
        )
    ]


def _shared_ids(shared: pl.DataFrame, *, device_id: str) -> list[str]:
    named = shared.group_by("sensor_id").agg(
        pl.format(
            "{} ({})", pl.col("sensor_name").fill_null("no name"), pl.col("units").fill_null("")
        )
        .unique()
        .sort()
    )
    return [
        f"skycentrics gateway {device_id}: two sensors have the id {sensor_id}: "
        f"{', '.join(names)}; their values are set aside; give one of them "
        "another id on the gateway"
        for sensor_id, names in named.sort("sensor_id").iter_rows()
    ]


def _rejects_of_samples(
    device_id: str, odd: pl.DataFrame, *, reason: str | None = None
) -> list[Reject]:
    return [
        Reject(
            device_id,
            sensor_id,
            time_text,
            value_text if value is None else repr(value),
            reason or (NO_TIME if time_text is None else NO_EPOCH),
        )
        for sensor_id, time_text, value, value_text in odd.select(
            "sensor_id", "time_text", "value", "value_text"
        ).iter_rows()
    ]


def _rejects_of_records(device_id: str, records: Iterable[Record]) -> list[Reject]:
    return [
        Reject(device_id, "", one.time_text, one.said, NO_SENSOR)
        for record in records
        for one in record.set_aside or ()
    ]
