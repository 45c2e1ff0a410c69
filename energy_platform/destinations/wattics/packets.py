"""The exact bytes of a packet (Wattics data collection API, sections 3 and 5)."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from energy_platform.portfolio import Stream


def encode(stream: Stream, at: datetime, fields: Iterable[tuple[str, str]]) -> bytes:
    """Return the exact bytes of a packet: one line, ASCII, compact, present fields only.

    Args:
        stream: Whose packet it is.
        at: The instant on the site's clock; what is finer than a millisecond is cut off.
        fields: Names and numbers as text, in the order to write them.
    """
    numbers = ",".join(f'"{name}":{number}' for name, number in fields)
    return f'{_head(stream.id)}{stamp(at)}",{numbers}}}'.encode("ascii")


def stamp(at: datetime) -> str:
    """Return an instant the way a packet says it: local time, three decimals, true offset.

    >>> from datetime import datetime, UTC
    >>> from zoneinfo import ZoneInfo
    >>> stamp(datetime(2026, 7, 1, 8, 15, tzinfo=UTC).astimezone(ZoneInfo("Europe/Paris")))
    '2026-07-01T10:15:00.000+02:00'
    """
    return at.isoformat(timespec="milliseconds")


@lru_cache(maxsize=16_384)
def _head(stream_id: str) -> str:
    """Return the beginning of each packet of a stream, up to the stamp; ASCII."""
    return f'{{"id":{json.dumps(stream_id)},"tsISO8601":"'
