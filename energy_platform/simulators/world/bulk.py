"""How many further meters a benchmark asks of the world; a vendor's folder builds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BULK_SERIAL: Final = "BULK"
"""What the serial numbers of these meters begin with."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """Extra meters at the first site, outside its energy balance.

    Attributes:
        devices: Number of meters.
        services: Registers per meter.
        period_s: Mean seconds between samples (900: 96 a day).
        spread_s: Irregularity of the stamps, seconds.
    """

    devices: int
    services: int = 1
    period_s: int = 900
    spread_s: int = 55
