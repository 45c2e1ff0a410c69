"""The registered simulators.

A simulated source is a folder with a subclass of ``base.Simulator`` named ``SIMULATOR``, and a line
here. Suite, ``energy-platform simulate``, control endpoint, world and demo portfolio follow.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from energy_platform.simulators.base import Simulator

_MODULES: Final = (
    "energy_platform.simulators.socomec",
    "energy_platform.simulators.belimo",
    "energy_platform.simulators.skycentrics",
    "energy_platform.simulators.wattics",
)
"""In the order of every list. By name, because they import the world, which asks for them."""


@cache
def simulators() -> tuple[type[Simulator], ...]:
    """Return the class of every registered simulator.

    Raises:
        TypeError: A registered module lacks a part.
    """
    found = tuple(getattr(import_module(module), "SIMULATOR", None) for module in _MODULES)
    for module, one in zip(_MODULES, found, strict=True):
        missing = [
            part for part in ("name", "own_faults", "environment") if not _defines(one, part)
        ]
        if missing:
            msg = f"simulator {module}: SIMULATOR must define {', '.join(missing)}"
            raise TypeError(msg)
    return tuple(one for one in found if one is not None)


def _defines(simulator: type[Simulator] | None, part: str) -> bool:
    """Whether a class has a part of its own, not the base's."""
    return simulator is not None and any(
        part in vars(one) for one in simulator.__mro__[:-1] if one.__name__ != "Simulator"
    )
