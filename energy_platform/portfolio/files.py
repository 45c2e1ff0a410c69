"""The files of a portfolio: which there are, whether they changed, reading each change once.

``portfolio.yaml`` is the main file; the files in ``portfolio.d`` next to it belong to it. What
they say together is checked in ``load``.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.portfolio.load import PortfolioError, parse_portfolio
from energy_platform.portfolio.parts import YamlFile
from energy_platform.portfolio.text import without_collection

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.portfolio.resolved import Portfolio

LARGEST_BYTES: Final = 64 * 2**20
"""Size of a portfolio that is read: half a million points, as `discover` writes them."""

_RACY_NS: Final = 2_000_000_000
"""A file that changed so lately may change again within the same tick of the file system's clock
(two seconds on FAT, milliseconds elsewhere) and look the same: it is not remembered yet."""

_REMEMBERED: Final = 4
"""Portfolios of one process that are remembered; a command has one, a test several."""


class _Known(NamedTuple):
    """What came of reading some files.

    Attributes:
        state: What the folder said of them.
        portfolio: What they say; None when they cannot be used.
        error: Why they cannot be used.
    """

    state: str
    portfolio: Portfolio | None
    error: str


_KNOWN: Final[dict[str, _Known]] = {}
_READING: Final = threading.Lock()


def parts_folder(path: Path) -> Path:
    """Return the folder of a portfolio's further files: ``portfolio.d`` of ``portfolio.yaml``."""
    return path.with_suffix(".d")


def portfolio_files(path: Path) -> list[Path]:
    """Return the main file, which need not be there, and its parts in the order of their names.

    Raises:
        PortfolioError: Something in the folder looks like a part and would not be read.
    """
    folder = parts_folder(path)
    try:
        entries = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return [path]
    except OSError as error:
        raise PortfolioError(f"{folder}: cannot be read: {_reason(error)}") from error
    for one in entries:
        if one.suffix.lower() in {".yml", ".yaml"} and one.suffix != ".yaml":
            raise PortfolioError(f"{one}: is not read; rename it so that it ends in .yaml")
    return [path, *(one for one in entries if one.suffix == ".yaml")]


def portfolio_state(path: Path) -> str:
    """Return a text that is another one when a file changed, came or went; none is opened."""
    return _state(path)[0]


def _state(path: Path) -> tuple[str, int]:
    """Return that text, and when the newest of the files changed, in nanoseconds since 1970."""
    try:
        files = portfolio_files(path)
    except PortfolioError as error:
        return str(error), 0
    states, newest = [], 0
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            states.append(f"{file.name} -")
            continue
        # The time of change tells a file that was put back with its old time of writing.
        identity = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        states.append(f"{file.name} {identity}")
        newest = max(newest, stat.st_mtime_ns, stat.st_ctime_ns)
    return ", ".join(states), newest


def load_portfolio(path: Path) -> Portfolio:
    """Read and check a portfolio, once per change of its files in a process.

    Raises:
        PortfolioError: A file is missing, is not YAML or breaks a rule; one line per problem.
    """
    # One thread reads; those that ask meanwhile get what it read.
    with _READING:
        state, newest = _state(path)
        known = _KNOWN.pop(str(path), None)
        if known is None or known.state != state:
            known = _read(path, state=state)
        if abs(time.time_ns() - newest) > _RACY_NS:
            _KNOWN[str(path)] = known
            while len(_KNOWN) > _REMEMBERED:
                _KNOWN.pop(next(iter(_KNOWN)))
    if known.portfolio is None:
        raise PortfolioError(known.error)
    return known.portfolio


def _read(path: Path, *, state: str) -> _Known:
    try:
        main, *parts = read_files(path)
        with without_collection():
            portfolio = parse_portfolio(main.text, name=main.name, parts=parts)
    except PortfolioError as error:
        return _Known(state, None, str(error))
    return _Known(state, portfolio, "")


def read_files(path: Path) -> tuple[YamlFile, ...]:
    """Return the texts of the main file and its parts, unchecked.

    Raises:
        PortfolioError: A file is missing or cannot be read.
    """
    read, left = [], LARGEST_BYTES
    for file in portfolio_files(path):
        text = _text_of(file, main=path, at_most=left)
        left -= len(text)
        read.append(YamlFile(str(file), text))
    return tuple(read)


def read_parts(path: Path) -> tuple[YamlFile, ...]:
    """Return the texts of a portfolio's further files, whether or not the main one is there.

    Raises:
        PortfolioError: One of them cannot be read.
    """
    return tuple(
        YamlFile(str(file), _text_of(file, main=path, at_most=LARGEST_BYTES))
        for file in portfolio_files(path)[1:]
    )


def _text_of(file: Path, *, main: Path, at_most: int) -> str:
    """Return a file's text; no device or pipe is read, which may have no end."""
    try:
        if file.exists() and not file.is_file():
            what = "a folder" if file.is_dir() else "no regular file"
            raise PortfolioError(f"{file}: is {what}; {_names(file, main=main)} a YAML file")
        with file.open("rb") as opened:
            data = opened.read(at_most + 1)
        if len(data) > at_most:
            raise PortfolioError(
                f"{file}: is larger than {LARGEST_BYTES // 2**20} MiB; is it a portfolio?"
            )
        return data.decode("utf-8")
    except FileNotFoundError as error:
        raise PortfolioError(
            f"{file}: no such file. Write it with `energy-platform discover`, "
            "or point ENERGY_PLATFORM_PORTFOLIO at yours."
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise PortfolioError(f"{file}:{line}: is not UTF-8 text: {error.reason}") from error
    except OSError as error:
        raise PortfolioError(f"{file}: cannot be read: {_reason(error)}") from error


def _names(file: Path, *, main: Path) -> str:
    return "ENERGY_PLATFORM_PORTFOLIO names" if file == main else "each part is"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
