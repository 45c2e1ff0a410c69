"""From the bytes of an answer to JSON that can be decoded: unpacked, in UTF-8, bounded.

What only looks odd and means one thing is mended here, once for all sources: a byte order mark,
another character set than JSON's, number literals that JSON does not have. What is damaged is left
for the decoder to refuse.
"""

from __future__ import annotations

import codecs
import re
import zlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCEPT_ENCODING: Final = "gzip, deflate"
"""Packings that are asked for; each is unpacked piece by piece, so that none can be a bomb."""

GZIP_MAGIC: Final = b"\x1f\x8b"
"""First bytes of a gzip file."""

_PIECE: Final = 1024 * 1024
"""Bytes unpacked at once."""

_SMALL: Final = 64 * 1024
"""Bytes of the longest body that is looked through for an error; data are longer or harmless."""

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # Before UTF-16, whose mark begins like this one.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BARE_UTF_16: Final = {
    b"{\x00": "utf-16-le",
    b"[\x00": "utf-16-le",
    b"\x00{": "utf-16-be",
    b"\x00[": "utf-16-be",
}
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|-?\b(?:NaN|Infinity)\b', re.DOTALL)


class UnknownPackingError(ValueError):
    """An answer is packed in a way that was not asked for."""


class CutPackingError(ValueError):
    """A packed answer is damaged or ends too early."""


class Unpacker:
    """Unpacks an answer piece by piece.

    Args:
        encoding: The ``Content-Encoding`` of the answer.

    Raises:
        UnknownPackingError: It was not asked for.
    """

    def __init__(self, encoding: str | None) -> None:
        name = (encoding or "identity").strip().lower()
        if name not in {"identity", "gzip", "x-gzip", "deflate"}:
            raise UnknownPackingError(name)
        self._is_plain = name == "identity"
        # gzip and zlib tell themselves apart; a bare stream, which some servers call deflate, does
        # not and is looked for when the first bytes have come.
        self._may_be_bare = name == "deflate"
        self._machine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._began = False

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a chunk unpacks to, a megabyte at a time.

        Raises:
            CutPackingError: It is damaged.
        """
        if self._is_plain:
            yield chunk
            return
        while chunk:
            if self._machine.eof:
                if not chunk.startswith(GZIP_MAGIC):
                    return
                # A file may have several members.
                self._machine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
            try:
                piece = self._machine.decompress(chunk, _PIECE)
            except zlib.error as error:
                if self._began or not self._may_be_bare:
                    raise CutPackingError(str(error)) from None
                self._may_be_bare = False
                self._machine = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
                continue
            self._began = True
            chunk = self._machine.unconsumed_tail or self._machine.unused_data
            yield piece

    def end(self) -> None:
        """Say that all has come.

        Raises:
            CutPackingError: Something is missing.
        """
        if self._began and not self._machine.eof:
            raise CutPackingError("the packed answer ends too early")


def plain_json(body: bytes, *, charset: str | None = None) -> bytes:
    """Return a body in UTF-8 without a byte order mark, as JSON has to be.

    Args:
        body: JSON in any Unicode encoding, or anything else, which is returned as it is.
        charset: What the answer says of itself; believed only of what is not UTF-8.

    >>> plain_json('{"name": "Zähler"}'.encode("utf-16")).decode()
    '{"name": "Zähler"}'
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return _recoded(body, name)
    if body[:2] in _BARE_UTF_16:
        return _recoded(body, _BARE_UTF_16[body[:2]])
    if charset and charset.lower() not in {"utf-8", "utf8"}:
        try:
            body.decode("utf-8")
        except UnicodeDecodeError:
            return _recoded(body, charset)
    return body


def _recoded(body: bytes, name: str) -> bytes:
    try:
        return body.decode(name).encode("utf-8")
    except (UnicodeError, LookupError):
        return body


def quoted_literals(body: bytes) -> bytes | None:
    """Put NaN and Infinity, which JSON does not have, into quotes; None where there are none.

    As a text each is one odd value, which is set aside by itself; as it came, it would cost every
    value of the answer.

    >>> quoted_literals(b'{"value": NaN, "name": "NaN"}')
    b'{"value": "NaN", "name": "NaN"}'
    """
    if body.startswith(GZIP_MAGIC) or not (b"NaN" in body or b"Infinity" in body):
        return None
    return _TOKEN.sub(
        lambda found: found[0] if found[0].startswith(b'"') else b'"' + found[0] + b'"', body
    )


def is_json(body: bytes) -> bool:
    """Say whether a body is JSON that can be decoded.

    >>> is_json(b"[1, 2]"), is_json(b"<html>")
    (True, False)
    """
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def error_object(body: bytes) -> bool:
    """Say whether a body is an object that reports an error, whatever its status said.

    >>> error_object(b'{"error": "no rights"}'), error_object(b'{"items": []}')
    (True, False)
    """
    if len(body) > _SMALL or body.lstrip()[:1] != b"{":
        return False
    try:
        answer: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    code = answer.get("statusCode")
    return (
        any(answer.get(key) for key in ("error", "errors", "error_description", "errorCode"))
        or answer.get("success") is False
        or (isinstance(code, int) and code >= 400)  # noqa: PLR2004 - HTTP's errors
    )
