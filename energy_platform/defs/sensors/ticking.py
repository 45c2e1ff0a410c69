"""What every tick has in common: it asks the catalogue, not the folders behind it."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from energy_platform.lake.remembered import remembering

LOOK_AT_FOLDERS_EVERY: Final = timedelta(minutes=5)
"""How long what was put into the lake by hand, or left by a killed process, may wait to be seen.

A look at the folders of ten years takes a third of a second: 0.1 % of a core at this pace, 3 % at
the pace of the sensors."""

P = ParamSpec("P")
R = TypeVar("R")


def asks_the_catalogue(tick: Callable[P, R]) -> Callable[P, R]:
    """Return a sensor's function that takes the catalogue to know what lies in the lake."""

    @wraps(tick)
    def remembered(*args: P.args, **kwargs: P.kwargs) -> R:
        with remembering(look_every=LOOK_AT_FOLDERS_EVERY):
            return tick(*args, **kwargs)

    return remembered
