"""The pages of the documentation, as a reader and as a shell see them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"

HISTORY: Final = {"CHANGELOG.md", "upgrading.md"}
"""Pages that name what there was."""

_FENCE: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```\s*$",
    re.MULTILINE | re.DOTALL,
)
_SPAN: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK: Final = re.compile(r"\]\(([^)\s]*)\)")
_HEREDOC: Final = re.compile(r"<<'?(\w+)'?")


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str


def pages() -> list[Path]:
    """Return every page of the repository that people read."""
    return [*sorted(ROOT.glob("*.md")), *sorted(one for one in DOCS.rglob("*.md") if _is_own(one))]


def _is_own(page: Path) -> bool:
    return "_build" not in page.parts


def name_of(page: Path) -> str:
    """Return the place of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    """Return what a page holds."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the fenced blocks of a page that are in some languages."""
    found = []
    for match in _FENCE.finditer(text_of(page)):
        indent = len(match["indent"])
        lines = [line[indent:] for line in match["text"].splitlines()]
        found.append(Block(match["language"], "\n".join(lines) + "\n"))
    return [one for one in found if one.language in languages]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", text_of(page))


def spans(page: Path) -> list[str]:
    """Return what stands between back-ticks in the prose of a page."""
    return _SPAN.findall(prose(page))


def links(page: Path) -> list[tuple[str, str]]:
    """Return place and anchor of every link to another page, or within one."""
    found = [target.partition("#") for target in _LINK.findall(_SPAN.sub("", prose(page)))]
    return [
        (place, anchor)
        for place, _, anchor in found
        if "://" not in place and not place.startswith("mailto:")
    ]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    seen: dict[str, int] = {}
    found = set()
    for title in _HEADING.findall(prose(page)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return found


def commands(page: Path, *, until: str = "") -> list[str]:
    """Return what is to be typed in the console blocks of a page, one text for each prompt.

    Args:
        page: The page.
        until: A heading that ends the part that is looked at.
    """
    text = text_of(page)
    if until:
        text = text[: text.index(f"\n{until}\n")]
    return [
        command
        for match in _FENCE.finditer(text)
        if match["language"] == "console"
        for command in _typed(match["text"])
    ]


def _typed(text: str) -> Iterator[str]:
    lines = iter(line.strip() for line in text.splitlines())
    for line in lines:
        if not line.startswith("$ "):
            continue
        command = line.removeprefix("$ ")
        while not _is_whole(command):
            command += "\n" + next(lines)
        if heredoc := _HEREDOC.search(command):
            body = text[text.index(line) :].splitlines()[1:]
            command += "\n" + "\n".join(body[: body.index(heredoc[1]) + 1]) + "\n"
        yield command


def _is_whole(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True


def calls(command: str) -> list[list[str]]:
    """Return the words of each call of the platform in a command: what follows its name."""
    words = shlex.shlex(
        command.partition("\n")[0] if "<<" in command else command,
        posix=True,
        punctuation_chars="|;&<>",
    )
    words.whitespace_split = True
    words.commenters = "#"
    found: list[list[str]] = []
    is_call = False
    for word in words:
        if set(word) <= set("|;&<>"):
            is_call = False
        elif Path(word).name == "energy-platform" and not is_call:
            is_call = True
            found.append([])
        elif is_call:
            found[-1].append(word)
    return found
