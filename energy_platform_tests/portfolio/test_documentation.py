"""The example of the documentation is a portfolio that loads."""

from __future__ import annotations

import re
from pathlib import Path

from energy_platform.portfolio import parse_portfolio


def test_the_documented_portfolio_loads_as_it_stands() -> None:
    page = (Path(__file__).parents[2] / "docs" / "portfolio.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    portfolio = parse_portfolio(example)
    assert len(portfolio.points) == 2
    assert portfolio.corrections[0].factor == 10
    assert portfolio.streams["paris-incomer"].fields["aP_1"] in portfolio.points
