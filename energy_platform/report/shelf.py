"""Which pages lie in a folder and what they were made of: ``pages.json``, and the index of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from energy_platform.lake.files import staged
from energy_platform.report.period import Period, typed_period
from energy_platform.report.words import words_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from energy_platform.report.records import SiteInfo

PAGES: Final = "pages.json"
INDEX: Final = "index.html"

_VERSION: Final = 1


@dataclass(frozen=True, kw_only=True)
class Shelved:
    """A page that lies in the folder.

    Attributes:
        digest: Of the figures and of what makes a page of them.
        is_final: Whether nothing on it can change by itself.
        attention: Things on it that want a look.
        has_pdf: Whether the PDF lies next to it.
    """

    site_id: str
    site_name: str
    grain: str
    period: str
    language: str
    digest: str
    status: str
    is_final: bool
    attention: int
    use_kwh: float | None
    change_share: float | None
    peak_kw: float | None
    has_pdf: bool


def page_path(site_id: str, period: Period, *, kind: str) -> str:
    """Return where a page lies in the folder; no id of a site leads out of it.

    >>> from datetime import date
    >>> page_path("../x y", Period("month", date(2026, 1, 1)), kind="html")
    '%2E.%2Fx%20y/2026-01.html'
    """
    folder = quote(site_id, safe="")
    if folder.startswith("."):
        folder = f"%2E{folder[1:]}"
    return f"{folder}/{period.key}.{kind}"


def period_from(shelved: Shelved) -> Period:
    """Return the period of a page."""
    is_month = shelved.grain == "month"
    found = typed_period(
        month=shelved.period if is_month else None, week=None if is_month else shelved.period
    )
    if found is None:  # neither was given, which a page cannot say
        raise ValueError(shelved.period)
    return found


def read_shelf(folder: Path) -> dict[tuple[str, str], Shelved]:
    """Return the pages that lie in a folder, by site and period; one that is gone is none."""
    try:
        noted = json.loads((folder / PAGES).read_text(encoding="utf-8"))
        if noted["version"] != _VERSION:
            return {}
        pages = [Shelved(**one) for one in noted["pages"]]
    except (OSError, ValueError, KeyError, TypeError):
        # None yet, or of another version: pages are made again and say the same.
        return {}
    return {
        (one.site_id, one.period): one
        for one in pages
        if (folder / page_path(one.site_id, period_from(one), kind="html")).is_file()
    }


def write_shelf(
    folder: Path,
    shelf: dict[tuple[str, str], Shelved],
    sites: Sequence[SiteInfo],
    *,
    language: str,
) -> None:
    """Note which pages lie in a folder, and write the index of all sites where it changed."""
    from energy_platform.report.page import render_index  # noqa: PLC0415 - with what draws

    ordered = sorted(shelf.values(), key=lambda one: (one.site_id, period_from(one).first))
    noted = {"version": _VERSION, "pages": [asdict(one) for one in ordered]}
    _put(folder / PAGES, json.dumps(noted, indent=1, ensure_ascii=False))
    _put(folder / INDEX, render_index(language=language, **_index(ordered, sites, language)))


def _put(target: Path, text: str) -> None:
    if target.is_file() and target.read_text(encoding="utf-8") == text:
        return
    with staged(target) as path:
        path.write_text(text, encoding="utf-8")


def _index(pages: Sequence[Shelved], sites: Sequence[SiteInfo], language: str) -> dict[str, Any]:
    words = words_of(language)
    by_site: dict[str, list[Shelved]] = {one.site_id: [] for one in sites}
    for one in pages:
        by_site.setdefault(one.site_id, []).append(one)
    names = {one.site_id: one.site_name for one in sites}
    rows, older = [], []
    for site_id, found in by_site.items():
        newest_first = sorted(found, key=lambda one: period_from(one).last, reverse=True)
        name = names.get(site_id) or (found[0].site_name if found else site_id)
        if not found:
            rows.append({"site": name, "href": ""})
            continue
        rows.append(_row(newest_first[0], name, language))
        if newest_first[1:]:
            older.append((name, [_row(one, name, language) for one in newest_first[1:]]))
    columns = ("site", "period", "use", "change", "peak", "status", "attention", "pdf")
    return {
        "columns": [words(f"index.column.{one}") for one in columns],
        "numeric": {2, 3, 4, 6},
        "rows": rows,
        "older": older,
    }


def _row(one: Shelved, name: str, language: str) -> dict[str, str]:
    words = words_of(language)
    period = period_from(one)
    shown = words.period(period)

    def link(kind: str) -> str:
        return quote(page_path(one.site_id, period, kind=kind))

    return {
        "site": name,
        "href": link("html"),
        "pdf": link("pdf") if one.has_pdf else "",
        "title": words("page.title", site=name, period=shown),
        "period": shown,
        "use": words.amount(one.use_kwh, "kWh"),
        "change": words.share(one.change_share, signed=True),
        "peak": words.amount(one.peak_kw, "kW"),
        "status": words(f"status.{one.status}.word"),
        "attention": words.number(one.attention, digits=0),
    }
