"""The page as HTML: one file with all that it needs, which asks nothing of any network.

Whatever a vendor or a portfolio calls something is data: escaped in the markup, in the drawings and
in the specs inside scripts. The policy of the page allows its own two scripts, by their digests,
and no address at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jinja2
import vl_convert
from markupsafe import Markup

from energy_platform.lake.files import staged
from energy_platform.report.words import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from energy_platform.report.view import Page

_VEGA_LITE: Final = "6.4"

_EXPORTED: Final = "window.vegaEmbed = vegaEmbed;"
"""What the page's own script finds of the library."""

_IN_SCRIPTS: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
"""What could end a script or begin a comment in it."""


class Links(NamedTuple):
    """Where a page leads to, relative to itself."""

    to_index: str
    to_pdf: str


def render_page(page: Page, *, library: str, links: Links | None) -> str:
    """Return a page as HTML.

    Args:
        page: What it shows.
        library: The script that draws, from `library_of`.
        links: To the index and the PDF; None for a page that stands alone.
    """
    interactive = _text("interactive.js")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            words=words_of(page.language),
            links=links,
            policy=policy(library, interactive),
            style=Markup(_text("style.css")),  # noqa: S704 - a file of ours
            library=Markup(library),  # noqa: S704 - Vega, as vl-convert bundles it
            interactive=Markup(interactive),  # noqa: S704 - a file of ours
        )
    )


def render_index(*, language: str, **values: Any) -> str:
    """Return the page of all sites as HTML.

    Args:
        language: Its language.
        values: ``columns``, ``numeric``, ``rows`` and ``older`` of the template.
    """
    return (
        _environment()
        .get_template("index.html.j2")
        .render(
            words=words_of(language),
            policy=policy(),
            style=Markup(_text("style.css")),  # noqa: S704 - a file of ours
            **values,
        )
    )


def policy(*scripts: str) -> str:
    """Return the content security policy of a page: its own scripts and styles, no address.

    >>> policy()
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    """
    allowed = " ".join(
        "'sha256-" + base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() + "'"
        for one in scripts
    )
    script = f"script-src {allowed}; " if allowed else ""
    return (
        f"default-src 'none'; {script}style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'"
    )


def library_of(folder: Path) -> str:
    """Return the script that makes pictures interactive: Vega, for a script element.

    Bundling takes seconds, so that it is kept next to the reports.

    Args:
        folder: Folder of the reports.
    """
    kept = folder / f".vega-{version('vl-convert-python')}.js"
    if kept.is_file():
        return kept.read_text(encoding="utf-8")
    library = _bundle()
    with staged(kept) as path:
        path.write_text(library, encoding="utf-8", newline="\n")
    return library


@cache
def _bundle() -> str:
    # Line ends as a parser of HTML takes them, for the digest is of what it takes; and nothing may
    # end the element early.
    return (
        vl_convert.javascript_bundle(_EXPORTED, vl_version=_VEGA_LITE)
        .replace("\r\n", "\n")
        .replace("\r", "\n")
        .replace("</script", "<\\/script")
        .replace("<!--", "<\\!--")
    )


def as_json(value: Mapping[str, Any]) -> Markup:
    r"""Return JSON for a script element, which nothing in it can end.

    >>> str(as_json({"name": "</script><b>"}))
    '{"name":"\\u003c/script\\u003e\\u003cb\\u003e"}'
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.translate(_IN_SCRIPTS))  # noqa: S704 - escaped above


def _svg(drawing: str) -> Markup:
    # Parsed and written again by `drawing.standing`: every text in it is escaped.
    return Markup(drawing)  # noqa: S704


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("energy_platform.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"as_json": as_json, "svg": _svg}
    return environment


@cache
def _text(name: str) -> str:
    file = files("energy_platform.report.templates") / name
    return file.read_text(encoding="utf-8")
