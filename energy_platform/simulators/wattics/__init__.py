"""Wattics data collection as a local server: keeps every packet and judges what arrives.

Source: Wattics data collection API, section 15. Shares no code with the client.
"""

from __future__ import annotations

from energy_platform.simulators.wattics.events import ReceivedPacket, Refusal
from energy_platform.simulators.wattics.judgement import VIOLATIONS, Gap, Judgement, StreamJudgement
from energy_platform.simulators.wattics.record import WatticsRecord, WatticsRecordError
from energy_platform.simulators.wattics.server import PUSH_PATH, WatticsSimulator
from energy_platform.simulators.wattics.streams import (
    DEMO_CREDENTIAL,
    WatticsConduct,
    WatticsCredential,
    WatticsStream,
)

__all__ = [
    "DEMO_CREDENTIAL",
    "PUSH_PATH",
    "VIOLATIONS",
    "Gap",
    "Judgement",
    "ReceivedPacket",
    "Refusal",
    "StreamJudgement",
    "WatticsConduct",
    "WatticsCredential",
    "WatticsRecord",
    "WatticsRecordError",
    "WatticsSimulator",
    "WatticsStream",
]
