"""A page's picture of its days by itself, for a place that shows nothing else of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import vl_convert

from energy_platform.report.energy_sections import days_section
from energy_platform.report.words import words_of

if TYPE_CHECKING:
    from energy_platform.report.records import Figures

_WIDTH = 480


def daily_png(figures: Figures, *, language: str) -> bytes | None:
    """Return the daily bars as PNG, titled with site and period; None without electricity."""
    words = words_of(language)
    section = days_section(figures, words)
    if section is None or section.pictures[0].spec is None:
        return None
    title = words("page.title", site=figures.site.site_name, period=words.period(figures.period))
    spec = {**section.pictures[0].spec, "width": _WIDTH, "height": 140, "title": title}
    return vl_convert.vegalite_to_png(spec, vl_version="6.4", allowed_base_urls=[])
