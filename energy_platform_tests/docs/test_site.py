"""The built site: every link leads somewhere, nothing is fetched, assets find their page."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import dagster as dg
import pytest

from energy_platform.definitions import build_definitions
from energy_platform_tests.docs.pages import DOCS, ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

SERVED: Final = "https://docs.example/energy"
LINEAGE: Final = "lineage.html"


class Page(HTMLParser):
    """What a page refers to, fetches, and can be referred to by."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {one for one in (values.get("id"), values.get("name")) if one}
        if tag == "a":
            self.links += [one for one in (values.get("href"),) if one]
        else:
            named = (values.get("src"), values.get("href"))
            self.fetched += [one for one in named if one]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as ``make docs`` builds it, somewhere else."""
    folder = tmp_path_factory.mktemp("site")
    dbt = Path(sys.executable).with_name("dbt")
    target = ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    generate = ["docs", "generate", "--quiet", "--static", "--empty-catalog", *target]
    run(str(dbt), *generate, folder=ROOT / "dbt_models")
    lineage = f"lineage={folder / 'target' / 'static_index.html'}"
    html = folder / "html"
    build = ["-m", "sphinx", "-W", "--keep-going", "--quiet", "-b", "html", "-D", lineage]
    run(sys.executable, *build, "-d", str(folder / "read"), str(DOCS), str(html))
    return html


def run(*command: str, folder: Path = ROOT) -> None:
    done = subprocess.run(  # noqa: S603 - the commands of the Makefile
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def read(site: Path) -> dict[Path, Page]:
    """Every page but dbt's own, which is a program."""
    found = {}
    for path in sorted(site.rglob("*.html")):
        if path.name != LINEAGE:
            found[path.resolve()] = Page()
            found[path.resolve()].feed(path.read_text(encoding="utf-8"))
    return found


def test_every_link_of_the_site_leads_to_a_page_and_its_anchor(read: dict[Path, Page]) -> None:
    assert len(read) > 30
    for path, page in read.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name}: {link}"
            if parts.fragment and target in read:
                assert unquote(parts.fragment) in read[target].anchors, f"{path.name}: {link}"


def test_nothing_is_fetched_from_anywhere_else(site: Path, read: dict[Path, Page]) -> None:
    for path, page in read.items():
        elsewhere = [one for one in page.fetched if urlsplit(one).netloc]
        assert not elsewhere, f"{path.name}: {elsewhere}"
    for style in site.rglob("*.css"):
        found = re.findall(r"url\(['\"]?(?:https?:)?//", style.read_text(encoding="utf-8"))
        assert not found, style.name
    lineage = Page()
    lineage.feed((site / LINEAGE).read_text(encoding="utf-8"))
    assert not [one for one in lineage.fetched if urlsplit(one).netloc]


def test_the_reference_pages_have_what_they_promise(site: Path) -> None:
    pages = {
        "data-dictionary": ("mart_site_energy", "core_readings", LINEAGE),
        "settings": ("ENERGY_PLATFORM_DATA_DIR",),
        "commands": ("energy-platform backfill",),
        "portfolio-keys": ("max_power_w",),
    }
    for name, words in pages.items():
        text = (site / "reference" / f"{name}.html").read_text(encoding="utf-8")
        for word in words:
            assert word in text, (name, word)
    assert "0.2.0" in (site / "changelog.html").read_text(encoding="utf-8")
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert "mart_restat" in index, "what is searched for"


def test_every_page_of_the_docs_stands_in_the_contents(site: Path) -> None:
    page = Page()
    page.feed((site / "index.html").read_text(encoding="utf-8"))
    listed = {
        (site / urlsplit(one).path).resolve() for one in page.links if not urlsplit(one).scheme
    }
    for one in DOCS.rglob("*.md"):
        if "_build" not in one.parts:
            built = (site / one.relative_to(DOCS)).with_suffix(".html").resolve()
            assert built in listed or one.name == "index.md", one


def test_every_asset_links_to_a_page_of_the_site_and_its_anchor(
    site: Path, read: dict[Path, Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENERGY_PLATFORM_DOCS_URL", f"{SERVED}/")
    graph = build_definitions().resolve_asset_graph()
    keys = graph.materializable_asset_keys
    assert keys
    for key in keys:
        link = graph.get(key).metadata["docs"]
        assert isinstance(link, dg.UrlMetadataValue)
        place, _, anchor = str(link.url).removeprefix(f"{SERVED}/").partition("#")
        assert not anchor or anchor in read[(site / place).resolve()].anchors, key
        assert (site / place).exists(), key
