"""Checks of the portfolio: it loads, nothing waits for confirmation, it fits the inventories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.discovery import DiscoveryError, confirmations, propose
from energy_platform.doctor.check_result import fail, ok, warn
from energy_platform.portfolio import Portfolio, PortfolioError, parse_portfolio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from energy_platform.discovery import VendorInventory
    from energy_platform.doctor.check_result import CheckResult
    from energy_platform.schemas import Vendor

CHECK: Final = "portfolio"

_SHOWN: Final = 3


class ReadPortfolio(NamedTuple):
    """The portfolio as far as it can be read.

    Attributes:
        text: Its text, None when there is none.
        portfolio: What it says, None when it does not load.
        findings: What the check says.
    """

    text: str | None
    portfolio: Portfolio | None
    findings: list[CheckResult]


def check_portfolio(path: Path) -> ReadPortfolio:
    """Load the portfolio."""
    if not path.exists():
        missing = fail(
            CHECK,
            "",
            f"{path} does not exist",
            "Write it with `energy-platform discover`, or set ENERGY_PLATFORM_PORTFOLIO",
        )
        return ReadPortfolio(None, None, [missing])
    try:
        text = path.read_text(encoding="utf-8")
        portfolio = parse_portfolio(text, name=str(path))
    except (OSError, UnicodeDecodeError) as error:
        return ReadPortfolio(None, None, [fail(CHECK, "", f"{path} cannot be read: {error}")])
    except PortfolioError as error:
        findings = [
            fail(CHECK, "", problem, "Correct the line") for problem in str(error).splitlines()
        ]
        return ReadPortfolio(None, None, findings)
    findings = [
        ok(
            CHECK,
            "",
            f"{len(portfolio.devices)} devices, {len(portfolio.points)} points and "
            f"{len(portfolio.streams)} streams on {len(portfolio.sites)} sites",
        )
    ]
    if waiting := confirmations(text):
        findings.append(
            warn(
                CHECK,
                "",
                f"{waiting} entries say TO CONFIRM",
                "Look at each, correct it, and remove the mark",
            )
        )
    return ReadPortfolio(text, portfolio, findings)


def compare(text: str, found: Mapping[Vendor, VendorInventory], *, name: str) -> list[CheckResult]:
    """Compare the portfolio with what the vendors have, vendor by vendor.

    Args:
        text: A portfolio that loads.
        found: Inventories of the vendors that answered.
        name: What to call the portfolio.
    """
    findings: list[CheckResult] = []
    for vendor, inventory in found.items():
        try:
            proposal = propose(text, {vendor: inventory}, name=name)
        except DiscoveryError as error:
            findings.append(warn("inventory", vendor, str(error)))
            continue
        before = len(findings)
        if proposal.devices:
            findings.append(
                warn(
                    "inventory",
                    vendor,
                    f"{_some(proposal.devices)} not in the portfolio",
                    "Add them with `energy-platform discover`",
                )
            )
        if proposal.vanished:
            findings.append(
                warn(
                    "inventory",
                    vendor,
                    f"in the portfolio but not at the vendor: {_some(proposal.vanished)}",
                    "Remove what is gone for good, or ask for the right to see it",
                )
            )
        if proposal.proposed:
            points = sum(proposal.proposed.values())
            findings.append(
                warn(
                    "inventory",
                    vendor,
                    f"{points} points of known devices are not in the portfolio",
                    "See them with `energy-platform discover`; comments are not counted",
                )
            )
        findings += [warn("inventory", vendor, remark) for remark in proposal.remarks]
        if len(findings) == before:
            findings.append(ok("inventory", vendor, "the portfolio holds every device and point"))
    return findings


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
