"""The user's portfolio: sites, devices, points, corrections and streams.

One reviewed YAML file says what the vendors' devices are and how their registers are to be read.
Whatever the data contain beyond it stays visible as quarantined readings; nothing is guessed.
"""

from energy_platform.portfolio.files import load_portfolio, portfolio_state
from energy_platform.portfolio.load import PortfolioError, parse_portfolio
from energy_platform.portfolio.model import (
    Correction,
    Device,
    DeviceType,
    PointSpec,
    Site,
    Stream,
)
from energy_platform.portfolio.resolved import Point, Portfolio

__all__ = [
    "Correction",
    "Device",
    "DeviceType",
    "Point",
    "PointSpec",
    "Portfolio",
    "PortfolioError",
    "Site",
    "Stream",
    "load_portfolio",
    "parse_portfolio",
    "portfolio_state",
]
