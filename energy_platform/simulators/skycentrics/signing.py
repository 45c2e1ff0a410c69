"""Checks the signature of a request from the bytes that were received.

Source: SkyCentrics cloud API, sections 2 (signature) and 12 (checks). Written apart from the
client's signer: the two only meet on the wire.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope

TOKEN_HEADER: Final = b"x-sc-api-token"
"""Carries ``<client>:<signature>``."""


class SignatureError(ValueError):
    """The request is not signed as it must be; the message is sent to the client."""


class Signed(NamedTuple):
    """The parts of a request that are signed, as received.

    Attributes:
        request_line: Method, target with query, and HTTP version.
        date: ``Date`` header, verbatim.
        content_type: ``Content-Type`` header, verbatim; empty when none was sent.
        token: ``x-sc-api-token`` header.
    """

    request_line: bytes
    date: bytes
    content_type: bytes
    token: bytes

    @classmethod
    def of(cls, scope: Scope) -> Signed:
        """Take them from an ASGI scope.

        Raises:
            SignatureError: ``Date`` or the token is missing or given twice.
        """
        found: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            found.setdefault(name, []).append(value)
        for name in (b"date", TOKEN_HEADER):
            if len(found.get(name, ())) != 1:
                raise SignatureError(f"exactly one {name.decode()} header is needed")
        target: bytes = scope.get("raw_path") or scope["path"].encode()
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        version = str(scope["http_version"]).encode()
        return cls(
            request_line=b"%s %s HTTP/%s" % (scope["method"].encode(), target, version),
            date=found[b"date"][0],
            content_type=found.get(b"content-type", [b""])[0],
            token=found[TOKEN_HEADER][0],
        )

    def signature(self, *, secret: str, body: bytes) -> bytes:
        """The signature these parts should carry."""
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest().encode()
        text = b"\n".join((self.request_line, self.date, self.content_type, digest))
        return base64.b64encode(hmac.digest(secret.encode(), text, "sha1"))


def check_signature(signed: Signed, *, body: bytes, secrets: Mapping[str, str]) -> str:
    """Return the client a request is signed by.

    Raises:
        SignatureError: The token is malformed, its client unknown, or the signature wrong.
    """
    client, colon, signature = signed.token.partition(b":")
    secret = secrets.get(client.decode(errors="replace"))
    # An unknown client costs the same time as a wrong signature.
    expected = signed.signature(secret=secret or "", body=body)
    if not hmac.compare_digest(expected, signature) or secret is None or not colon:
        raise SignatureError("the token was not accepted")
    return client.decode()


def check_date(date: bytes, *, now: datetime, tolerance: timedelta) -> None:
    """Compare the Date header with the clock.

    Raises:
        SignatureError: No RFC 1123 date with a year, or too far from ``now``.
    """
    text = date.decode(errors="replace")
    try:
        sent = parsedate_to_datetime(text)
    except ValueError as error:
        raise SignatureError("Date is not an RFC 1123 date") from error
    if sent.tzinfo is None or str(sent.year) not in text:
        raise SignatureError("Date is not an RFC 1123 date in GMT")
    if abs(sent.astimezone(UTC) - now) > tolerance:
        raise SignatureError("Date is too far from the server's clock")
