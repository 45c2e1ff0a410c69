"""``energy-platform discover --limits``: propose max_power_w from what the lake has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.cli.console import error_console, print_error
from energy_platform.cli.portfolio_changes import NOTHING, OK, offer, read_text
from energy_platform.cli.progress import working
from energy_platform.cli.proposals import print_proposal
from energy_platform.discovery import DiscoveryError
from energy_platform.discovery.limits import propose_limits
from energy_platform.lake.lake import Lake
from energy_platform.limits_seen import seen_power
from energy_platform.portfolio import load_portfolio
from energy_platform.portfolio.files import read_parts
from energy_platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console


def run_limits(
    console: Console,
    *,
    dry_run: bool = False,
    yes: bool = False,
    as_json: bool = False,
    ask: Callable[[str], bool] | None = None,
) -> int:
    """Show what each register was seen to do and the limits proposed; write them when agreed.

    Args:
        console: Where to.
        dry_run: Show only.
        yes: Write without asking.
        as_json: Show only, as one JSON object.
        ask: How to ask; by default on the terminal.

    Returns:
        The exit code, as of ``discover``.

    Raises:
        PortfolioError: The portfolio does not load as it is.
        LakeError: A file of the lake is damaged.
        SettingsError: A variable is wrong.
    """
    try:
        return _limits(console, dry_run=dry_run, yes=yes, as_json=as_json, ask=ask)
    except DiscoveryError as error:
        print_error(error_console(), str(error))
        return NOTHING


def _limits(
    console: Console,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    ask: Callable[[str], bool] | None,
) -> int:
    settings = Settings.load().platform
    # A link stays a link.
    path = settings.portfolio.resolve()
    portfolio = load_portfolio(settings.portfolio)
    with working("reading the lake"):
        seen = seen_power(Lake.of(settings), portfolio)
    if not seen:
        raise DiscoveryError("the lake has no registers to learn limits from; backfill some days")
    before = read_text(path) or ""
    parts = read_parts(settings.portfolio)
    proposal = propose_limits(before, seen, name=path.name, parts=parts)
    if as_json:
        print_proposal(path, proposal, remarks=proposal.lines)
        return OK
    for line in proposal.lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return offer(
        console,
        path,
        proposal,
        before=before,
        what="limit",
        dry_run=dry_run,
        yes=yes,
        ask=ask,
    )
