"""The OAuth 2.0 server that the vendors' identity servers have in common (RFC 6749).

Password and refresh grants, tokens that expire and can be revoked, the faults of a login. What an
identity server says in its own words (errors, claims, scopes, other addresses) is in its folder.
"""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from energy_platform.simulators.faults import Faults


class Account(NamedTuple):
    """Client and user of an OAuth server; invented, and good for loopback servers only."""

    client_id: str
    client_secret: str
    username: str
    password: str

    def environment(self, vendor: str) -> dict[str, str]:
        """Return the variables with which the platform logs in."""
        return {f"{vendor}_{key.upper()}": value for key, value in self._asdict().items()}


@dataclass(slots=True, kw_only=True)
class Issued:
    """An issued token.

    Attributes:
        expires: When it ends, on the monotonic clock.
        scope: Scopes separated by blanks.
        session: Login that it came from.
        claims: What it says of itself.
        calls: How often it was shown.
        used: Whether a refresh token was used.
    """

    expires: float
    scope: str
    session: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    calls: int = 0
    used: bool = False

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes one by one."""
        return frozenset(self.scope.split())

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return time.monotonic() < self.expires


@dataclass(slots=True)
class OAuthServer:
    """Issues tokens and says what they are worth.

    Attributes:
        faults: ``refuse_login``, ``refuse_refresh`` and ``expire_token_after`` are read.
        account: Who may log in.
        access_ttl_s: Life of an access token.
        refresh_ttl_s: Life of a refresh token.
        rotate: Whether a renewal ends the refresh token it used.
        enabled: False imitates a deactivated user.
        logins: Password grants that were granted.
        refreshes: Refresh grants that were granted.
    """

    faults: Faults
    account: Account
    access_ttl_s: float
    refresh_ttl_s: float
    rotate: bool
    enabled: bool = True
    logins: int = 0
    refreshes: int = 0
    _access: dict[str, Issued] = field(default_factory=dict, init=False, repr=False)
    _refresh: dict[str, Issued] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def routes(self) -> list[Route]:
        """Return the routes of the server."""
        raise NotImplementedError(f"{type(self).__name__} has no routes")

    def accepted(self, authorization: str | None) -> Issued | None:
        """Return the bearer token of one more API call; None when it is worth nothing."""
        scheme, _, token = (authorization or "").partition(" ")
        issued = self._access.get(token.strip())
        if scheme.lower() != "bearer" or issued is None or not self.enabled:
            return None
        limit = self.faults.active("expire_token_after")
        issued.calls += 1
        is_worn_out = limit is not None and issued.calls > (limit.amount or 0)
        return issued if issued.is_alive and not is_worn_out else None

    def revoke(self, *, refresh: bool = False) -> None:
        """Make every access token worthless, and the refresh tokens too when asked."""
        with self._lock:
            self._access.clear()
            if refresh:
                self._refresh.clear()

    def is_user(self, form: dict[str, str]) -> bool:
        """Whether a password grant names the user and the password, and no fault refuses it."""
        named = (form.get("username"), form.get("password"))
        return not self.faults.should_fail("refuse_login") and named == (
            self.account.username,
            self.account.password,
        )

    def is_client(self, credentials: tuple[str, str]) -> bool:
        """Whether these are the client's id and secret."""
        return credentials == (self.account.client_id, self.account.client_secret)

    def end_session(self, session: str) -> None:
        """Forget every token of a login."""
        self._access = _without(self._access, session=session)
        self.end_refresh_tokens(session)

    def end_refresh_tokens(self, session: str) -> None:
        """Forget the refresh tokens of a login."""
        self._refresh = _without(self._refresh, session=session)


def _without(tokens: dict[str, Issued], *, session: str) -> dict[str, Issued]:
    return {token: issued for token, issued in tokens.items() if issued.session != session}


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of a field that comes twice, the last."""
    sent = parse_qs((await request.body()).decode(), keep_blank_values=True)
    return {key: entries[-1] for key, entries in sent.items()}


def basic_credentials(authorization: str | None) -> tuple[str, str] | None:
    """Return client and secret of HTTP Basic; None without it, empty ones when unreadable."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client, _, secret = base64.b64decode(token, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return client, secret


def granted(content: dict[str, Any]) -> Response:
    """Return the answer to a granted request; it must not be cached (RFC 6749, 5.1)."""
    return JSONResponse(content, headers={"cache-control": "no-store"})


def refused(status: int, error: str, description: str) -> Response:
    """Return the answer to a refused request (RFC 6749, 5.2)."""
    return JSONResponse({"error": error, "error_description": description}, status_code=status)
