"""``energy-platform discover``: write or extend the portfolio from the vendors' inventories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.cli.console import error_console, print_error
from energy_platform.cli.portfolio_changes import (
    INCOMPLETE,
    NOTHING,
    OK,
    print_diff,
    read_text,
    refusal,
    write_changes,
)
from energy_platform.cli.progress import working
from energy_platform.cli.proposals import print_proposal
from energy_platform.discovery import DiscoveryError, propose, read_inventories
from energy_platform.lake.lake import Lake
from energy_platform.portfolio.files import read_parts
from energy_platform.settings import Settings, variable
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.registry import get_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from energy_platform.discovery import Proposal, ReadInventories


def run_discover(
    console: Console,
    *,
    dry_run: bool = False,
    yes: bool = False,
    as_json: bool = False,
    ask: Callable[[str], bool] | None = None,
) -> int:
    """Read the inventories, show what would change, and write it when agreed.

    Args:
        console: Where to.
        dry_run: Show only.
        yes: Write without asking.
        as_json: Show only, as one JSON object.
        ask: How to ask; by default on the terminal.

    Returns:
        The exit code.

    Raises:
        PortfolioError: The portfolio does not load as it is.
        SettingsError: A variable is wrong.
    """
    try:
        return _discover(console, dry_run=dry_run, yes=yes, as_json=as_json, ask=ask)
    except DiscoveryError as error:
        print_error(error_console(), str(error))
        return NOTHING


def _discover(
    console: Console,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    ask: Callable[[str], bool] | None,
) -> int:
    settings = Settings.load().platform
    with working("reading the vendors' inventories"):
        read = read_inventories(
            data_dir=settings.data_dir,
            logins=RefusedLogins.of(settings.data_dir),
            lake=Lake.of(settings),
        )
    _print_vendors(error_console() if as_json else console, read)
    if not read.found:
        return NOTHING
    # A link stays a link.
    path = settings.portfolio.resolve()
    before = read_text(path)
    parts = read_parts(settings.portfolio)
    proposal = propose(before, read.found, name=path.name, parts=parts)
    if as_json:
        print_proposal(path, proposal, read=read)
        return INCOMPLETE if read.failed else OK
    if yes and proposal.changes and not dry_run:
        # Before the long diff: whoever reads it may go away, such as `head`.
        _write(console, path, proposal)
        _print_proposal(console, proposal, name=path.name)
        return INCOMPLETE if read.failed else OK
    _print_proposal(console, proposal, name=path.name)
    done = INCOMPLETE if read.failed else OK
    if not proposal.changes:
        console.print(f"{path} needs no addition", markup=False)
        return done
    code = refusal(console, path, dry_run=dry_run, yes=yes, ask=ask)
    if code is not None:
        return code or done
    _write(console, path, proposal)
    return done


def _write(console: Console, path: Path, proposal: Proposal) -> None:
    written = write_changes(path, proposal)
    files = ", ".join(map(str, written))
    console.print(f"wrote {files}; {proposal.to_confirm} entries say TO CONFIRM", markup=False)


def _print_vendors(console: Console, read: ReadInventories) -> None:
    for vendor, found in read.found.items():
        points = sum(len(device.points) for device in found.devices.values())
        console.print(f"{vendor}: {len(found.devices)} devices, {points} points")
    for vendor, error in read.failed.items():
        console.print(f"{vendor}: not read: {error}", style="red", markup=False, soft_wrap=True)
    for vendor in read.skipped:
        spec = get_source(vendor)
        missing = variable(spec.settings, spec.login[0])
        console.print(f"{vendor}: no credentials ({missing}), not asked")
    if not read.found and not read.failed:
        console.print("no vendor has credentials; set them in .env or the environment")


def _print_proposal(console: Console, proposal: Proposal, *, name: str) -> None:
    print_diff(console, proposal.diff(name=name))
    new = (
        f"{len(proposal.sites)} sites, {len(proposal.types)} device types and "
        f"{len(proposal.devices)} devices are new"
    )
    proposed = [
        f"{where}: {count} points proposed as comments"
        for where, count in proposal.proposed.items()
    ]
    for line in (new, *proposed, *proposal.remarks):
        console.print(line, markup=False, soft_wrap=True)
    for line in proposal.vanished:
        console.print(
            f"vanished, not removed: {line}", style="yellow", markup=False, soft_wrap=True
        )
