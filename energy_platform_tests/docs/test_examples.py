"""The examples of the how-to pages are what a portfolio may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from energy_platform.portfolio import load_portfolio
from energy_platform_tests.docs.pages import DOCS, blocks, name_of

if TYPE_CHECKING:
    from pathlib import Path

PAGES: Final = [one for one in sorted((DOCS / "how-to").glob("*.md")) if blocks(one, "yaml")]

TUTORIAL: Final = """
version: 1
sites:
  - {id: paris-office, name: Paris office, timezone: Europe/Paris}
devices:
  - vendor: socomec
    serial: SN000001
    site: paris-office
    name: Incomer
    role: main
    carrier: electricity
    points:
      - {key: "Global|0|130101", name: Energy, quantity: active_energy_import, unit: Wh,
         max_power_w: 250000}
"""
"""What the tutorial comes to, as far as the pages speak of it."""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_tells_to_write_fits_the_tutorials_portfolio(
    page: Path, tmp_path: Path
) -> None:
    portfolio = tmp_path / "portfolio.yaml"
    portfolio.write_text(TUTORIAL, encoding="utf-8")
    parts = tmp_path / "portfolio.d"
    parts.mkdir()
    before = load_portfolio(portfolio)
    for number, block in enumerate(blocks(page, "yaml")):
        (parts / f"{number}.yaml").write_text(block.text, encoding="utf-8")
    assert load_portfolio(portfolio) != before
