"""``energy-platform simulate``: the four vendors on loopback until stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.simulators.faults import FaultError
from energy_platform.simulators.serve import ServeOptions, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console


def run_simulate(console: Console, *, faults: Sequence[str], as_json: bool, history: bool) -> int:
    """Serve until a signal stops it."""
    try:
        serve(ServeOptions(faults=tuple(faults), as_json=as_json, history=history))
    except (FaultError, OSError, ValueError) as error:
        console.print(str(error), markup=False)
        return 2
    return 0
