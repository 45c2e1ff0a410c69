"""The PDF holds the page's figures, as text that can be searched and heard."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import typst

from energy_platform.report.figures import read_figures, site_infos
from energy_platform.report.pages import page_of
from energy_platform.report.pdf import document_of, render_pdf, template
from energy_platform.report.period import Period
from energy_platform.report.words import words_of
from energy_platform_tests.report.published_site import PublishedSite, built, empty_published

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '#panic("run") $x$ *b* _i_ \\ "quoted" @ref <label>'


def texts(found: Any) -> list[str]:
    """Every text in an element as Typst lays it out."""
    if isinstance(found, dict):
        own = [str(found["text"])] if isinstance(found.get("text"), str) else []
        return own + [text for one in found.values() for text in texts(one)]
    if isinstance(found, list):
        return [text for one in found for text in texts(one)]
    return []


def test_the_pdf_says_the_days_and_names_are_never_read_as_typst(tmp_path: Path) -> None:
    with empty_published(tmp_path / "energy.duckdb") as connection:
        PublishedSite(connection, name=HOSTILE).month(date(2026, 10, 1))
        built(connection, datetime(2026, 11, 5, tzinfo=UTC))
        figures = read_figures(
            connection, site_infos(connection)[0], Period("month", date(2026, 10, 1))
        )
    page = page_of(figures, words_of("en"))
    pdf = render_pdf(page)
    assert pdf.startswith(b"%PDF-")
    for part in (b"/StructTreeRoot", b"/Lang", b"/MarkInfo"):
        assert part in pdf
    assert render_pdf(page) == pdf
    given = {"page": json.dumps(document_of(page))}
    tables = " ".join(texts(json.loads(typst.query(template(), "table", sys_inputs=given))))
    for day in figures.days:
        shown = words_of("en").amount(day.site_use_kwh, "kWh")
        assert words_of("en").day(day.local_day) in tables
        assert shown in tables
    headings = " ".join(texts(json.loads(typst.query(template(), "heading", sys_inputs=given))))
    assert HOSTILE in headings
