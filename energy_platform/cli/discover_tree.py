"""``energy-platform discover --tree``: propose parents and second instruments from the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.cli.console import error_console, print_error
from energy_platform.cli.portfolio_changes import NOTHING, OK, offer, read_text
from energy_platform.cli.progress import working
from energy_platform.cli.proposals import print_proposal
from energy_platform.discovery import DiscoveryError
from energy_platform.discovery.tree_comments import propose_tree
from energy_platform.discovery.trees import DAYS_SEEN, propose_links
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import load_portfolio
from energy_platform.portfolio.files import read_parts
from energy_platform.schemas import CORE_ENERGY_INTERVALS
from energy_platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

WHOLE_HOUR_S: Final = 3_600 * 0.99
"""Covered seconds of an hour that is compared: the share that makes a day final."""


def run_tree_proposal(
    console: Console,
    *,
    dry_run: bool = False,
    yes: bool = False,
    as_json: bool = False,
    ask: Callable[[str], bool] | None = None,
) -> int:
    """Show what stands behind what, by names and by the data; write it as comments when agreed.

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
        return _propose(console, dry_run=dry_run, yes=yes, as_json=as_json, ask=ask)
    except DiscoveryError as error:
        print_error(error_console(), str(error))
        return NOTHING


def _propose(
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
        links = propose_links(portfolio, hourly_energy(Lake.of(settings)))
    before = read_text(path) or ""
    proposal = propose_tree(before, links, name=path.name, parts=read_parts(settings.portfolio))
    if as_json:
        print_proposal(path, proposal, remarks=proposal.remarks)
        return OK
    for line in proposal.remarks:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return offer(
        console,
        path,
        proposal,
        before=before,
        what="link",
        follows=": as comments, nothing follows from them until their mark is removed",
        dry_run=dry_run,
        yes=yes,
        ask=ask,
    )


def hourly_energy(lake: Lake) -> pl.DataFrame:
    """Return the energy of each point in the whole hours of the newest days.

    Raises:
        LakeError: A file of the lake is damaged.
    """
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
