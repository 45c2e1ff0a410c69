"""What an answer of the collector means for a packet."""

from __future__ import annotations

import re
from html import unescape
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import httpcore

from energy_platform.destinations.base import Answer
from energy_platform.sources.http.masking import mask

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from energy_platform.destinations.base import AnswerKind
    from energy_platform.destinations.wattics.connection import Fault

TRANSIENT_STATUSES: Final = frozenset({408, 425, 429})
"""Answers below 500 after which the same packet is sent again."""

AUTHENTICATION_STATUSES: Final = frozenset({401, 403})
"""Answers that stop every stream of the credential."""

EXCERPT_LENGTH: Final = 300
"""Characters of a refusal that are kept for the person who must act."""

_MARKUP: Final = re.compile(r"(?is)<(script|style)\b.*?</\1\s*>|<[^>]*>")
_LONGEST_LOOK: Final = 20_000
"""Bytes of a body that are looked at for display."""


def classify(status: int, *, success_codes: Collection[int] = (200, 201, 202, 204)) -> AnswerKind:
    """Say what a status means for a packet; whatever is not known to be stored is not.

    Args:
        status: HTTP status.
        success_codes: Statuses that mean stored.
    """
    if status in success_codes:
        return "stored"
    if status in AUTHENTICATION_STATUSES:
        return "authentication"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "redirect"
    if status in TRANSIENT_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "transient"
    return "refused"


def excerpt(body: bytes, *, hidden: Iterable[str]) -> str:
    """Return the begin of a body in plain words; the body may echo what was sent to it."""
    text = body[:_LONGEST_LOOK].decode("utf-8", "replace")
    words = " ".join(unescape(_MARKUP.sub(" ", text)).split())
    return mask(words, hidden=hidden)[:EXCERPT_LENGTH]


def no_answer(error: Fault) -> Answer:
    """Classify a fault of the network; before a connection stands nothing can have been stored."""
    never_sent = isinstance(
        error, httpcore.ConnectError | httpcore.ConnectTimeout | httpcore.ProxyError
    )
    if isinstance(error, httpcore.TimeoutException):
        reason = "no answer in time"
    elif never_sent:
        reason = "no connection"
    else:
        reason = "the connection was cut before an answer came"
    return Answer(
        kind="transient",
        status=None,
        retry_after_s=None,
        # Texts of the HTTP library may name addresses.
        reason=f"{reason} ({type(error).__name__})",
        excerpt="",
        in_doubt=not never_sent,
    )
