"""The variables of this process: the environment over the env file, or a simulation's own file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from energy_platform.installation.env_file import EnvFileError, env_file, read_env_file


class SettingsError(ValueError):
    """A setting is missing or wrong; the message names the variable and what to do."""


SIMULATION: Final = "ENERGY_PLATFORM_SIMULATION"
"""Variable that names the settings file of a simulated installation, for its own processes.

Where it is set, that file is all that is read. A list of variables to remove would miss the next
one that is added, and Dagster's own reader could put them back.
"""

_GIVEN: ContextVar[Mapping[str, str] | None] = ContextVar("given", default=None)
"""Variables to read in place of the process's own, while `Settings.load` is given some."""


@contextmanager
def settings_from(values: Mapping[str, str] | None) -> Iterator[None]:
    """Let every section that is built here read some values only; None changes nothing.

    Args:
        values: Variables by name, in place of the process's own and of the env file.
    """
    if values is None:
        yield
        return
    token = _GIVEN.set(values)
    try:
        yield
    finally:
        _GIVEN.reset(token)


def simulation_file() -> Path | None:
    """Return the settings file of the simulated installation that this process belongs to."""
    named = os.environ.get(SIMULATION)
    return Path(named) if named else None


def variables() -> dict[str, str]:
    """Return the variables that are set, by lower-case name: the environment over the env file.

    An empty value counts as none.

    Raises:
        SettingsError: The env file cannot be read.
    """
    given, simulation = _GIVEN.get(), simulation_file()
    try:
        if given is not None:
            return _by_name(given)
        if simulation is not None:
            return _by_name(read_env_file(simulation).values)
        return {**_by_name(env_file().values), **_by_name(os.environ)}
    except EnvFileError as error:
        raise SettingsError(str(error)) from error


def _by_name(values: Mapping[str, str]) -> dict[str, str]:
    # Of two spellings the one in capitals, which sorts first, is kept.
    return {name.lower(): values[name] for name in sorted(values, reverse=True) if values[name]}
