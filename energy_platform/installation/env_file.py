"""The ``.env`` file: where it is, and what it says, as written.

Nothing else of the platform opens it. Dagster and pydantic-settings have readers of their own;
both expand ``${…}`` inside values, Dagster's lays the file over the environment as well. Neither
is used.
"""

from __future__ import annotations

import io
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dotenv.parser import parse_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOME: Final = "ENERGY_PLATFORM_HOME"
"""Variable that names the installation's folder: where ``.env`` lies and relative paths begin.

Empty: the working directory. Whoever starts other processes sets it for them, so that a process
in another working directory reads the same settings.
"""

ENV_FILE: Final = "ENERGY_PLATFORM_ENV_FILE"
"""Variable that names another file than ``.env``."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")

_UNQUOTED_COMMENT: Final = re.compile(r"""^[^=]*=\s*(?!['"])[^\r\n]*?\s#""")


class EnvFileError(ValueError):
    """The file cannot be read at all; the message names it and says what to do."""


@dataclass(frozen=True, kw_only=True)
class LineProblem:
    """A line that does not say what its writer may think.

    Attributes:
        line: Its number, from 1.
        message: What is wrong with it, without any value.
        lost: Whether the line is lost; otherwise it is read, but perhaps not as meant.
    """

    line: int
    message: str
    lost: bool


@dataclass(frozen=True, kw_only=True)
class EnvFile:
    """What an env file says.

    Attributes:
        path: Its absolute path.
        exists: Whether there is one.
        values: Variables by name, each as written; of a name that stands twice the last one.
        problems: Lines that somebody should look at.
    """

    path: Path
    exists: bool
    values: dict[str, str]
    problems: tuple[LineProblem, ...]

    def mode_problem(self) -> str | None:
        """Say that others on this machine can read the file, or return None."""
        if not self.exists or not self.path.is_file():
            return None
        mode = stat.S_IMODE(self.path.stat().st_mode)
        if not mode & _OTHERS:
            return None
        return f"{self.path} can be read by others (mode {mode:04o})"


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the installation's folder."""
    return Path(environ.get(HOME) or ".").expanduser().absolute()


def env_file(environ: Mapping[str, str] = os.environ) -> EnvFile:
    """Read the env file of this process.

    Raises:
        EnvFileError: It cannot be read, or the one that is named does not exist.
    """
    named = environ.get(ENV_FILE)
    path = home_folder(environ) / Path(named or ".env").expanduser()
    read = read_env_file(path)
    if named and not read.exists:
        raise EnvFileError(f"{ENV_FILE} names {path}, which does not exist: correct or unset it")
    return read


def read_env_file(path: Path) -> EnvFile:
    """Read an env file; one that does not exist says nothing.

    A value is taken as written: ``a${b}c`` stays what it is. Quotes around a value, ``export``
    before a name, a byte-order mark and line ends of any system are no part of it.

    Raises:
        EnvFileError: It is a folder, may not be read, or is not UTF-8 text.
    """
    if not path.exists():
        return EnvFile(path=path, exists=False, values={}, problems=())
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    problems: list[LineProblem] = []
    for binding in parse_stream(io.StringIO(_text(path))):
        source = binding.original.string
        line = binding.original.line + source[: len(source) - len(source.lstrip())].count("\n")
        name, value = binding.key, binding.value
        if binding.error or (name is not None and value is None):
            problems.append(
                LineProblem(line=line, message="cannot be read: expected NAME=value", lost=True)
            )
        elif name is not None and value is not None:
            before = lines.get(name)
            problems += _doubts(name, line=line, before=before, source=source.strip())
            values[name], lines[name] = value, line
    return EnvFile(path=path, exists=True, values=values, problems=tuple(problems))


def _text(path: Path) -> str:
    if path.is_dir():
        raise EnvFileError(f"{path} is a folder; expected a file with lines NAME=value")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EnvFileError(f"{path} cannot be read: {error.strerror}") from error
    if content.startswith(_UTF16):
        raise EnvFileError(f"{path} is UTF-16 text; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        # Not chained: the error's own text shows the bytes around it.
        raise EnvFileError(f"{path}, line {line}: not UTF-8 text; save it as UTF-8") from None


def _doubts(name: str, *, line: int, before: int | None, source: str) -> Iterator[LineProblem]:
    """Yield what of a line may not be meant as it is read."""
    if before is not None:
        message = f"{name} stands in line {before} already; the last one counts"
        yield LineProblem(line=line, message=message, lost=False)
    if _UNQUOTED_COMMENT.match(source):
        message = (
            f"{name} ends before the ' #', which begins a comment; put the value in single quotes "
            "if it is part of it"
        )
        yield LineProblem(line=line, message=message, lost=False)


def write_env_file(path: Path, values: Mapping[str, str]) -> None:
    """Write variables so that `read_env_file` gives them back, readable by this user alone."""
    quoted = {
        name: value.replace("\\", "\\\\").replace("'", "\\'") for name, value in values.items()
    }
    text = "".join(f"{name}='{value}'\n" for name, value in quoted.items())
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    staged.unlink(missing_ok=True)
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    staged.replace(path)
