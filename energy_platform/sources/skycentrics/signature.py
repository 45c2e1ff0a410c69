"""The signature that every SkyCentrics request carries; there is no session and no token.

Source: SkyCentrics cloud API, section 2 (authentication), with its test vectors.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from contextlib import ExitStack, contextmanager
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from energy_platform.sources.http.client import Auth
from energy_platform.sources.http.errors import AuthenticationError, PermanentError
from energy_platform.sources.http.logins import RefusedLogins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import httpx
    from pydantic import SecretStr

HEADER: Final = "x-sc-api-token"
"""Header of the token ``client:signature``."""

_FORBIDDEN: Final = 403
"""Status of a gateway of somebody else, or of an account without rights (sheet, section 8)."""


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

    >>> token(client="c", secret="s", method="GET", target="/api/", date="Sun, 01 Mar 2026")
    'c:Re1OAGvoem54gH9nEK0iw1+Mvos='
    """
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    said = "\n".join((f"{method} {target} HTTP/1.1", date, content_type, digest))
    signed = hmac.new(secret.encode(), said.encode(), hashlib.sha1).digest()
    return f"{client}:{base64.b64encode(signed).decode()}"


class Signer(Auth):
    """Signs each attempt again, from the bytes that leave.

    There is no login that could be refused, every request can be. So the first request of a client
    goes alone; once one was accepted the others go side by side.

    Args:
        client: Client of the account.
        secret: Its secret.
        api_url: The API it is for.
        now: The present, for the ``Date`` header.
        logins: What is known of refused credentials; None remembers for the life of this object.
    """

    def __init__(
        self,
        *,
        client: str,
        secret: SecretStr,
        api_url: str,
        now: Callable[[], datetime],
        logins: RefusedLogins | None = None,
    ) -> None:
        self._client = client
        self._secret = secret
        self._now = now
        self._logins = RefusedLogins() if logins is None else logins
        self._credentials = (api_url, client, secret.get_secret_value())
        self._first = threading.Lock()
        self._is_accepted = False
        self._forbidden: PermanentError | None = None

    def __repr__(self) -> str:
        return "Signer(***)"

    def close(self) -> None:
        """Note that these credentials may read nothing, when nothing else was ever answered.

        A 403 of one gateway among others says something about that gateway.
        """
        error = self._forbidden
        if error is None or self._is_accepted:
            return
        refused = AuthenticationError(
            f"every call was refused, such as {error.endpoint}: {error.reason}",
            vendor=error.vendor,
            endpoint=error.endpoint,
            status=error.status,
            code=error.code,
            advice="Ask the account's owner for the right to read its gateways",
        )
        self._logins.note("skycentrics", refused, credentials=self._credentials, now=self._now)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Let the first attempt go alone, and remember when the credentials are refused.

        Raises:
            AuthenticationError: They were refused before; nothing is asked.
        """
        with ExitStack() as stack:
            if not self._is_accepted:
                stack.enter_context(self._first)
            if self._is_accepted:
                # Another thread's request was accepted meanwhile.
                stack.close()
                yield from self._later()
            else:
                yield from self._probing()

    def _probing(self) -> Iterator[None]:
        try:
            with self._logins.attempt(
                "skycentrics",
                endpoint="signature",
                credentials=self._credentials,
                now=self._now,
            ):
                yield from self._judged()
        except PermanentError:
            if self._is_accepted:
                self._logins.forget("skycentrics")
            raise

    def _later(self) -> Iterator[None]:
        try:
            yield from self._judged()
        except AuthenticationError as error:
            self._is_accepted = False
            self._logins.note("skycentrics", error, credentials=self._credentials, now=self._now)
            raise

    def _judged(self) -> Iterator[None]:
        try:
            yield
        except AuthenticationError:
            raise
        except PermanentError as error:
            if error.status == _FORBIDDEN:
                self._forbidden = error
            elif error.status is not None:
                # Another refusal, such as an unknown gateway, comes after the signature.
                self._is_accepted = True
            raise
        self._is_accepted = True

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
