"""``energy-platform discover --limits`` and ``--tree``: what the lake has seen, as a proposal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from energy_platform.cli.console import error_console, print_error
from energy_platform.cli.portfolio_changes import NOTHING, OK, offer, read_text
from energy_platform.cli.progress import working
from energy_platform.cli.proposals import print_proposal
from energy_platform.discovery import DiscoveryError
from energy_platform.discovery.limits import propose_limits
from energy_platform.discovery.tree_comments import propose_tree
from energy_platform.discovery.trees import DAYS_SEEN, propose_links
from energy_platform.lake.lake import Lake
from energy_platform.limits_seen import seen_power
from energy_platform.portfolio import load_portfolio
from energy_platform.portfolio.files import read_parts
from energy_platform.schemas import CORE_ENERGY_INTERVALS
from energy_platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from energy_platform.discovery import Proposal
    from energy_platform.portfolio import Portfolio
    from energy_platform.portfolio.parts import YamlFile

WHOLE_HOUR_S: Final = 3_600 * 0.99
"""Covered seconds of an hour that is compared: the share that makes a day final."""

_AS_COMMENTS: Final = ": as comments, nothing follows from them until their mark is removed"
"""What is said of links that were written."""


def run_discover_from_lake(
    console: Console,
    subject: Literal["limits", "tree"],
    *,
    dry_run: bool = False,
    yes: bool = False,
    as_json: bool = False,
    ask: Callable[[str], bool] | None = None,
) -> int:
    """Show what the lake has seen and what is proposed of it; write it when agreed.

    Args:
        console: Where to.
        subject: The limits of registers; or what stands behind what, written as comments.
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
    settings = Settings.load().platform
    # A link stays a link.
    path = settings.portfolio.resolve()
    portfolio = load_portfolio(settings.portfolio)
    is_tree = subject == "tree"
    try:
        text, parts = read_text(path) or "", read_parts(settings.portfolio)
        with working("reading the lake"):
            propose = _tree if is_tree else _limits
            proposal = propose(Lake.of(settings), portfolio, text=text, name=path.name, parts=parts)
        if as_json:
            print_proposal(path, proposal)
            return OK
        for line in proposal.remarks:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return offer(
            console,
            path,
            proposal,
            what="link" if is_tree else "limit",
            follows=_AS_COMMENTS if is_tree else "",
            dry_run=dry_run,
            yes=yes,
            ask=ask,
        )
    except DiscoveryError as error:
        print_error(error_console(), str(error))
        return NOTHING


def _limits(
    lake: Lake, portfolio: Portfolio, *, text: str, name: str, parts: Sequence[YamlFile]
) -> Proposal:
    seen = seen_power(lake, portfolio)
    if not seen:
        raise DiscoveryError("the lake has no registers to learn limits from; backfill some days")
    return propose_limits(text, seen, name=name, parts=parts)


def _tree(
    lake: Lake, portfolio: Portfolio, *, text: str, name: str, parts: Sequence[YamlFile]
) -> Proposal:
    links = propose_links(portfolio, _hourly_energy(lake))
    return propose_tree(text, links, name=name, parts=parts)


def _hourly_energy(lake: Lake) -> pl.DataFrame:
    """Return the energy of each point in the whole hours of the newest days."""
    days = lake.days(CORE_ENERGY_INTERVALS)[-DAYS_SEEN:]
    return (
        lake.scan(CORE_ENERGY_INTERVALS, days=days)
        .group_by("point_id", pl.col("interval_start").dt.truncate("1h").alias("hour"))
        .agg(pl.col("energy_wh").sum(), pl.col("covered_s").sum())
        .filter(pl.col("covered_s") >= WHOLE_HOUR_S)
        .select("point_id", "hour", "energy_wh")
        .sort("point_id", "hour")
        .collect()
    )
