"""``energy-platform demo``: the whole path on four simulated vendors, then a summary."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from energy_platform.cli.failures import INTERRUPTED
from energy_platform.cli.following import push_what_is_behind, refresh_what_is_stale
from energy_platform.cli.simulated import simulated_vendors
from energy_platform.cli.summary import print_summary
from energy_platform.days import due_days
from energy_platform.defs.runner import Runner, RunReport, open_runner
from energy_platform.defs.schedules import inventory_keys
from energy_platform.destinations.base import titles
from energy_platform.ingest.run import is_configured
from energy_platform.sources.registry import sources

if TYPE_CHECKING:
    from rich.console import Console


def run_demo(console: Console, *, days: int) -> int:
    """Run the demo.

    Args:
        console: Where progress and the summary go.
        days: Closed UTC days to read.

    Returns:
        Exit code: 0 when every run succeeded, 130 after Ctrl+C.

    Raises:
        SettingsError: A setting that the demo takes from the environment is wrong.
        OriginError: The data folder holds a real account's data.
        DataFolderError: The data folder cannot be used.
        SimulationInUseError: Another demo runs on it.
    """
    try:
        return _demo(console, days=days)
    except KeyboardInterrupt:
        console.print(
            "stopped; what landed is kept, and `energy-platform demo` goes on from there",
            soft_wrap=True,
        )
        return INTERRUPTED


def _demo(console: Console, *, days: int) -> int:
    began = time.monotonic()
    with simulated_vendors(days=days) as (suite, data_dir):
        console.print(
            f"four simulated vendors listen on 127.0.0.1; data in {data_dir}",
            style="dim",
            highlight=False,
            soft_wrap=True,
        )
        with open_runner(
            data_dir / "dagster",
            by="demo",
            say=lambda line: console.print(line, style="dim", markup=False, soft_wrap=True),
        ) as runner:
            errors = _runs(console, runner, days=days)
        if not errors:
            print_summary(
                console,
                data_dir=data_dir,
                portfolio=data_dir / "demo" / "portfolio.yaml",
                delivery_report=suite.ask("/delivery-report"),
                seconds=time.monotonic() - began,
            )
            return 0
    for error in errors:
        console.print(error, style="red", markup=False, soft_wrap=True)
    return 1


def _runs(console: Console, runner: Runner, *, days: int) -> list[str]:
    """Run what the schedules and sensors would run, in their order; return what failed."""
    from energy_platform.defs.partitions import range_tags  # noqa: PLC0415

    wanted = due_days(datetime.now(tz=UTC), late_days=days - 1)
    tags = range_tags(wanted)
    span = f"{wanted[0]} to {wanted[-1]}"
    reports: list[RunReport] = []
    with console.status("") as status:

        def note(what: str, *, began: float) -> None:
            # Dagster turns Ctrl+C during a run into the run's failure.
            if any("ExecutionInterrupted" in text for one in reports for text in one.errors):
                raise KeyboardInterrupt
            console.print(f"[green]✓[/green] {what}  [dim]{time.monotonic() - began:.1f} s[/dim]")

        began = time.monotonic()
        status.update("inventories")
        reports.append(runner.run("inventories", assets=inventory_keys()))
        simulated = [name for name in sources() if is_configured(name)]
        note(f"inventories of {', '.join(simulated)}", began=began)
        for vendor in simulated:
            began = time.monotonic()
            status.update(f"{vendor}: {span}")
            reports.append(runner.run(f"ingest_{vendor}", tags=tags))
            note(f"{vendor}: {len(wanted)} days, {span}", began=began)
        errors = [f"{one.job}: {error}" for one in reports for error in one.errors]
        for follow, what in (
            (refresh_what_is_stale, "readings, energy, marts, published file"),
            (push_what_is_behind, f"packets to {titles()}"),
        ):
            began = time.monotonic()
            status.update(what)
            lines: list[str] = []
            followed = follow(runner, say=lines.append)
            if followed == "failed":
                errors += lines
            else:
                note(what if followed == "did" else f"{what}: nothing to do", began=began)
        if not errors:
            # The nightly comparison, now: its check would else stay unanswered until then.
            began = time.monotonic()
            status.update(f"lake, ledger and {titles()} compared")
            reports.append(runner.run("reconcile"))
            errors += [f"reconcile: {error}" for error in reports[-1].errors]
            note(f"lake, ledger and {titles()} compared", began=began)
    return errors
