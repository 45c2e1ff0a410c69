"""From figures to the page in words: which parts there are, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from energy_platform import __version__
from energy_platform.report.attention import attention
from energy_platform.report.device_sections import ups_section, valves_section
from energy_platform.report.energy_sections import (
    days_section,
    heat_section,
    load_section,
    peak_section,
    use_section,
)
from energy_platform.report.flows_section import flows_section
from energy_platform.report.glance import glance, status_sentence
from energy_platform.report.tree_section import tree_section
from energy_platform.report.trust import trust
from energy_platform.report.view import Page

if TYPE_CHECKING:
    from energy_platform.report.records import Figures
    from energy_platform.report.words import Words

GLOSSARY: Final = (
    "final",
    "closed",
    "open",
    "partial",
    "incomplete",
    "disputed",
    "unconfirmed",
    "unknown",
    "base load",
    "load factor",
    "self-consumption",
    "self-sufficiency",
)
"""Words that a page explains at its end."""


def page_of(figures: Figures, words: Words) -> Page:
    """Return the page of a site and period, in words."""
    zone = figures.site.timezone
    period = words.period(figures.period)
    built = figures.built_at.astimezone(ZoneInfo(zone))
    sections = (
        attention(figures, words),
        use_section(figures, words),
        days_section(figures, words),
        load_section(figures, words),
        peak_section(figures, words),
        tree_section(figures, words),
        flows_section(figures, words),
        heat_section(figures, words),
        valves_section(figures, words),
        ups_section(figures, words),
        trust(figures, words),
    )
    return Page(
        language=words.language,
        title=words("page.title", site=figures.site.site_name, period=period),
        site_name=figures.site.site_name,
        period_name=period,
        status=words(f"status.{figures.status}.word"),
        status_sentence=status_sentence(figures, words),
        is_final=figures.is_final,
        is_disputed=figures.status == "disputed",
        as_of=words("page.as_of", at=words.moment(built), zone=zone),
        glance=glance(figures, words),
        sections=tuple(one for one in sections if one is not None),
        glossary=tuple(
            (words(f"glossary_word.{one}"), words(f"glossary.{one}")) for one in GLOSSARY
        ),
        made_by=words("page.made_by", version=__version__),
    )
