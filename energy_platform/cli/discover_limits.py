"""``energy-platform discover --limits``: propose max_power_w from what the lake has seen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from energy_platform.cli.console import print_error
from energy_platform.cli.discover import (
    _STYLES,
    INCOMPLETE,
    NOTHING,
    OK,
    _ask,
    _text,
    _write,
)
from energy_platform.discovery import DiscoveryError
from energy_platform.discovery.limits import propose_limits
from energy_platform.lake.lake import Lake
from energy_platform.limits_seen import seen_power
from energy_platform.portfolio import load_portfolio
from energy_platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console


def run_limits(
    console: Console,
    *,
    dry_run: bool = False,
    yes: bool = False,
    ask: Callable[[str], bool] | None = None,
) -> int:
    """Show what each register was seen to do and the limits proposed; write them when agreed.

    Args:
        console: Where to.
        dry_run: Show only.
        yes: Write without asking.
        ask: How to ask; by default on the terminal.

    Returns:
        The exit code, as of ``discover``.

    Raises:
        PortfolioError: The portfolio does not load as it is.
        LakeError: A file of the lake is damaged.
        SettingsError: A variable is wrong.
    """
    try:
        return _limits(console, dry_run=dry_run, yes=yes, ask=ask)
    except DiscoveryError as error:
        print_error(console, str(error))
        return NOTHING


def _limits(
    console: Console, *, dry_run: bool, yes: bool, ask: Callable[[str], bool] | None
) -> int:
    settings = Settings.load().platform
    # A link stays a link.
    path = settings.portfolio.resolve()
    portfolio = load_portfolio(path)
    seen = seen_power(Lake(settings.data_dir / "lake"), portfolio)
    if not seen:
        raise DiscoveryError("the lake has no registers to learn limits from; backfill some days")
    before = _text(path) or ""
    proposal = propose_limits(before, seen, name=path.name)
    for line in proposal.lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for line in proposal.diff(name=path.name):
        console.print(line, style=_STYLES.get(line[:1], ""), markup=False, soft_wrap=True)
    if proposal.after == before:
        console.print(f"{path}: no limit to propose", markup=False, soft_wrap=True)
        return OK
    if dry_run:
        console.print("nothing was written (--dry-run)", markup=False)
        return OK
    if not yes and ask is None and not sys.stdin.isatty():
        console.print("nothing was written: no terminal to ask on; --yes writes", markup=False)
        return NOTHING
    if not yes and not (ask or _ask)(f"Write {path}?"):
        console.print("nothing was written", markup=False)
        return INCOMPLETE
    _write(path, proposal.after, before=before)
    console.print(f"wrote {path}", markup=False, soft_wrap=True)
    return OK
