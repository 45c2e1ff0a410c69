"""``energy-platform discover``: write or extend the portfolio from the vendors' inventories."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from energy_platform.cli.console import print_error
from energy_platform.discovery import DiscoveryError, propose, read_inventories
from energy_platform.lake.files import staged
from energy_platform.lake.lake import Lake
from energy_platform.settings import Settings, variable
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.registry import get_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from energy_platform.discovery import Proposal, ReadInventories

OK: Final = 0
"""The portfolio is up to date, was written, or was shown."""

INCOMPLETE: Final = 1
"""A vendor could not be read, or the changes were declined."""

NOTHING: Final = 2
"""No vendor could be read, or the portfolio cannot be extended."""

_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


def run_discover(
    console: Console,
    *,
    dry_run: bool = False,
    yes: bool = False,
    ask: Callable[[str], bool] | None = None,
) -> int:
    """Read the inventories, show what would change, and write it when agreed.

    Args:
        console: Where to.
        dry_run: Show only.
        yes: Write without asking.
        ask: How to ask; by default on the terminal.

    Returns:
        The exit code.

    Raises:
        PortfolioError: The portfolio does not load as it is.
        SettingsError: A variable is wrong.
    """
    try:
        return _discover(console, dry_run=dry_run, yes=yes, ask=ask)
    except DiscoveryError as error:
        print_error(console, str(error))
        return NOTHING


def _discover(
    console: Console, *, dry_run: bool, yes: bool, ask: Callable[[str], bool] | None
) -> int:
    settings = Settings.load().platform
    read = read_inventories(
        data_dir=settings.data_dir,
        logins=RefusedLogins.of(settings.data_dir),
        lake=Lake(settings.data_dir / "lake"),
    )
    _print_vendors(console, read)
    if not read.found:
        return NOTHING
    # A link stays a link.
    path = settings.portfolio.resolve()
    before = _text(path)
    proposal = propose(before, read.found, name=path.name)
    if yes and proposal.changes and not dry_run:
        # Before the long diff: whoever reads it may go away, such as `head`.
        _write(path, proposal.after, before=before)
        _print_written(console, path, proposal)
        _print_proposal(console, proposal, name=path.name)
        return INCOMPLETE if read.failed else OK
    _print_proposal(console, proposal, name=path.name)
    done = INCOMPLETE if read.failed else OK
    if not proposal.changes:
        console.print(f"{path} needs no addition", markup=False)
        return done
    if dry_run:
        console.print("nothing was written (--dry-run)", markup=False)
        return done
    if ask is None and not sys.stdin.isatty():
        console.print("nothing was written: no terminal to ask on; --yes writes", markup=False)
        return NOTHING
    if not (ask or _ask)(f"Write {path}?"):
        console.print("nothing was written", markup=False)
        return INCOMPLETE
    _write(path, proposal.after, before=before)
    _print_written(console, path, proposal)
    return done


def _ask(question: str) -> bool:
    import typer  # noqa: PLC0415

    return typer.confirm(question)


def _text(path: Path) -> str | None:
    """Return the file's text with its line breaks as they are; None when there is none."""
    if not path.exists():
        return None
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise DiscoveryError(f"{path}: cannot be read: {error}") from error


def _write(path: Path, text: str, *, before: str | None) -> None:
    """Replace the text that the proposal was made from, and no other."""
    if _text(path) != before:
        raise DiscoveryError(f"{path} was changed in the meantime; run discover again")
    mode = path.stat().st_mode & 0o777 if path.exists() else None
    try:
        with staged(path) as target:
            target.write_bytes(text.encode())
            if mode is not None:
                target.chmod(mode)
    except OSError as error:
        raise DiscoveryError(f"{path}: cannot be written: {error}") from error


def _print_written(console: Console, path: Path, proposal: Proposal) -> None:
    console.print(f"wrote {path}; {proposal.to_confirm} entries say TO CONFIRM", markup=False)


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
    for line in proposal.diff(name=name):
        console.print(line, style=_STYLES.get(line[:1], ""), markup=False, soft_wrap=True)
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
