"""The simulated vendors next to the platform: for the demo and for ``ui --simulated``."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from energy_platform.days import day_bounds, day_of
from energy_platform.destinations import destination_names
from energy_platform.destinations.base import destinations
from energy_platform.installation.env_file import write_env_file
from energy_platform.installation.origin import (
    claim,
    demo_folder,
    only_simulation,
    settings_file,
    simulation_knobs,
)
from energy_platform.settings import SIMULATION
from energy_platform.simulators.demo_events import demo_events, event_lines
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.process import SimulatorProcess
from energy_platform.simulators.world import World, parse_event
from energy_platform.sources import source_names
from energy_platform.sources.registry import sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACE: Final = {
    **{name: value for one in sources().values() for name, value in one.simulated_settings.items()},
    **{
        name: value
        for one in destinations().values()
        for name, value in one.simulated_settings.items()
    },
}
"""Settings that differ from those for real vendors."""

FOREIGN: Final = (
    *(f"{name}_".upper() for name in (*source_names(), *destination_names())),
    "ENERGY_PLATFORM_",
    # The user's own Dagster and dbt: instance, env files, profiles, targets.
    "DAGSTER_",
    "DBT_",
)
"""How variables begin that a simulated installation's processes do not get to see."""


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without anything of the platform, of Dagster, of dbt, or of proxies.

    A simulated installation speaks to this machine only, so that a proxy would only see its
    traffic.
    """
    return {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(FOREIGN) and not name.upper().endswith("_PROXY")
    }


@contextmanager
def simulated_vendors(*, days: int) -> Iterator[tuple[SimulatorProcess, Path]]:
    """Serve the vendors in a process of their own and make this process read them, only them.

    While this lasts, this process and those it starts read one settings file, written here; no
    ``.env`` and no variable of a real installation.

    The portfolio of the demo is written once and kept, so that it can be edited; its streams
    begin with the demo's first day. So is what goes wrong in its data: a vendor's past does not
    change from one run to the next.

    Args:
        days: Closed days the streams shall hold on their first run.

    Yields:
        The simulators and the data folder, claimed for the demo: that of the environment's
        ENERGY_PLATFORM_DATA_DIR, else ``data``.

    Raises:
        SettingsError: One of `origin.KNOBS` is wrong.
        OriginError: The folder holds a real account's data.
        DataFolderError: The folder cannot be used.
        SimulationInUseError: Another demo or simulated UI runs on it.
    """
    knobs = simulation_knobs()
    data_dir = Path(knobs["ENERGY_PLATFORM_DATA_DIR"])
    claim(data_dir, origin="demo")
    folder = demo_folder(data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with only_simulation(data_dir):
        portfolio, lines = _invented(folder, days=days)
        kept = dict(os.environ)
        try:
            _replace_environment(clean_environment(kept))
            with SimulatorProcess(events=lines, record_dir=folder, history=True) as suite:
                values = {
                    **knobs,
                    **PACE,
                    **suite.environment(),
                    "ENERGY_PLATFORM_PORTFOLIO": str(portfolio),
                }
                write_env_file(settings_file(data_dir), values)
                os.environ[SIMULATION] = str(settings_file(data_dir))
                yield suite, data_dir
        finally:
            _replace_environment(kept)


def _invented(folder: Path, *, days: int) -> tuple[Path, list[str]]:
    """Return the demo's portfolio and what goes wrong in its data, written where missing."""
    portfolio, wrong = folder / "portfolio.yaml", folder / "events.jsonl"
    start = day_bounds(day_of(datetime.now(tz=UTC)))[0] - timedelta(days=days)
    if not portfolio.exists() and not wrong.exists():
        declared = event_lines(demo_events(start=start, days=days))
        wrong.write_text("".join(f"{line}\n" for line in declared), encoding="utf-8")
    lines = wrong.read_text(encoding="utf-8").splitlines() if wrong.exists() else []
    if not portfolio.exists():
        events = map(parse_event, lines)
        text = demo_portfolio(World(), start=start, events=events, reviewed=True)
        portfolio.write_text(text, encoding="utf-8")
    return portfolio, lines


def _replace_environment(values: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(values)
