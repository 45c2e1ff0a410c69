"""BelimoID: password and refresh grants with audience and scopes.

Source: Belimo Cloud Client API, section 2 (authentication).
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from starlette.responses import JSONResponse
from starlette.routing import Route

from energy_platform.simulators.credentials import BELIMO, Account

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from energy_platform.simulators.faults import Faults

AUDIENCE: Final = "https://api.cloud.belimo.com/"
TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 (a path)
SCOPES: Final = frozenset({"public.read", "offline_access", "read:dataprofile"})
"""What the account may ask for; a write scope is never granted."""

DEFAULT_SCOPES: Final = SCOPES
"""What is granted to who asks for none."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token allows."""

    scopes: frozenset[str]
    expires: float


@dataclass(slots=True)
class BelimoIdentity:
    """Issues and judges tokens.

    Attributes:
        faults: ``refuse_login``, ``refuse_refresh`` and ``expire_token_after`` are read.
        account: Who may log in.
        access_ttl_s: Life of an access token.
        refresh_ttl_s: Life of a refresh token.
        rotate: Whether a renewal brings a new refresh token and ends the old one; without it the
            answer to a renewal holds none and the old one stays good.
        logins: Password grants that were granted.
        refreshes: Refresh grants that were granted.
    """

    faults: Faults
    account: Account = BELIMO
    access_ttl_s: float = 86_400
    refresh_ttl_s: float = 2_592_000
    rotate: bool = False
    logins: int = 0
    refreshes: int = 0
    _access: dict[str, Grant] = field(default_factory=dict, init=False, repr=False)
    _calls: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    _refresh: dict[str, Grant] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def routes(self) -> list[Route]:
        """Routes of the identity server."""
        return [Route(TOKEN_PATH, self._token, methods=["POST"])]

    def grant(self, authorization: str | None) -> Grant | None:
        """What a bearer token allows for one more call; None when it is worth nothing."""
        scheme, _, token = (authorization or "").partition(" ")
        grant = self._access.get(token.strip())
        if scheme.lower() != "bearer" or grant is None or time.monotonic() >= grant.expires:
            return None
        limit = self.faults.active("expire_token_after")
        self._calls[token] = calls = self._calls.get(token, 0) + 1
        return None if limit is not None and calls > (limit.amount or 0) else grant

    def revoke(self, *, refresh: bool = False) -> None:
        """Make every access token worthless, and the refresh tokens too when asked."""
        with self._lock:
            self._access.clear()
            if refresh:
                self._refresh.clear()

    async def _token(self, request: Request) -> Response:
        sent = parse_qs((await request.body()).decode(), keep_blank_values=True)
        form = {key: entries[-1] for key, entries in sent.items()}
        if _client(form, request.headers.get("authorization")) != (
            self.account.client_id,
            self.account.client_secret,
        ):
            return _refusal(401, "access_denied", "Unauthorized")
        with self._lock:
            match form.get("grant_type"):
                case "password":
                    return self._login(form)
                case "refresh_token":
                    return self._renewal(form)
                case _:
                    return _refusal(400, "unsupported_grant_type", "Unsupported grant type")

    def _login(self, form: dict[str, str]) -> Response:
        named = (form.get("username"), form.get("password"))
        if self.faults.should_fail("refuse_login") or named != (
            self.account.username,
            self.account.password,
        ):
            return _refusal(401, "access_denied", "Unauthorized")
        if form.get("audience") != AUDIENCE:
            return _refusal(401, "access_denied", f"Service not enabled within domain: {AUDIENCE}")
        self.logins += 1
        # Without a scope the defaults are meant (RFC 6749, 3.3): the vendor's own connector for
        # Node-RED sends none.
        wanted = frozenset(form["scope"].split()) if form.get("scope") else DEFAULT_SCOPES
        return self._issue(wanted & SCOPES, with_refresh="offline_access" in wanted)

    def _renewal(self, form: dict[str, str]) -> Response:
        token = form.get("refresh_token", "")
        held = self._refresh.get(token)
        refused = self.faults.should_fail("refuse_refresh")
        if refused or held is None or time.monotonic() >= held.expires:
            return _refusal(403, "invalid_grant", "Unknown or invalid refresh token.")
        if form.get("audience", AUDIENCE) != AUDIENCE:
            return _refusal(401, "access_denied", "Unauthorized")
        if self.rotate:
            del self._refresh[token]
        self.refreshes += 1
        return self._issue(held.scopes, with_refresh=self.rotate)

    def _issue(self, scopes: frozenset[str], *, with_refresh: bool) -> Response:
        now = time.monotonic()
        access = secrets.token_urlsafe(24)
        self._access[access] = Grant(scopes, now + self.access_ttl_s)
        answer: dict[str, Any] = {
            "access_token": access,
            "expires_in": int(self.access_ttl_s),
            "token_type": "Bearer",
            "scope": " ".join(sorted(scopes)),
        }
        if with_refresh:
            refresh = secrets.token_urlsafe(24)
            self._refresh[refresh] = Grant(scopes, now + self.refresh_ttl_s)
            answer["refresh_token"] = refresh
        return JSONResponse(answer, headers={"cache-control": "no-store"})


def _client(form: dict[str, str], authorization: str | None) -> tuple[str, str]:
    """Client and secret from HTTP Basic (Node-RED connector), else from the body."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client, _, secret = base64.b64decode(token, validate=True).decode().partition(":")
        except ValueError:
            return "", ""
        return client, secret
    return form.get("client_id", ""), form.get("client_secret", "")


def _refusal(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=status)
