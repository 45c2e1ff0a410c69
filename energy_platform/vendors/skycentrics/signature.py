"""The signature that every SkyCentrics request carries; there is no session and no token.

Source: SkyCentrics cloud API, section 2 (authentication), with its test vectors.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from energy_platform.vendors.http import Auth

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import httpx
    from pydantic import SecretStr

HEADER: Final = "x-sc-api-token"
"""Header of the token ``client:signature``."""


def token(
    *,
    client: str,
    secret: str,
    method: str,
    target: str,
    date: str,
    content_type: str = "",
    body: bytes = b"",
) -> str:
    """Sign one request.

    Args:
        client: Client of the account.
        secret: Its secret, used as text.
        method: HTTP method.
        target: Path with query, exactly as it is sent.
        date: Value of the ``Date`` header, exactly as it is sent.
        content_type: Value of the ``Content-Type`` header; empty when none is sent.
        body: Body of the request.
    """
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    said = "\n".join((f"{method} {target} HTTP/1.1", date, content_type, digest))
    signed = hmac.new(secret.encode(), said.encode(), hashlib.sha1).digest()
    return f"{client}:{base64.b64encode(signed).decode()}"


class Signer(Auth):
    """Signs each attempt anew, from the bytes that leave.

    Args:
        client: Client of the account.
        secret: Its secret.
        now: The present, for the ``Date`` header.
    """

    def __init__(self, *, client: str, secret: SecretStr, now: Callable[[], datetime]) -> None:
        self._client = client
        self._secret = secret
        self._now = now

    def __repr__(self) -> str:
        return "Signer(***)"

    def sign(self, request: httpx.Request) -> None:
        """Add ``Date`` and token to the final request."""
        date = format_datetime(self._now(), usegmt=True)
        request.headers["Date"] = date
        request.headers[HEADER] = token(
            client=self._client,
            secret=self._secret.get_secret_value(),
            method=request.method,
            target=request.url.raw_path.decode("ascii"),
            date=date,
            content_type=request.headers.get("Content-Type", ""),
            body=request.content,
        )
