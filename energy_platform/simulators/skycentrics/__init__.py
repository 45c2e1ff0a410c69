"""The SkyCentrics cloud as a local server: signed requests, newest values, optional history.

Source: SkyCentrics cloud API, section 12. Shares no code with the client.
"""

from __future__ import annotations

from energy_platform.simulators.skycentrics.server import (
    DEMO_CREDENTIAL,
    FAULTS,
    SkycentricsBehaviour,
    SkycentricsCredential,
    SkycentricsSimulator,
)

SIMULATOR = SkycentricsSimulator

__all__ = [
    "DEMO_CREDENTIAL",
    "FAULTS",
    "SIMULATOR",
    "SkycentricsBehaviour",
    "SkycentricsCredential",
    "SkycentricsSimulator",
]
