"""What the contract test needs of a source to try it: somewhere it answers, and a way to fail.

Each source brings a module ``contract`` in its folder of tests with a function ``serve``: a context
manager that takes an empty folder and yields a `Case` while the source answers.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING

from energy_platform.days import day_bounds
from energy_platform.simulators.registry import simulators
from energy_platform.simulators.world.events import Event
from energy_platform.sources.registry import get_source
from energy_platform_tests.faults.harness import DAY, open_harness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from energy_platform.portfolio import Portfolio


@dataclass(frozen=True, kw_only=True)
class Case:
    """A source that answers.

    Attributes:
        portfolio: What is read of it.
        variables: Its settings, credentials among them; set in this process.
        secrets: Texts that nothing may show: the value of every secret setting of the login.
        now: The present.
        day: A UTC day before it with readings of each device.
        break_it: Makes every further answer fail.
        silence_it: Takes all readings of the day away; the devices stay.
        other_calls: Patterns of what may be asked by another method than GET: what logs in, and
            what reads although it is a POST.
    """

    portfolio: Portfolio
    variables: Mapping[str, str]
    secrets: tuple[str, ...]
    now: datetime
    day: str
    break_it: Callable[[], None]
    silence_it: Callable[[], None]
    other_calls: tuple[str, ...] = ()


def serve(source: str, folder: Path) -> AbstractContextManager[Case]:
    """Have a source answer; fails where it brings no case to be tried by."""
    module = f"{__package__}.{source}.contract"
    try:
        case = import_module(module)
    except ModuleNotFoundError as error:
        raise AssertionError(
            f"the source {source} has no {module}: every registered source is tried"
        ) from error
    served: AbstractContextManager[Case] = case.serve(folder)
    return served


@contextmanager
def simulated(source: str, folder: Path, *, other_calls: tuple[str, ...] = ()) -> Iterator[Case]:
    """Have a simulated source answer, with a few of its devices.

    Its simulator has the source's name, and the portfolio of the demo describes its devices.

    Args:
        source: Its name.
        folder: An empty folder.
        other_calls: As in `Case`.
    """
    if source not in {one.name for one in simulators()}:
        raise AssertionError(
            f"no simulator is called {source}: write it first, and register it in "
            "energy_platform/simulators/registry.py"
        )
    with open_harness(folder) as rig:
        if not rig.suite.world.of_vendor(source):
            raise AssertionError(
                f"the simulator of {source} puts no device into the world: its class has "
                "`devices`, and `portfolio` says how the demo describes them"
            )
        prefix = f"{source}_".upper()
        variables = {
            name: value
            for name, value in rig.suite.environment().items()
            if name.startswith(prefix)
        }
        # The rig's own limit is for faults; here a slow machine must not look like one.
        os.environ[f"{prefix}TIMEOUT_S"] = "60"
        start, end = day_bounds(DAY)

        def silence() -> None:
            for key in rig.suite.world.signals:
                rig.suite.world.add_event(Event(signal=key, kind="gap", start=start, end=end))

        yield Case(
            portfolio=rig.portfolio,
            variables=variables,
            secrets=tuple(
                variables[name]
                for name in map(str.upper, (prefix + one for one in get_source(source).secrets))
                if name in variables
            ),
            now=end + timedelta(hours=1),
            day=DAY,
            silence_it=silence,
            break_it=lambda: rig.suite.set_faults([f"{source}:http_500=1.0"]),
            other_calls=other_calls,
        )
