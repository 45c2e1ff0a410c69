"""The page as PDF: the same words, figures and drawings, tagged for who listens to it (PDF/UA-1).

Typst sets it; it comes as a wheel and needs no library of the system. The page is handed over as
JSON and nowhere pasted into the template.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import typst

from energy_platform.report.drawing import FONT
from energy_platform.report.errors import ReportError
from energy_platform.report.words import words_of

if TYPE_CHECKING:
    from energy_platform.report.view import Fact, Page, Picture, Section, Table

FONTS: Final = ("Liberation Sans", "Arial", "Helvetica", "DejaVu Sans")
"""Fonts in order; the last one is always there, for matplotlib brings it along."""

_OPEN_COLUMNS: Final = 9
"""A table of figures with more columns than this stays in the page: no sheet is so wide."""


def render_pdf(page: Page) -> bytes:
    """Return a page as PDF.

    Raises:
        ReportError: Typst refused it.
    """
    try:
        return typst.compile(
            template(),
            format="pdf",
            font_paths=_fonts(),
            sys_inputs={"page": json.dumps(document_of(page), allow_nan=False)},
            pdf_standards="ua-1",
            # A page that says the same is the same file.
            timestamp=0,
        )
    except typst.TypstError as error:
        raise ReportError(f"the PDF of {page.title} cannot be set: {error}") from error


@cache
def _fonts() -> typst.Fonts:
    """Return what fonts there are: looking for them takes longer than setting a page."""
    return typst.Fonts(font_paths=[Path(mpl.get_data_path()) / "fonts" / "ttf"])


@cache
def template() -> bytes:
    """Return the Typst document, which takes the page as its input ``page``."""
    file = files("energy_platform.report.templates") / "report.typ"
    return file.read_bytes()


def document_of(page: Page) -> dict[str, Any]:
    """Return a page as the template takes it."""
    words = words_of(page.language)
    pictures = [one for section in page.sections for one in section.pictures]
    return {
        "language": page.language,
        "fonts": list(FONTS),
        "title": page.title,
        "site_name": page.site_name,
        "period_name": page.period_name,
        "status_sentence": page.status_sentence,
        "is_disputed": page.is_disputed,
        "as_of": page.as_of,
        "made_by": page.made_by,
        "glossary": page.glossary,
        "words": {
            "page_of": words("page.page_of"),
            "kind": words("page.kind"),
            "glance": words("page.glance"),
            "glossary": words("page.glossary"),
            "todo": words("page.todo"),
            "days": words("page.figures"),
        },
        "glance": [_fact(one) for one in page.glance],
        "sections": [_section(one) for one in page.sections],
        "day_tables": [
            _table(one.table)
            for one in pictures
            if not one.is_short and len(one.table.columns) <= _OPEN_COLUMNS
        ],
    }


def _section(section: Section) -> dict[str, Any]:
    return {
        "heading": section.heading,
        "paragraphs": section.paragraphs,
        "notes": section.notes,
        "facts": [_fact(one) for one in section.facts],
        "pictures": [_picture(one) for one in section.pictures],
        "items": [
            {
                "weight": one.weight,
                "weight_text": one.weight_text,
                "title": one.title,
                "text": one.text,
                "todo": one.todo,
                "command": one.command,
            }
            for one in section.items
        ],
        "tables": [_table(one) for one in section.tables],
    }


def _fact(fact: Fact) -> dict[str, Any]:
    return {
        "label": fact.label,
        "text": fact.cell.text,
        "note": fact.note,
        "is_provisional": fact.is_provisional,
        "is_unknown": fact.cell.value is None,
    }


def _picture(picture: Picture) -> dict[str, Any]:
    # A font that is there: the system's own is known to browsers only.
    svg = picture.wide.replace(FONT, ", ".join(f"'{one}'" for one in FONTS))
    return {
        "title": picture.title,
        "description": picture.description,
        "svg": svg,
        "is_short": picture.is_short,
        "table": _table(picture.table),
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "caption": table.caption,
        "columns": table.columns,
        "numeric": sorted(table.numeric),
        "rows": [[cell.text for cell in row] for row in table.rows],
    }
