"""Changes that a command proposes for the portfolio: shown as a diff, written when agreed.

What is proposed belongs to ``discovery``; which command proposes it, to ``discover`` and
``discover_from_lake``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from energy_platform.discovery import DiscoveryError
from energy_platform.lake.files import staged
from energy_platform.portfolio.schema import MODELINE, SCHEMA_FILE, schema_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console

    from energy_platform.discovery import Proposal

OK: Final = 0
"""The portfolio is up to date, was written, or was shown."""

INCOMPLETE: Final = 1
"""A vendor could not be read, or the changes were declined."""

NOTHING: Final = 2
"""No vendor could be read, or the portfolio cannot be extended."""

_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}
"""Colours of a unified diff, as git shows it."""


def print_diff(console: Console, lines: Iterable[str]) -> None:
    """Print the lines of a unified diff."""
    for line in lines:
        console.print(line, style=_STYLES.get(line[:1], ""), markup=False, soft_wrap=True)


def offer(
    console: Console,
    path: Path,
    proposal: Proposal,
    *,
    what: str,
    follows: str = "",
    dry_run: bool,
    yes: bool,
    ask: Callable[[str], bool] | None,
) -> int:
    """Show what a proposal from the lake would change, and write it when agreed.

    Args:
        console: Where to.
        path: The portfolio.
        proposal: What would change.
        what: What is proposed, for the message that there is nothing.
        follows: What to add to the message that it was written.
        dry_run: Show only.
        yes: Write without asking.
        ask: How to ask; None: on the terminal, if there is one.

    Returns:
        The exit code.

    Raises:
        DiscoveryError: A file was changed meanwhile, or cannot be written.
    """
    print_diff(console, proposal.diff(name=path.name))
    if not proposal.changes:
        console.print(f"{path}: no {what} to propose", markup=False, soft_wrap=True)
        return OK
    code = refusal(console, path, dry_run=dry_run, yes=yes, ask=ask)
    if code is not None:
        return code
    written = write_changes(path, proposal)
    console.print(f"wrote {', '.join(map(str, written))}{follows}", markup=False, soft_wrap=True)
    return OK


def refusal(
    console: Console, path: Path, *, dry_run: bool, yes: bool, ask: Callable[[str], bool] | None
) -> int | None:
    """Return the exit code where nothing is to be written, and say why; None to go ahead.

    Args:
        console: Where to say it.
        path: What would be written.
        dry_run: Show only.
        yes: Write without asking.
        ask: How to ask; None: on the terminal, if there is one.
    """
    if dry_run:
        console.print("nothing was written (--dry-run)", markup=False)
        return OK
    if yes:
        return None
    if ask is None and not sys.stdin.isatty():
        console.print("nothing was written: no terminal to ask on; --yes writes", markup=False)
        return NOTHING
    if not (ask or _ask)(f"Write {path}?"):
        console.print("nothing was written", markup=False)
        return INCOMPLETE
    return None


def _ask(question: str) -> bool:
    import typer  # noqa: PLC0415

    return typer.confirm(question)


def read_text(path: Path) -> str | None:
    """Return the file's text with its line breaks as they are; None when there is none.

    Raises:
        DiscoveryError: The file cannot be read.
    """
    if not path.exists():
        return None
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise DiscoveryError(f"{path}: cannot be read: {error}") from error


def write_changes(path: Path, proposal: Proposal) -> list[Path]:
    """Write what is proposed for the main file and its parts; return the files that changed.

    The schema that a new portfolio names for editors is written next to it.

    Raises:
        DiscoveryError: A file was changed meanwhile, or cannot be written.
    """
    written = []
    after = proposal.after
    if after != proposal.before:
        write_text(path, after, before=proposal.before)
        written.append(path)
    for one in proposal.parts:
        write_text(Path(one.name).resolve(), one.after, before=one.before)
        written.append(Path(one.name))
    if MODELINE in after:
        schema, text = path.with_name(SCHEMA_FILE), schema_text()
        known = read_text(schema)
        if known != text:
            write_text(schema, text, before=known)
            written.append(schema)
    return written


def write_text(path: Path, text: str, *, before: str | None) -> None:
    """Replace the text that the proposal was made from, and no other.

    Raises:
        DiscoveryError: The file was changed meanwhile, or cannot be written.
    """
    if read_text(path) != before:
        raise DiscoveryError(f"{path} was changed in the meantime; run discover again")
    mode = path.stat().st_mode & 0o777 if path.exists() else None
    try:
        with staged(path) as target:
            target.write_bytes(text.encode())
            if mode is not None:
                target.chmod(mode)
    except OSError as error:
        raise DiscoveryError(f"{path}: cannot be written: {error}") from error
