"""What an answer of the collector means for a packet."""

from __future__ import annotations

import re
from html import unescape
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import httpcore

from energy_platform.sources.http.masking import mask

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from energy_platform.destinations.wattics.connection import Fault

AnswerKind = Literal["stored", "in_doubt", "refused", "authentication", "transient", "redirect"]
"""What an answer means for the sender; ``in_doubt``: a good status whose body proves nothing."""

TRANSIENT_STATUSES: Final = frozenset({408, 425, 429})
"""Answers below 500 after which the same packet is sent again."""

AUTHENTICATION_STATUSES: Final = frozenset({401, 403})
"""Answers that stop every stream of the credential."""

EXCERPT_LENGTH: Final = 300
"""Characters of a refusal that are kept for the person who must act."""

_MARKUP: Final = re.compile(r"(?is)<(script|style)\b.*?</\1\s*>|<[^>]*>")
_LONGEST_LOOK: Final = 20_000
"""Bytes of a body that are looked at for display."""


class Answer(NamedTuple):
    """What came of one packet.

    Attributes:
        kind: What it means.
        status: HTTP status; None when no answer came.
        retry_after_s: Seconds Wattics asked to wait.
        reason: One line for display.
        excerpt: Begin of the body of a refusal, without markup and without secrets.
        in_doubt: Whether the packet may be stored although no answer said so.
        shape: Of an answer in doubt that may be learned to mean stored (``bodies.BodyMeaning``).
    """

    kind: AnswerKind
    status: int | None
    retry_after_s: float | None
    reason: str
    excerpt: str
    in_doubt: bool
    shape: str = ""


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
