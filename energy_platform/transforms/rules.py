"""Versions of the rules, for the stamps of derived day files.

Whoever changes what a rule makes of the same input raises its version: every day made with the
older one is then stale by itself. Nothing else belongs here.
"""

from __future__ import annotations

from typing import Final

READINGS_RULES: Final = "readings-5"
"""How raw rows become judged readings."""

ENERGY_RULES: Final = "energy-3"
"""How readings become energy between settled readings."""

INTERVAL_RULES: Final = "intervals-3"
"""How energy is spread over buckets."""

VIRTUAL_RULES: Final = "virtual-1"
"""How virtual points are computed from their parts."""
