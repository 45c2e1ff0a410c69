"""Sphinx: the pages of this folder as a site (``make docs``).

The pages stay plain Markdown, readable where the code is hosted. What only a site has is added
here while they are read: the table of contents, and the reference pages' tables.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pygments.lexers.special import TextLexer
from typer.main import get_command

from energy_platform import __version__
from energy_platform.cli.app import app as command_line
from energy_platform.portfolio.schema import portfolio_schema
from energy_platform.reference import (
    command_reference,
    data_dictionary,
    portfolio_reference,
    settings_reference,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
MANIFEST: Final = ROOT / "dbt_models" / "target" / "manifest.json"
LINEAGE: Final = ROOT / "dbt_models" / "target" / "static_index.html"
"""dbt's own page, which ``make docs`` writes first; the value ``lineage`` names another place."""

project = "energy_platform"
author = "energy_platform maintainers"
version = release = __version__
language = "en"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "README.md"]
myst_heading_anchors = 6
"""Anchors as code hosts make them, so that one link serves both."""

html_theme = "furo"
html_title = f"energy_platform {__version__}"
html_copy_source = False
html_show_copyright = False
html_static_path: list[str] = []
html_css_files: list[str] = []

PLACED: Final = {
    "Start": ["tutorial"],
    "Reading": ["readers", "report", "energy", "glossary"],
    "Running it": ["deployment", "operations", "alerts", "network", "upgrading"],
    "Reference": ["portfolio", "files", "delivery"],
    "Developing": ["architecture", "performance", "contributing", "changelog"],
}
"""Pages in the order of a reader; one that is in none of them is added to those of "Running it"."""

FOLDERS: Final = {"How to": "how-to", "Reference": "reference"}
ORDER: Final = ("Start", "How to", "Reading", "Running it", "Reference", "Developing")

GENERATED: Final[dict[str, Callable[[], str]]] = {
    "reference/data-dictionary": lambda: data_dictionary(
        json.loads(MANIFEST.read_text(encoding="utf-8"))
    ),
    "reference/settings": settings_reference,
    "reference/commands": lambda: command_reference(get_command(command_line)),
    "reference/portfolio-keys": lambda: portfolio_reference(portfolio_schema()),
}
"""Pages whose second part follows from the code; their first part stands in their file."""

FROM_ROOT: Final = {"changelog": "CHANGELOG.md", "contributing": "CONTRIBUTING.md"}
"""Pages of the site that are files of the repository."""

_LINK: Final = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])+)\]\(([^)\s]+)\)")


def contents() -> str:
    """Return the table of contents of the site, every page once."""
    pages = {one.relative_to(HERE).with_suffix("").as_posix() for one in HERE.glob("*.md")}
    placed = {title: [page for page in PLACED.get(title, ()) if page in pages] for title in ORDER}
    for title, folder in FOLDERS.items():
        below = sorted((HERE / folder).glob("*.md"))
        placed[title] += [f"{folder}/{one.stem}" for one in below]
    known = {page for some in placed.values() for page in some}
    placed["Running it"] += sorted(pages - known - {"index"})
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n" + "\n".join(some) + "\n```\n"
        for title, some in placed.items()
        if some
    )


def _from_root(name: str) -> str:
    """Return a file of the repository with its links as a page in ``docs`` has them."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return _LINK.sub(
        lambda link: f"[{link[1]}]({_seen_from_docs(link[2])})",
        text,
    )


def _seen_from_docs(target: str) -> str:
    if "://" in target or target.startswith(("#", "mailto:")):
        return target
    return target.removeprefix("docs/") if target.startswith("docs/") else f"../{target}"


def _inside(page: str, text: str) -> str:
    """Return a text whose links to the repository's other files lead to pages, or are names."""
    up = "../" * page.count("/")
    pages = {f"{up}../{name}": f"{up}{one}.md" for one, name in FROM_ROOT.items()}

    def turned(link: re.Match[str]) -> str:
        target, _, anchor = link[2].partition("#")
        if target in pages:
            return f"[{link[1]}]({pages[target]}{'#' * bool(anchor)}{anchor})"
        return link[1] if target.startswith(f"{up}../") else link[0]

    return _LINK.sub(turned, text)


def _read(_: Sphinx, page: str, source: list[str]) -> None:
    text = source[0]
    if page == "index":
        text += contents()
    if page in FROM_ROOT:
        text = _from_root(FROM_ROOT[page])
    if page in GENERATED:
        text += "\n" + GENERATED[page]()
    source[0] = _inside(page, text)


def _reachable(*details: Any) -> None:
    """Let keys reach what scrolls, and screen readers know the level of the contents' headings."""
    context: dict[str, Any] = details[3]
    for part in ("body", "furo_navigation_tree"):
        context[part] = (
            str(context.get(part, ""))
            .replace("<pre>", '<pre tabindex="0">')
            .replace('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper')
            .replace('role="heading"', 'role="heading" aria-level="2"')
        )


def _lineage(app: Sphinx, failed: Exception | None) -> None:
    """Put dbt's own page beside the others."""
    if failed is None and app.builder.name == "html":
        (Path(app.outdir) / "lineage.html").write_bytes(Path(app.config.lineage).read_bytes())


def setup(app: Sphinx) -> None:
    """Register what is done while pages are read."""
    for name in ("energy", "register", "increments", "mermaid"):
        app.add_lexer(name, TextLexer)
    app.add_config_value("lineage", str(LINEAGE), "html", [str])
    app.connect("source-read", _read)
    app.connect("html-page-context", _reachable, priority=900)
    app.connect("build-finished", _lineage)
