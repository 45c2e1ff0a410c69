"""``energy-platform ui``: Dagster's UI and daemon on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from energy_platform.cli.simulated import simulated_vendors
from energy_platform.ingest import is_configured
from energy_platform.instance import only_ui, render_instance
from energy_platform.origin import claim
from energy_platform.schemas import RAW_DAY_TABLES
from energy_platform.settings import PlatformSettings, Settings

if TYPE_CHECKING:
    from rich.console import Console

HOST: Final = "127.0.0.1"
"""The UI has no login: it is bound to loopback, and reached from elsewhere through a tunnel."""

DEMO_DAYS: Final = 7
"""Closed days the streams of a fresh demo begin before today."""


def run_ui(console: Console, *, port: int, simulated: bool | None) -> int:
    """Run until stopped.

    Args:
        console: Where the address is printed.
        port: Port on loopback.
        simulated: Simulated vendors or those of the environment; None takes the simulated ones
            when no vendor has credentials.

    Raises:
        SettingsError: A setting is wrong; nothing is started.
        PortfolioError: The portfolio is missing or wrong; nothing is started.
        OriginError: The data folder holds data of the other kind.
        InstanceInUseError: Another UI runs on this instance.
    """
    data_dir = Settings.load().platform.data_dir
    if simulated is None:
        simulated = not any(is_configured(vendor) for vendor in RAW_DAY_TABLES)
    with ExitStack() as stack:
        home = render_instance(data_dir / "dagster")
        stack.enter_context(only_ui(home))
        if simulated:
            stack.enter_context(simulated_vendors(data_dir, days=DEMO_DAYS))
            console.print("four simulated vendors listen on 127.0.0.1", style="dim")
        else:
            claim(data_dir, origin="live")
        _load_portfolio()
        from energy_platform.cli.runs import fail_dead_at_start  # noqa: PLC0415 - loads Dagster

        fail_dead_at_start(home, say=lambda line: console.print(line, markup=False, soft_wrap=True))
        console.print(f"Dagster: http://{HOST}:{port}   (stop with Ctrl+C)", highlight=False)
        return _run_dagster(port=port)


def _load_portfolio() -> None:
    """Refuse to start on a broken portfolio."""
    from energy_platform.portfolio import load_portfolio  # noqa: PLC0415

    load_portfolio(PlatformSettings().portfolio)


def _run_dagster(*, port: int) -> int:
    workspace = Path(__file__).parents[2] / "workspace.yaml"
    command = [sys.executable, "-m", "dagster", "dev", "--host", HOST, "--port", str(port)]
    command += (
        ["-w", str(workspace)] if workspace.exists() else ["-m", "energy_platform.definitions"]
    )
    # A session of its own: Ctrl+C reaches this process alone, which passes it on once.
    child = subprocess.Popen(  # noqa: S603 - fixed words
        command, env=os.environ.copy(), start_new_session=True
    )

    def stop(*_: object) -> None:
        child.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    code = child.wait()
    return 0 if code in {0, -signal.SIGTERM, 128 + signal.SIGTERM} else code
