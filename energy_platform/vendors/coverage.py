"""What a source gave for a day, device by device, and how a short answer is told from a whole one.

A day is whole when it is shown to be: every series asked for is in the answer or known to be
silent, and points reach both ends of the window at the series' own cadence, or a second request
for the part that is missing brings nothing more. What is not shown is `partial`, with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class DeviceDay(NamedTuple):
    """What one device gave for one UTC day.

    Attributes:
        device: The device as users know it: serial number, or gateway id.
        asked: Series asked for.
        answered: Series with at least one sample.
        rows: Samples.
        first_at: Earliest sample, None without any.
        last_at: Latest sample, None without any.
        why_partial: Why the day is not shown to be whole for this device; empty when it is.
    """

    device: str
    asked: int
    answered: int
    rows: int
    first_at: datetime | None
    last_at: datetime | None
    why_partial: str = ""
