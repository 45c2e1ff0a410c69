"""BelimoID: password and refresh grants with audience and scopes.

Source: Belimo Cloud Client API, section 2 (authentication).
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from energy_platform.simulators.oauth import (
    Account,
    Issued,
    OAuthServer,
    basic_credentials,
    granted,
    read_form,
    refused,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

ACCOUNT: Final = Account(
    client_id="demo-belimo",
    client_secret="demo-belimo-secret",  # noqa: S106
    username="service@belimo.example",
    password="demo-belimo-password",  # noqa: S106
)

AUDIENCE: Final = "https://api.cloud.belimo.com/"
TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 (a path)
SCOPES: Final = frozenset({"public.read", "offline_access", "read:dataprofile"})
"""What the account may ask for; a write scope is never granted."""

DEFAULT_SCOPES: Final = SCOPES
"""What is granted to who asks for none."""


@dataclass(slots=True)
class BelimoIdentity(OAuthServer):
    """BelimoID; its tokens are opaque.

    Without ``rotate`` the answer to a renewal holds no refresh token and the old one stays good.
    """

    account: Account = ACCOUNT
    access_ttl_s: float = 86_400
    refresh_ttl_s: float = 2_592_000
    rotate: bool = False

    def routes(self) -> list[Route]:
        """Return the routes of the server."""
        return [Route(TOKEN_PATH, self._token, methods=["POST"])]

    async def _token(self, request: Request) -> Response:
        form = await read_form(request)
        # HTTP Basic first: the vendor's connector for Node-RED sends both.
        named = basic_credentials(request.headers.get("authorization"))
        if not self.is_client(named or (form.get("client_id", ""), form.get("client_secret", ""))):
            return refused(401, "access_denied", "Unauthorized")
        with self._lock:
            match form.get("grant_type"):
                case "password":
                    return self._login(form)
                case "refresh_token":
                    return self._renewal(form)
                case _:
                    return refused(400, "unsupported_grant_type", "Unsupported grant type")

    def _login(self, form: dict[str, str]) -> Response:
        if not self.is_user(form):
            return refused(401, "access_denied", "Unauthorized")
        if form.get("audience") != AUDIENCE:
            return refused(401, "access_denied", f"Service not enabled within domain: {AUDIENCE}")
        self.logins += 1
        # Without a scope the defaults are meant (RFC 6749, 3.3): the vendor's own connector for
        # Node-RED sends none.
        wanted = frozenset(form["scope"].split()) if form.get("scope") else DEFAULT_SCOPES
        return self._issue(wanted & SCOPES, with_refresh="offline_access" in wanted)

    def _renewal(self, form: dict[str, str]) -> Response:
        token = form.get("refresh_token", "")
        issued = self._refresh.get(token)
        fails = self.faults.should_fail("refuse_refresh")
        if fails or issued is None or not issued.is_alive:
            return refused(403, "invalid_grant", "Unknown or invalid refresh token.")
        if form.get("audience", AUDIENCE) != AUDIENCE:
            return refused(401, "access_denied", "Unauthorized")
        if self.rotate:
            del self._refresh[token]
        self.refreshes += 1
        return self._issue(issued.scopes, with_refresh=self.rotate)

    def _issue(self, scopes: frozenset[str], *, with_refresh: bool) -> Response:
        now, scope = time.monotonic(), " ".join(sorted(scopes))
        access = secrets.token_urlsafe(24)
        self._access[access] = Issued(expires=now + self.access_ttl_s, scope=scope)
        answer: dict[str, Any] = {
            "access_token": access,
            "expires_in": int(self.access_ttl_s),
            "token_type": "Bearer",
            "scope": scope,
        }
        if with_refresh:
            refresh = secrets.token_urlsafe(24)
            self._refresh[refresh] = Issued(expires=now + self.refresh_ttl_s, scope=scope)
            answer["refresh_token"] = refresh
        return granted(answer)
