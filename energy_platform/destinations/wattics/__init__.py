"""Wattics data collection: one packet per POST, and the last packet read back.

Source: Wattics data collection API, sections 1 to 8.
"""

from __future__ import annotations

from energy_platform.destinations.wattics.answers import (
    AUTHENTICATION_STATUSES,
    EXCERPT_LENGTH,
    TRANSIENT_STATUSES,
    Answer,
    AnswerKind,
    classify,
)
from energy_platform.destinations.wattics.client import RedirectedError, WatticsClient
from energy_platform.destinations.wattics.readback import LastPacket, packet_of

__all__ = [
    "AUTHENTICATION_STATUSES",
    "EXCERPT_LENGTH",
    "TRANSIENT_STATUSES",
    "Answer",
    "AnswerKind",
    "LastPacket",
    "RedirectedError",
    "WatticsClient",
    "classify",
    "packet_of",
]
