"""Whether what came with a good status can be this API's word that a packet is stored.

The body of a success is not documented (Wattics data collection API, section 4), so three verdicts
are told apart: what says stored, what says nothing known, and what is not this API speaking at all
(a login page, a proxy) or says that something went wrong. Nothing here looks at the status.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from energy_platform.destinations.wattics.connection import Header

Verdict = Literal["stored", "unknown", "not_stored"]
"""Says stored; a word of an API that nobody knows yet; a page, or an error in a good status."""

LONGEST_WORD: Final = 1000
"""Bytes of an answer that may be learned; whatever is longer is not an acknowledgement."""

DEEPEST: Final = 8
"""Levels of an answer that are looked at; what is nested deeper is not known."""

_JSON_TYPES: Final = frozenset({"application/json", "text/json"})
_PLAIN_TYPES: Final = frozenset({"", "text/plain", "application/octet-stream"})

_GOOD_WORDS: Final = frozenset(
    [
        "ok",
        "okay",
        "success",
        "successful",
        "succeeded",
        "stored",
        "saved",
        "accepted",
        "acknowledged",
        "created",
        "received",
        "done",
        "completed",
        "processed",
        "true",
        "yes",
        "1",
    ]
)
_BAD_WORDS: Final = re.compile(
    r"(?i)error|exception|fail|fault|invalid|denied|forbidden|unauthori[sz]ed|unauthenticated"
    r"|not |unavailable|refused|rejected|expired|timed? ?out|maintenance|missing|unknown|bad "
    r"|log ?in|logged ?out|sign ?in|session|password|redirect|proxy|gateway|busy|try again|wait"
    r"|discard|ignored|dropped|skipped|disabled|suspended|blocked|quota|exceed|throttl|\blimit\b"
    r"|overload|unable|can ?not|can't|could|\bfull\b|\bdown\b|\bpartial|\blost\b|\bn?ok[.!]? but"
    r"|\bn?ko\b|\bnok\b"
)
_ERROR_KEYS: Final = re.compile(
    r"error|^err|exception|^fault|fail|reject|denied|invalid|unauthor|forbidden|violation|problem"
    r"|redirect|login|signin|discard|dropped|ignored|skipped|lost|throttl|suspend|blocked|quota"
)
_KEPT_KEYS: Final = re.compile(r"insert|written|persisted|stored|saved")
"""Members whose number says how much was kept; nothing kept is not stored."""

_SUCCESS_KEYS: Final = frozenset(
    [
        "success",
        "successful",
        "succeeded",
        "ok",
        "stored",
        "saved",
        "accepted",
        "acknowledged",
        "ack",
        "valid",
        "received",
        "processed",
    ]
)
_GATE_KEYS: Final = frozenset(["valid", "authenticated", "authorized", "loggedin"])
"""Members that speak of the sender or the form: without them nothing is stored, with them it need
not be."""
_STATUS_KEYS: Final = frozenset(
    [
        "status",
        "statuscode",
        "code",
        "httpstatus",
        "httpcode",
        "httpstatuscode",
        "responsecode",
        "returncode",
        "resultcode",
        "result",
        "outcome",
        "state",
    ]
)
_TIME_KEYS: Final = ("tsISO8601", "tsiso8601", "timestamp")
_EMPTY: Final[tuple[object, ...]] = (None, False, 0, "", [], {})
_VARYING: Final = re.compile(
    rb"\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?"  # an instant
    rb"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # a UUID
    rb"|\b\d{6,}(?:\.\d+)?\b"  # an epoch or a number of a row
)


class BodyMeaning(NamedTuple):
    """What the content of an answer says.

    Attributes:
        verdict: See ``Verdict``.
        words: Why it is not simply stored, for display.
        shape: The same for answers that differ in instants and numbers only; empty when the
            answer may never be learned.
    """

    verdict: Verdict
    words: str = ""
    shape: str = ""


STORED: Final = BodyMeaning("stored")


def judge_body(
    headers: Iterable[Header],
    body: bytes,
    *,
    status: int = 200,
    is_whole: bool = True,
    sent: bytes = b"",
) -> BodyMeaning:
    """Say whether the content of an answer with a good status means stored.

    An answer of this API is empty, or one JSON object, or a word such as OK, typed as JSON, as
    plain text or not at all. It is never a page, never compressed (that was not asked for), and
    sends nobody elsewhere.

    Args:
        headers: As they came.
        body: The body, or the begin of it.
        status: Of the answer; what was created (201) or will be (202) may have a place.
        is_whole: Whether that is all of it.
        sent: The packet, which an answer may repeat.
    """
    media = encoding = ""
    for name, value in headers:
        key = name.lower()
        if key == b"content-type":
            media = value.split(b";", 1)[0].strip().lower().decode("latin-1")
        elif key == b"content-encoding":
            encoding = value.strip().lower().decode("latin-1")
        elif key == b"refresh" or (key == b"location" and status == HTTPStatus.OK):
            return BodyMeaning("not_stored", "an answer that sends elsewhere came")
    if not body and not media and not encoding and is_whole:
        return STORED  # what nearly every packet gets
    refused = _refused_form(media, encoding, body, is_whole=is_whole)
    if refused:
        return BodyMeaning("not_stored", refused)
    text = _text_of(body)
    return _judge_text(text, media=media, sent=sent) if text else STORED


def _text_of(body: bytes) -> bytes:
    return body.removeprefix(b"\xef\xbb\xbf").strip()


def _refused_form(media: str, encoding: str, body: bytes, *, is_whole: bool) -> str:
    """Say what an answer is that has not the form of an answer of this API; empty if it has."""
    is_json = media in _JSON_TYPES or (media.endswith("+json") and "problem" not in media)
    text = _text_of(body)
    if text.startswith(b"<") or "html" in media:
        return "a page for people came, such as a login form"
    if not is_json and media not in _PLAIN_TYPES:
        return f"an answer of type {media[:40]} came"
    if encoding not in {"", "identity"} or text.startswith(b"\x1f\x8b"):
        return "a compressed answer came, which was not asked for"
    return "" if is_whole else "an answer that was cut off came"


def _judge_text(text: bytes, *, media: str, sent: bytes) -> BodyMeaning:
    try:
        decoded = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        verdict = _of_word(text.decode("utf-8", "replace"))
    except RecursionError:
        return BodyMeaning("not_stored", "an answer nested too deep came")
    else:
        if isinstance(decoded, list) and len(decoded) == 1:
            decoded = decoded[0]
        verdict = (
            _of_object(decoded, sent=sent) if isinstance(decoded, dict) else _of_scalar(decoded)
        )
    if verdict == "stored":
        return STORED
    if verdict == "not_stored":
        return BodyMeaning(verdict, "an answer that says something went wrong came")
    known = len(text) <= LONGEST_WORD and text.isascii()
    shape = f"{media} {_VARYING.sub(b'#', text).decode()}" if known else ""
    return BodyMeaning("unknown", "an answer that is not known to mean stored came", shape)


def _of_word(text: str) -> Verdict:
    word = text.strip().strip('".!').lower()
    if word in _GOOD_WORDS:
        return "stored"
    return "not_stored" if _BAD_WORDS.search(text) else "unknown"


def _of_scalar(decoded: object) -> Verdict:
    if decoded is True:
        return "stored"
    if decoded is False:
        return "not_stored"
    if isinstance(decoded, str):
        return _of_word(decoded)
    if isinstance(decoded, int | float):
        # A lone 0 may be a code of success as well as the number of rows that were kept.
        return "stored" if decoded == 1 or (decoded != 0 and _is_good_code(decoded)) else "unknown"
    return "unknown"


def _of_object(decoded: dict[str, object], *, sent: bytes) -> Verdict:
    """Say what an object says: any word of an error outweighs every word of success."""
    if not decoded:
        return "stored"
    signs = set(_signs(decoded, own=_own_words(sent)))
    if "not_stored" in signs:
        return "not_stored"
    if "stored" in signs or _is_echo(decoded, sent=sent):
        return "stored"
    return "unknown"


def _own_words(sent: bytes) -> frozenset[str]:
    """Return the texts of the packet: a stream's id may hold any word."""
    packet = msgspec.json.decode(sent) if sent else {}
    return frozenset(value for value in packet.values() if isinstance(value, str))


