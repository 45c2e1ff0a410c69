"""The command reference: every command, argument and option, from the command line itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from energy_platform.reference.markdown import cell, code, table

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDE: Final = 1000
"""A page has no terminal's width."""


def command_reference(root: Any) -> str:
    """Return every command that its help shows, as Markdown.

    Args:
        root: The group that Typer makes of the app.
    """
    return "".join(
        _section(name, command)
        for name, command in commands_of(root, name="energy-platform")
        if not hasattr(command, "commands")
    )


def commands_of(command: Any, *, name: str) -> Iterator[tuple[str, Any]]:
    """Yield a command, and those below it, by what is typed.

    Args:
        command: Of click, as Typer makes it.
        name: What is typed to call it.
    """
    if command.hidden:
        return
    yield name, command
    for below in getattr(command, "commands", {}).values():
        yield from commands_of(below, name=f"{name} {below.name}")


def _section(name: str, command: Any) -> str:
    context = command.context_class(command, info_name=name, terminal_width=_WIDE)
    usage = " ".join((name, *command.collect_usage_pieces(context)))
    records = [
        record for one in command.params if (record := one.get_help_record(context)) is not None
    ]
    rows = [[code(typed), cell(meaning)] for typed, meaning in records]
    parts = (f"## {name}", cell(command.help or ""), f"```text\n{usage}\n```")
    listed = table(["what may be typed", "meaning"], rows) + "\n" if rows else ""
    return "\n\n".join(parts) + "\n\n" + listed
