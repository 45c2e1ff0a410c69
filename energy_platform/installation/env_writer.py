"""Adds variables to the ``.env`` file so that they are read back as they were typed.

What stands in the file stays, comments included. The file is readable by its owner alone, from the
moment it exists.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from energy_platform.installation.env_file import EnvFileError, read_env_file
from energy_platform.lake.files import staged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./~-]*")
"""Values that mean themselves without quotes."""


def add_variables(path: Path, values: Mapping[str, str]) -> None:
    """Write variables into an env file, in place of lines that set the same ones.

    Args:
        path: The file; made where there is none.
        values: Variables by name.

    Raises:
        EnvFileError: A value cannot be written so that it is read back, such as bytes that are no
            text; nothing was changed.
    """
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    kept = [line for line in before.splitlines() if _name_of(line) not in values]
    text = "\n".join([*kept, *(f"{name}={_written(value)}" for name, value in values.items())])
    if broken := [name for name, value in values.items() if not _is_text(value)]:
        raise _unwritable(broken, path)
    # A link stays a link.
    with staged(path.resolve()) as file:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as target:
            os.fchmod(target.fileno(), 0o600)
            target.write(text + "\n")
        read = read_env_file(file).values
        if wrong := [name for name, value in values.items() if read.get(name) != value]:
            raise _unwritable(wrong, path)


def _unwritable(names: list[str], path: Path) -> EnvFileError:
    return EnvFileError(
        f"{', '.join(names)} cannot be written to {path} so that it is read back: expected a text "
        "without control characters; set it in the environment"
    )


def _is_text(value: str) -> bool:
    """Whether a value is text of Unicode; what a terminal of another character set sends is not."""
    return not any("\ud800" <= one <= "\udfff" for one in value)


def _name_of(line: str) -> str | None:
    found = re.match(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", line)
    return None if found is None else found[1]


def _written(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
