"""Standard output as it is: a terminal of another character set, or read by who goes away."""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
from typing import Final

_PLAIN: Final = {"→": "->", "…": "...", "├": "|-", "└": "`-", "│": "|", "✓": "+", "·": "-"}
"""Our own signs, for a terminal that has no others."""

_HANDLER: Final = "energy_platform.plain"


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    plain = (_PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in missing)
    return "".join(plain), error.end


def write_any_text() -> None:
    """Let both outputs take every text, whatever the locale: that decides what a person reads.

    A pipe or a file gets UTF-8, so that what is kept is the same on every machine, unless
    PYTHONIOENCODING asks for another one. A terminal keeps its own character set. What either lacks
    is written plainly.
    """
    codecs.register_error(_HANDLER, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if not stream.isatty() and "PYTHONIOENCODING" not in os.environ:
                stream.reconfigure(encoding="utf-8")
            elif codecs.lookup(stream.encoding).name != "utf-8":
                stream.reconfigure(errors=_HANDLER)


def is_left(error: BaseException) -> bool:
    """Say whether an output failed because whoever read it has gone, such as ``head``."""
    # polars raises an OSError that has the words only.
    return isinstance(error, BrokenPipeError) or (
        isinstance(error, OSError) and "Broken pipe" in str(error)
    )


def leave_pipe() -> int:
    """Let what is still written go nowhere; return the exit code: 128 and SIGPIPE's number."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return 128 + signal.SIGPIPE
