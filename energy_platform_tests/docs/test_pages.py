"""Whatever a page links to, tells to type, or names is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml
from typer.main import get_command

from energy_platform.cli.app import app
from energy_platform.settings import sections, variable
from energy_platform.sources.registry import reject_tables, tables
from energy_platform_tests.docs.pages import (
    DOCS,
    HISTORY,
    ROOT,
    anchors,
    calls,
    commands,
    links,
    name_of,
    pages,
    spans,
)

if TYPE_CHECKING:
    from pathlib import Path

every_page = pytest.mark.parametrize("page", pages(), ids=name_of)
present = pytest.mark.parametrize(
    "page", [one for one in pages() if one.name not in HISTORY], ids=name_of
)

TABLE: Final = re.compile(r"(?:dim|fct|mart|core|raw)_[a-z0-9_]+")
COLUMN: Final = re.compile(rf"({TABLE.pattern})\.(?!sql$|yml$)([a-z][a-z0-9_]*)")
SETTING: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")

ELSEWHERE: Final = {
    # Of OpenSSL, requests and proxies, of DuckDB's driver, and names in the code.
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "READ_ONLY",
    "RAW_VALUE",
    "BUILT_IN",
}
INVENTED: Final = ("acme", "ACME")
GENERATED_IN: Final = ("raw_files",)
"""Asset names that are no table."""


def models() -> dict[str, set[str]]:
    """Return the columns of every published table, by its name."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "dbt_models" / "models").rglob("*.yml")):
        content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for one in content.get("models", []):
            found[one["name"]] = {column["name"] for column in one.get("columns", [])}
    return found


def known_tables() -> dict[str, set[str]]:
    lake = (*tables().values(), *reject_tables().values())
    return {one.name: {column.name for column in one.columns} for one in lake} | models()


def known_settings() -> set[str]:
    internal = {"ENERGY_PLATFORM_HOME", "ENERGY_PLATFORM_ENV_FILE", "ENERGY_PLATFORM_SIMULATION"}
    return internal | {
        variable(section, field)
        for section in sections().values()
        for field in section.model_fields
    }


@every_page
def test_every_link_and_anchor_leads_somewhere_where_the_code_is_hosted(page: Path) -> None:
    for place, anchor in links(page):
        target = (page.parent / place) if place else page
        assert target.exists(), place
        if anchor:
            assert anchor in anchors(target), f"{place}#{anchor}"


@present
def test_every_command_in_a_console_can_be_typed(page: Path) -> None:
    root: Any = get_command(app)
    for command in commands(page):
        for words in calls(command):
            parse(root, words)


def parse(command: Any, words: list[str]) -> None:
    """Parse the words of a command down to its last, without running it; refuse as it does."""
    if words and words[0] in getattr(command, "commands", {}):
        parse(command.commands[words[0]], words[1:])
        return
    assert not hasattr(command, "commands") or not words or words[0].startswith("-"), words
    command.make_context("energy-platform", list(words))


@pytest.mark.parametrize(
    "words", [["backfil", "socomec"], ["backfill", "socomec"], ["export", "x", "--form", "csv"]]
)
def test_a_command_that_there_is_not_would_be_seen(words: list[str]) -> None:
    with pytest.raises(Exception, match=r"backfil|Missing parameter|No such option"):
        parse(get_command(app), words)


@present
def test_every_command_named_in_the_text_is_there_with_its_options(page: Path) -> None:
    for span in spans(page):
        for words in calls(span):
            command: Any = get_command(app)
            rest = list(words)
            while rest and hasattr(command, "commands") and not rest[0].startswith(("-", "…")):
                assert rest[0] in command.commands, span
                command = command.commands[rest.pop(0)]
            known = {"-h", "--help"} | {
                option for one in command.params for option in (*one.opts, *one.secondary_opts)
            }
            assert {one for one in rest if one.startswith("--")} <= known, span


@present
def test_every_table_and_column_that_is_named_is_there(page: Path) -> None:
    known = known_tables()
    for span in spans(page):
        if any(word in span for word in INVENTED) or span in GENERATED_IN:
            continue
        if TABLE.fullmatch(span) and not span.endswith("_"):
            assert span in known, span
        if found := COLUMN.fullmatch(span):
            assert found[2] in known[found[1]], span


@present
def test_every_setting_that_is_named_is_there(page: Path) -> None:
    known = known_settings()
    for span in spans(page):
        name = span.partition("=")[0]
        if not SETTING.fullmatch(name) or any(word in name for word in INVENTED):
            continue
        if name in ELSEWHERE:
            continue
        assert any(one == name or one.endswith(f"_{name}") for one in known), span


def test_every_page_of_the_docs_is_linked_from_the_start_page_or_from_one_that_is() -> None:
    start = DOCS / "index.md"
    reached, waiting = {start.resolve()}, [start]
    while waiting:
        page = waiting.pop()
        for place, _ in links(page):
            target = (page.parent / place).resolve()
            if target.suffix == ".md" and target not in reached:
                reached.add(target)
                waiting.append(target)
    site_only = {"changelog.md", "contributing.md"}
    own = {one.resolve() for one in pages() if one.is_relative_to(DOCS)}
    assert {one.name for one in own - reached} <= site_only
