"""The last packet Wattics stored, read in any plausible shape: the real one is not documented."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from energy_platform.destinations.base import LastPacket

_TIME_KEYS: Final = ("tsISO8601", "tsiso8601", "timestamp", "ts", "time", "date")
_LAST_SECOND: Final = 4_102_444_800
"""Begin of 2100 in epoch seconds; a larger number is in milliseconds."""


def packet_of(body: bytes, *, stream_id: str) -> LastPacket | None:
    """Read a packet defensively: an object or a list of one, any offset, epoch, unknown keys.

    Args:
        body: The answer.
        stream_id: The stream asked for.

    Returns:
        The packet; None for an empty answer or the epoch, which mean that nothing is stored.

    Raises:
        ValueError: There is something, but no packet of this stream with a time.
    """
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not body:
        return None
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError(f"{len(body)} bytes that are not JSON") from None
    if isinstance(decoded, list):
        if len(decoded) > 1:
            raise ValueError(f"a list of {len(decoded)} elements")
        decoded = decoded[0] if decoded else None
    if decoded in (None, {}, ""):
        return None
    if not isinstance(decoded, dict):
        raise ValueError(f"a {type(decoded).__name__} instead of an object")  # noqa: TRY004
    named = decoded.get("id")
    if named is not None and str(named) != stream_id:
        raise ValueError("a packet of another stream")
    when = next((decoded[key] for key in _TIME_KEYS if decoded.get(key) is not None), None)
    at = _instant(when)
    if at is None:
        return None
    fields = {
        str(key): float(value)
        for key, value in decoded.items()
        if key not in _TIME_KEYS
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    }
    return LastPacket(stream_id, at, fields)


def _instant(when: object) -> datetime | None:
    """Read an instant in any of the plausible forms; None for the epoch.

    Raises:
        ValueError: It is none of them.
    """
    if isinstance(when, str) and re.fullmatch(r"\d+(\.\d+)?", when):
        when = float(when)
    if isinstance(when, int | float) and not isinstance(when, bool):
        seconds = when / 1000 if when >= _LAST_SECOND else float(when)
        try:
            return datetime.fromtimestamp(seconds, tz=UTC) if seconds > 0 else None
        except (OverflowError, OSError, ValueError):
            raise ValueError("an epoch beyond any calendar") from None
    if not isinstance(when, str):
        raise ValueError("no time in it")  # noqa: TRY004
    try:
        at = datetime.fromisoformat(when.strip())
    except ValueError:
        raise ValueError("a time that is not ISO 8601") from None
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return at.astimezone(UTC) if at.timestamp() > 0 else None
