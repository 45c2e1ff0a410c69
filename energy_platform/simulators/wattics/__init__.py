"""Wattics data collection as a local server: keeps every packet and judges what arrives.

Source: Wattics data collection API, section 15. Shares no code with the client.
"""

from __future__ import annotations

from energy_platform.simulators.wattics.events import ReceivedPacket, Refusal
from energy_platform.simulators.wattics.record import WatticsRecord, WatticsRecordError
from energy_platform.simulators.wattics.report import VIOLATIONS, DeliveryReport, Gap, StreamReport
from energy_platform.simulators.wattics.server import PUSH_PATH, WatticsSimulator
from energy_platform.simulators.wattics.streams import (
    DEMO_CREDENTIAL,
    WatticsBehaviour,
    WatticsCredential,
    WatticsStream,
)

SIMULATOR = WatticsSimulator

__all__ = [
    "DEMO_CREDENTIAL",
    "PUSH_PATH",
    "SIMULATOR",
    "VIOLATIONS",
    "DeliveryReport",
    "Gap",
    "ReceivedPacket",
    "Refusal",
    "StreamReport",
    "WatticsBehaviour",
    "WatticsCredential",
    "WatticsRecord",
    "WatticsRecordError",
    "WatticsSimulator",
    "WatticsStream",
]
