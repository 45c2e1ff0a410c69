"""Keycloak as SoData uses it: realm ``Socomec``, password and refresh grants, discovery.

Source: SoData API, section 2 (authentication); error bodies as Keycloak gives them.
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import msgspec
from starlette.responses import JSONResponse
from starlette.routing import Route

from energy_platform.simulators.credentials import SOCOMEC, Account

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from energy_platform.simulators.faults import Faults

REALM: Final = "Socomec"
OPENID: Final = f"/realms/{REALM}/protocol/openid-connect"
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class _Issued:
    expires: float
    session: str
    calls: int = 0
    used: bool = False


@dataclass(slots=True)
class Keycloak:
    """Issues and judges tokens.

    Attributes:
        faults: ``refuse_login``, ``refuse_refresh`` and ``expire_token_after`` are read.
        account: Who may log in.
        access_ttl_s: Life of an access token.
        refresh_ttl_s: Life of a refresh token.
        rotate: Whether a refresh token works only once.
        enabled: False imitates a deactivated user.
        logins: Password grants that were granted.
        refreshes: Refresh grants that were granted.
    """

    faults: Faults
    account: Account = SOCOMEC
    access_ttl_s: float = 300
    refresh_ttl_s: float = 1800
    rotate: bool = True
    enabled: bool = True
    logins: int = 0
    refreshes: int = 0
    _access: dict[str, _Issued] = field(default_factory=dict, init=False, repr=False)
    _refresh: dict[str, _Issued] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def routes(self) -> list[Route]:
        """Routes of the identity server."""
        return [
            Route(f"{OPENID}/token", self._token, methods=["POST"]),
            Route(f"/realms/{REALM}/.well-known/openid-configuration", self._discovery),
            Route(f"/realms/{REALM}", self._realm),
            Route(f"{OPENID}/certs", self._certs),
        ]

    def accepts(self, authorization: str | None) -> bool:
        """Whether a bearer token is good for one more API call."""
        scheme, _, token = (authorization or "").partition(" ")
        issued = self._access.get(token.strip())
        if scheme.lower() != "bearer" or issued is None or not self.enabled:
            return False
        limit = self.faults.active("expire_token_after")
        issued.calls += 1
        worn = limit is not None and issued.calls > (limit.amount or 0)
        return not worn and time.monotonic() < issued.expires

    def revoke(self, *, refresh: bool = False) -> None:
        """Make every access token worthless, and the refresh tokens too when asked."""
        with self._lock:
            self._access.clear()
            if refresh:
                self._refresh.clear()

    async def _token(self, request: Request) -> Response:
        if not request.headers.get("content-type", "").startswith(FORM):
            return _refusal(415, "invalid_request", "Content-Type must be a form")
        form = {
            key: last[-1]
            for key, last in parse_qs(
                (await request.body()).decode(), keep_blank_values=True
            ).items()
        }
        # Keycloak checks the client first, then the user.
        if "client_id" not in form and "authorization" not in request.headers:
            return _refusal(401, "invalid_client", "Invalid client or Invalid client credentials")
        if _client(form, request.headers.get("authorization")) != (
            self.account.client_id,
            self.account.client_secret,
        ):
            return _refusal(
                401, "unauthorized_client", "Invalid client or Invalid client credentials"
            )
        with self._lock:
            match form.get("grant_type"):
                case "password":
                    return self._login(form)
                case "refresh_token":
                    return self._renewal(form)
                case None:
                    return _refusal(400, "invalid_request", "Missing form parameter: grant_type")
                case _:
                    return _refusal(400, "unsupported_grant_type", "Unsupported grant_type")

    def _login(self, form: dict[str, str]) -> Response:
        named = (form.get("username"), form.get("password"))
        if self.faults.strikes("refuse_login") or named != (
            self.account.username,
            self.account.password,
        ):
            return _refusal(401, "invalid_grant", "Invalid user credentials")
        if not self.enabled:
            return _refusal(400, "invalid_grant", "Account disabled")
        self.logins += 1
        return self._issue(session=secrets.token_hex(16), scope=form.get("scope"))

    def _renewal(self, form: dict[str, str]) -> Response:
        issued = self._refresh.get(form.get("refresh_token", ""))
        if issued is None:
            return _refusal(400, "invalid_grant", "Invalid refresh token")
        if self.faults.strikes("refuse_refresh") or time.monotonic() >= issued.expires:
            return _refusal(400, "invalid_grant", "Token is not active")
        if not self.enabled:
            return _refusal(400, "invalid_grant", "User disabled")
        if self.rotate and issued.used:
            # Reuse ends the whole session in Keycloak, the newest token included.
            self._refresh = {
                token: other
                for token, other in self._refresh.items()
                if other.session != issued.session
            }
            return _refusal(400, "invalid_grant", "Maximum allowed refresh token reuse exceeded")
        issued.used = True
        self.refreshes += 1
        return self._issue(session=issued.session, scope=form.get("scope"))

    def _issue(self, *, session: str, scope: str | None) -> Response:
        now = time.monotonic()
        access, refresh = _jwt(session, "Bearer"), _jwt(session, "Refresh")
        self._access[access] = _Issued(expires=now + self.access_ttl_s, session=session)
        self._refresh[refresh] = _Issued(expires=now + self.refresh_ttl_s, session=session)
        answer: dict[str, Any] = {
            "access_token": access,
            "expires_in": int(self.access_ttl_s),
            "refresh_expires_in": int(self.refresh_ttl_s),
            "refresh_token": refresh,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "session_state": session,
            "scope": "email profile",
        }
        if scope and "openid" in scope:
            answer |= {"id_token": _jwt(session, "ID"), "scope": "openid email profile"}
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    async def _discovery(self, request: Request) -> Response:
        base = str(request.base_url).rstrip("/")
        openid = base + OPENID
        return JSONResponse(
            {
                "issuer": f"{base}/realms/{REALM}",
                "authorization_endpoint": f"{openid}/auth",
                "token_endpoint": f"{openid}/token",
                "introspection_endpoint": f"{openid}/token/introspect",
                "userinfo_endpoint": f"{openid}/userinfo",
                "end_session_endpoint": f"{openid}/logout",
                "jwks_uri": f"{openid}/certs",
                "grant_types_supported": ["refresh_token", "password"],
                "response_types_supported": ["code", "none", "token"],
                "scopes_supported": ["openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_basic",
                    "client_secret_post",
                ],
            }
        )

    async def _realm(self, request: Request) -> Response:
        base = str(request.base_url).rstrip("/")
        return JSONResponse({"realm": REALM, "public_key": "", "token-service": f"{base}{OPENID}"})

    async def _certs(self, _request: Request) -> Response:
        return JSONResponse({"keys": []})


def _client(form: dict[str, str], authorization: str | None) -> tuple[str, str]:
    """Client and secret from the body, else from HTTP Basic."""
    if "client_secret" in form:
        return form.get("client_id", ""), form["client_secret"]
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), ""
    try:
        client, _, secret = base64.b64decode(token, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return client, secret


def _jwt(session: str, kind: str) -> str:
    """A token with the look of a JWT; nobody checks its signature."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    payload = {"typ": kind, "sid": session, "jti": secrets.token_hex(8)}
    return ".".join(
        part(content)
        for content in (
            b'{"alg":"HS256","typ":"JWT"}',
            msgspec.json.encode(payload),
            secrets.token_bytes(32),
        )
    )


def _refusal(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=status)
