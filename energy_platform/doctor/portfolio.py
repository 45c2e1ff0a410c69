"""Checks of the portfolio: it loads, nothing waits for confirmation, it fits the inventories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.discovery import DiscoveryError, confirmations, propose
from energy_platform.doctor.check_result import fail, ok, warn
from energy_platform.portfolio import Portfolio, PortfolioError, load_portfolio
from energy_platform.portfolio.files import read_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from energy_platform.discovery import VendorInventory
    from energy_platform.doctor.check_result import CheckResult
    from energy_platform.portfolio.parts import YamlFile
    from energy_platform.schemas import Vendor

CHECK: Final = "portfolio"

_SHOWN: Final = 3


class ReadPortfolio(NamedTuple):
    """The portfolio as far as it can be read.

    Attributes:
        files: The texts of its files, the main one first; none where it does not load.
        portfolio: What it says, None when it does not load.
        findings: What the check says.
    """

    files: tuple[YamlFile, ...]
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
        return ReadPortfolio((), None, [missing])
    try:
        files = read_files(path)
        portfolio = load_portfolio(path)
    except PortfolioError as error:
        findings = [
            fail(CHECK, "", problem, "Correct the line") for problem in str(error).splitlines()
        ]
        return ReadPortfolio((), None, findings)
    findings = [
        ok(
            CHECK,
            "",
            f"{len(portfolio.devices)} devices, {len(portfolio.points)} points and "
            f"{len(portfolio.streams)} streams on {len(portfolio.sites)} sites"
            + (f", in {len(files)} files" if len(files) > 1 else ""),
        )
    ]
    if waiting := sum(confirmations(one.text) for one in files):
        findings.append(
            warn(
                CHECK,
                "",
                f"{waiting} entries say TO CONFIRM",
                "Look at each, correct it, and remove the mark",
            )
        )
    return ReadPortfolio(files, portfolio, findings)


def compare(
    files: Sequence[YamlFile], found: Mapping[Vendor, VendorInventory]
) -> list[CheckResult]:
    """Compare the portfolio with what the vendors have, vendor by vendor.

    Args:
        files: A portfolio that loads, the main file first.
        found: Inventories of the vendors that answered.
    """
    (name, text), *parts = files
    findings: list[CheckResult] = []
    for vendor, inventory in found.items():
        try:
            proposal = propose(text, {vendor: inventory}, name=name, parts=parts)
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
