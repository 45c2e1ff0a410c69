"""What ``energy-platform portfolio`` prints; each function returns the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from energy_platform.cli.console import add_row, error_console, print_error, table
from energy_platform.cli.screen import ROWS, counted
from energy_platform.doctor.portfolio import check_portfolio
from energy_platform.installation.origin import installation
from energy_platform.portfolio import load_portfolio
from energy_platform.portfolio.find import fitting_points, why_none_fits

if TYPE_CHECKING:
    from rich.console import Console

_MOST: Final = ROWS - 6
"""Points of a table that fits on one screen with its heads and the line below it."""


def show_check(console: Console, *, as_json: bool) -> int:
    """Print whether the portfolio loads, and what waits for confirmation.

    Returns:
        1 when it does not load, else 0.

    Raises:
        SettingsError: A variable is wrong.
    """
    path = installation().settings.platform.portfolio
    findings = check_portfolio(path).findings
    failed = any(one.level == "fail" for one in findings)
    if as_json:
        shown = {"portfolio": str(path), "findings": [one.as_dict() for one in findings]}
        print(json.dumps(shown, indent=2))  # noqa: T201
        return int(failed)
    verdict = "cannot be used" if failed else "is sound"
    console.print(f"{path} {verdict}", markup=False, highlight=False)
    for one in findings:
        advice = f" → {one.advice}" if one.advice else ""
        console.print(f"{one.level:<4}  {one.message}{advice}", markup=False, highlight=False)
    return int(failed)


def show_found(console: Console, *, words: str, as_json: bool) -> int:
    """Print the points that fit some words.

    Returns:
        0, or 1 when none fits; the message says what comes near.

    Raises:
        PortfolioError: The portfolio cannot be used.
        SettingsError: A variable is wrong.
    """
    portfolio = load_portfolio(installation().settings.platform.portfolio)
    found = fitting_points(portfolio, words)
    if as_json:
        rows = [
            {
                "point_id": one.point_id,
                "site_id": one.site_id,
                "device": one.device_name,
                "name": one.name,
                "quantity": one.quantity,
                "unit": one.unit,
                "kind": one.kind,
                "role": one.role,
            }
            for one in found
        ]
        print(json.dumps(rows, indent=2))  # noqa: T201
        return int(not rows)
    if not found:
        print_error(error_console(), why_none_fits(portfolio, words))
        return 1
    shown = table("point", "device", "name", "quantity", "site")
    for one in found[:_MOST]:
        add_row(shown, one.point_id, one.device_name, one.name, one.quantity, one.site_id)
    console.print(shown)
    more = len(found) - _MOST
    rest = f"; {more} more: add words, or --json lists all" if more > 0 else ""
    console.print(f"{counted(len(found), 'point')}{rest}", highlight=False)
    return 0
