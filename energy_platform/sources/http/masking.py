"""Keeps queries, tokens and personal data out of log lines and messages."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
import stamina.instrumentation

from energy_platform.sources.http.bodies import plain_json

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK: Final = "***"
"""What stands in a message where something was taken out."""

_LONGEST_REMARK: Final = 200
"""Characters of a vendor's own words a message carries at most."""

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")
"""What a machine-readable error code looks like."""

_SECRET_LIKE: Final = re.compile(
    r"[^\s@]+@[^\s@]+"  # e-mail addresses
    r"|(?<=\?)\S+"  # queries
    r"|(?=[\w.+/=-]*\d)[\w.+/=-]{20,}"  # tokens, keys, signatures
)
_EMAIL: Final = re.compile(r"[^\s@<>()]+@[^\s@<>()]+")
_PHONE: Final = re.compile(r"\+\d[\d ()/.-]{6,}\d")
_WIRE_LOGGERS: Final = ("httpx", "httpcore", "urllib3", "keycloak")
"""Libraries that log addresses, headers or bodies of calls."""


class ErrorSummary(NamedTuple):
    """What a vendor said about an error: a code for programs, words for display."""

    code: str | None
    words: str


def mask(text: str, *, hidden: Iterable[str] = ()) -> str:
    """Take known secrets, and whatever looks like one, out of a text.

    >>> mask("no client 8f14e45fceea167a5a36 for me@example.com")
    'no client *** for ***'
    """
    for secret in sorted({value for value in hidden if len(value) >= 3}, key=len, reverse=True):  # noqa: PLR2004
        text = text.replace(secret, MASK)
    return _SECRET_LIKE.sub(MASK, text)


def without_contacts(name: str) -> str:
    """Take e-mail addresses and telephone numbers out of a name, which is free text.

    >>> without_contacts("Demo plant, ask someone@customer.example or +33 3 88 00 00 00")
    'Demo plant, ask *** or ***'
    """
    return _PHONE.sub(MASK, _EMAIL.sub(MASK, name))


def error_summary(body: bytes, *, hidden: Iterable[str] = ()) -> ErrorSummary:
    """Read the code and a short masked message out of an error body of any shape.

    Args:
        body: Body of a non-2xx answer: JSON of several habits, HTML, anything.
        hidden: Secrets of the request, should the vendor echo them.

    >>> error_summary(b'{"error": "invalid_grant", "error_description": "Token is not active"}')
    ErrorSummary(code='invalid_grant', words='Token is not active')
    """
    try:
        answer = msgspec.json.decode(plain_json(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ErrorSummary(None, "")
    if not isinstance(answer, dict):
        return ErrorSummary(None, "")
    code = next(
        (
            value
            for key in ("error", "code", "errorCode", "type")
            if isinstance(value := answer.get(key), str) and _CODE.fullmatch(value)
        ),
        None,
    )
    words = ""
    for key in ("error_description", "message", "detail", "title", "description"):
        value = answer.get(key)
        if isinstance(value, list):
            value = "; ".join(item for item in value if isinstance(item, str))
        if isinstance(value, str) and value:
            words = " ".join(mask(value, hidden=hidden).split())[:_LONGEST_REMARK]
            break
    hidden_code = code is not None and mask(code, hidden=hidden) != code
    return ErrorSummary(None if hidden_code else code, words)


def safe_url(url: str) -> str:
    """Return host and path of an address, without its query.

    >>> safe_url("https://user:secret@api.example.com/v1/data?token=secret")
    'api.example.com/v1/data'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an unreadable address"
    return f"{parts.hostname or ''}{parts.path}" or "nowhere"


class _QueryFilter(logging.Filter):
    """Strips the query of every address in a record's arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                str(arg).split("?", 1)[0] if "?" in str(arg) else arg for arg in record.args
            )
        return True


def silence_http_loggers() -> None:
    """Keep the HTTP libraries from logging addresses with queries, headers and bodies.

    They are set to warnings only, and their queries are cut even if somebody turns them up.
    """
    # stamina announces each retry, on stdout where structlog is installed; the transport's own
    # line says more.
    stamina.instrumentation.set_on_retry_hooks([])
    for name in _WIRE_LOGGERS:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)
        if not any(isinstance(item, _QueryFilter) for item in logger.filters):
            logger.addFilter(_QueryFilter())
