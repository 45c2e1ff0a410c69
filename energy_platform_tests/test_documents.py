"""What the documents tell a reader to type, open or click exists."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[1]

DOCUMENTS: Final = (
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / ".pre-commit-config.yaml",
    ROOT / ".ci" / "run",
)

HISTORY: Final = {"CHANGELOG.md", "upgrading.md"}
"""Documents that name what there was."""

INVENTED: Final = "acme"
"""What stands for a reader's own source, destination or table."""

COMMAND: Final = re.compile(r"(?:`|^|\$ |# )make ([a-z-]+)(?=`|\s*$|\s+#|`,)", re.MULTILINE)
MODULE: Final = re.compile(r"python -m ((?:energy_platform(?:_tests)?|benchmarks)\b[\w.]*)")
MARKER: Final = re.compile(r'pytest -m "?(?:not )?(\w+)')
PLACE: Final = re.compile(
    r"(?<![\w/.])((?:energy_platform|energy_platform_tests|dbt_models|docs|benchmarks)/[\w./-]+)"
)
LINK: Final = re.compile(r"\]\(([^)#\s]+)(?:#([^)]+))?\)")


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.name)


@documents
def test_every_target_of_make_that_is_named_is_there(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    assert set(COMMAND.findall(text_of(document))) <= targets


@documents
def test_every_module_that_is_to_be_run_can_be(document: Path) -> None:
    for name in MODULE.findall(text_of(document)):
        found = find_spec(name)
        assert found is not None, name
        if found.submodule_search_locations is not None:
            assert find_spec(f"{name}.__main__") is not None, name
        else:
            assert found.origin is not None
            assert 'if __name__ == "__main__":' in text_of(Path(found.origin)), name


@documents
def test_every_marker_of_a_test_that_is_named_is_there(document: Path) -> None:
    configured = tomllib.loads(text_of(ROOT / "pyproject.toml"))["tool"]["pytest"]["ini_options"]
    markers = {one.partition(":")[0] for one in configured["markers"]}
    assert set(MARKER.findall(text_of(document))) <= markers


@documents
def test_every_file_that_is_named_is_there(document: Path) -> None:
    if document.name in HISTORY:
        return
    named = {one.rstrip("./") for one in PLACE.findall(text_of(document)) if INVENTED not in one}
    assert not {one for one in named if not (ROOT / one).exists() and not _is_made(one)}


def _is_made(place: str) -> bool:
    """Say whether a file is one that a command makes, such as dbt's target, or a part of a name."""
    return place.startswith("dbt_models/target") or place.endswith("mart_")


@documents
def test_every_link_leads_somewhere(document: Path) -> None:
    for target, heading in LINK.findall(text_of(document)):
        if "://" in target or target.startswith("mailto:"):
            continue
        place = document.parent / target
        assert place.exists(), target
        if heading:
            assert heading in _headings(place), f"{target}#{heading}"


def _headings(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_command_of_a_hook_is_one_that_setup_installs() -> None:
    hooks = yaml.safe_load(text_of(ROOT / ".pre-commit-config.yaml"))["repos"][0]["hooks"]
    commands = [hook["entry"].split()[0] for hook in hooks if hook["language"] == "system"]
    assert commands
    installed = Path(sys.executable).parent
    for command in (*commands, ".venv/bin/pre-commit"):
        assert command.startswith(".venv/bin/")
        assert (installed / Path(command).name).exists(), command


@pytest.mark.parametrize(
    ("path", "is_kept_out"),
    [
        (".env", True),
        ("portfolio.yaml", True),
        ("data/energy.duckdb", True),
        (".env.example", False),
        ("data/README.md", False),
    ],
)
def test_the_hook_keeps_credentials_and_an_accounts_data_out(
    path: str, *, is_kept_out: bool
) -> None:
    hooks = yaml.safe_load(text_of(ROOT / ".pre-commit-config.yaml"))["repos"][0]["hooks"]
    (hook,) = [hook for hook in hooks if hook["language"] == "fail"]
    assert bool(re.search(hook["files"], path)) == is_kept_out


def test_make_says_what_it_would_do_for_every_target_that_is_named() -> None:
    named = {one for document in DOCUMENTS for one in COMMAND.findall(text_of(document))}
    assert {"setup", "demo", "test", "long", "hooks", "postgres"} <= named
    for target in sorted(named):
        run = subprocess.run(  # noqa: S603 - our own Makefile, nothing is run
            ["make", "--dry-run", "--silent", target],  # noqa: S607 - the user's make
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