def _signs(decoded: object, *, own: frozenset[str], level: int = 0) -> Iterator[Verdict]:
    if level > DEEPEST:
        yield "unknown"
    elif isinstance(decoded, list):
        for one in decoded:
            yield from _signs(one, own=own, level=level + 1)
    elif isinstance(decoded, dict):
        for name, value in decoded.items():
            yield _sign(re.sub(r"[^a-z]", "", str(name).lower()), value)
            yield from _signs(value, own=own, level=level + 1)
    elif isinstance(decoded, str) and decoded not in own and _BAD_WORDS.search(decoded):
        yield "not_stored"


def _sign(key: str, value: object) -> Verdict:
    """Say what one member of an object says."""
    if _ERROR_KEYS.search(key):
        is_none = value in _EMPTY or (isinstance(value, str) and value.lower() in {"none", "0"})
        return "unknown" if is_none else "not_stored"
    if value is False:
        return "not_stored"
    if key in _GATE_KEYS:
        is_good = isinstance(value, int | float) and value >= 1
        return "unknown" if _good(value, is_good=is_good) == "stored" else "not_stored"
    if _KEPT_KEYS.search(key) and value == 0:
        return "not_stored"
    if key in _SUCCESS_KEYS:
        return _good(value, is_good=isinstance(value, int | float) and value >= 1)
    if key in _STATUS_KEYS:
        return _good(value, is_good=_is_good_code(value))
    return "unknown"


def _good(value: object, *, is_good: bool) -> Verdict:
    if is_good or value is True:
        return "stored"
    if isinstance(value, str):
        word = value.strip().lower()
        if word.isdecimal():
            return "stored" if _is_good_code(int(word[:9])) else "not_stored"
        return "stored" if word in _GOOD_WORDS else "not_stored"
    # A nested object speaks for itself.
    return "unknown" if isinstance(value, dict | list) else "not_stored"


def _is_good_code(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value == 0 or HTTPStatus.OK <= value < HTTPStatus.MULTIPLE_CHOICES


def _is_echo(decoded: dict[str, object], *, sent: bytes) -> bool:
    """Whether an object repeats the packet: the same stream and the same stamp."""
    if "id" not in decoded or not sent:
        return False
    packet = msgspec.json.decode(sent)
    stamp = next((decoded[key] for key in _TIME_KEYS if key in decoded), None)
    return bool(decoded["id"] == packet.get("id") and stamp == packet.get("tsISO8601"))
