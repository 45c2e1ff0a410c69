"""Keycloak as SoData uses it: realm ``Socomec``, password and refresh grants, discovery.

What the discovery document announces is there: an OpenID client of the shelf asks who is logged in,
looks into a token, checks its signature and logs out, whether SoData's own script does so or not.

Source: SoData API, section 2 (authentication); error bodies as Keycloak gives them; OpenID Connect
Core 1.0 (userinfo), RFC 7662 (introspection), RFC 7009 (revocation).
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import HTMLResponse, JSONResponse, Response
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
from energy_platform.simulators.socomec.signing_key import ALGORITHM, SigningKey

if TYPE_CHECKING:
    from starlette.requests import Request

ACCOUNT: Final = Account(
    client_id="demo-sodata",
    client_secret="demo-sodata-secret",  # noqa: S106
    username="reader@socomec.example",
    password="demo-sodata-password",  # noqa: S106
)

REALM: Final = "Socomec"
OPENID: Final = f"/realms/{REALM}/protocol/openid-connect"
FORM: Final = "application/x-www-form-urlencoded"


DEFAULT_SCOPE: Final = "email profile"
"""What is granted to who asks for no scope, as in the vendor's own example."""

SUBJECT: Final = "f0000000-0000-4000-8000-000000000004"
"""The user's id; invented."""


@dataclass(slots=True)
class Keycloak(OAuthServer):
    """Keycloak; its tokens are signed, and a refresh token works only once while ``rotate``."""

    account: Account = ACCOUNT
    access_ttl_s: float = 300
    refresh_ttl_s: float = 1800
    rotate: bool = True
    _key: SigningKey = field(default_factory=SigningKey, init=False, repr=False)

    def routes(self) -> list[Route]:
        """Routes of the identity server."""
        return [
            Route(f"{OPENID}/token", self._token, methods=["POST"]),
            Route(f"{OPENID}/token/introspect", self._introspect, methods=["POST"]),
            Route(f"{OPENID}/userinfo", self._userinfo, methods=["GET", "POST"]),
            Route(f"{OPENID}/logout", self._logout, methods=["GET", "POST"]),
            Route(f"{OPENID}/revoke", self._revoke, methods=["POST"]),
            Route(f"{OPENID}/auth", self._authorize, methods=["GET", "POST"]),
            Route(f"{OPENID}/certs", self._certs),
            Route(f"/realms/{REALM}/.well-known/openid-configuration", self._discovery),
            Route(f"/realms/{REALM}", self._realm),
        ]

    async def _token(self, request: Request) -> Response:
        form = await _form(request)
        if form is None:
            return refused(415, "invalid_request", "Content-Type must be a form")
        # Keycloak checks the client first, then the user.
        if "client_id" not in form and "authorization" not in request.headers:
            return refused(401, "invalid_client", "Invalid client or Invalid client credentials")
        if not self._is_client(form, request):
            return refused(
                401, "unauthorized_client", "Invalid client or Invalid client credentials"
            )
        issuer = _issuer(request)
        with self._lock:
            match form.get("grant_type"):
                case "password":
                    return self._login(form, issuer=issuer)
                case "refresh_token":
                    return self._renewal(form, issuer=issuer)
                case None:
                    return refused(400, "invalid_request", "Missing form parameter: grant_type")
                case _:
                    return refused(400, "unsupported_grant_type", "Unsupported grant_type")

    def _is_client(self, form: dict[str, str], request: Request) -> bool:
        return self.is_client(_client(form, request.headers.get("authorization")))

    def _login(self, form: dict[str, str], *, issuer: str) -> Response:
        if not self.is_user(form):
            return refused(401, "invalid_grant", "Invalid user credentials")
        if not self.enabled:
            return refused(400, "invalid_grant", "Account disabled")
        self.logins += 1
        return self._issue(
            session=secrets.token_hex(16), scope=_granted(form.get("scope")), issuer=issuer
        )

    def _renewal(self, form: dict[str, str], *, issuer: str) -> Response:
        issued = self._refresh.get(form.get("refresh_token", ""))
        if issued is None:
            return refused(400, "invalid_grant", "Invalid refresh token")
        if self.faults.should_fail("refuse_refresh") or not issued.is_alive:
            return refused(400, "invalid_grant", "Token is not active")
        if not self.enabled:
            return refused(400, "invalid_grant", "User disabled")
        if self.rotate and issued.used:
            # Reuse ends the refresh tokens of the session in Keycloak, the newest one included.
            self.end_refresh_tokens(issued.session)
            return refused(400, "invalid_grant", "Maximum allowed refresh token reuse exceeded")
        issued.used = True
        self.refreshes += 1
        return self._issue(session=issued.session, scope=issued.scope, issuer=issuer)

    def _issue(self, *, session: str, scope: str, issuer: str) -> Response:
        now, wall = time.monotonic(), int(time.time())
        claims: dict[str, Any] = {
            "iss": issuer,
            "sub": SUBJECT,
            "azp": self.account.client_id,
            "aud": "account",
            "session_state": session,
            "sid": session,
            "scope": scope,
            "iat": wall,
            "exp": wall + int(self.access_ttl_s),
            **self._user(),
        }
        lasting = claims | {"exp": wall + int(self.refresh_ttl_s), "aud": issuer}
        access, refresh = self._signed(claims, "Bearer"), self._signed(lasting, "Refresh")
        self._access[access] = Issued(
            expires=now + self.access_ttl_s, scope=scope, session=session, claims=claims
        )
        self._refresh[refresh] = Issued(
            expires=now + self.refresh_ttl_s, scope=scope, session=session, claims=lasting
        )
        answer: dict[str, Any] = {
            "access_token": access,
            "expires_in": int(self.access_ttl_s),
            "refresh_expires_in": int(self.refresh_ttl_s),
            "refresh_token": refresh,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "session_state": session,
            "scope": scope,
        }
        if "openid" in scope.split():
            answer["id_token"] = self._signed(claims | {"aud": self.account.client_id}, "ID")
        return granted(answer)

    def _signed(self, claims: dict[str, Any], kind: str) -> str:
        return self._key.sign(claims | {"typ": kind, "jti": secrets.token_hex(16)})

    def _user(self) -> dict[str, Any]:
        """What the scopes email and profile say of the user."""
        name = self.account.username
        return {"preferred_username": name, "email": name, "email_verified": True}

    def _alive(self, token: str, *, also_refresh: bool = False) -> Issued | None:
        """What is known of a token that is still good; looking does not wear it."""
        issued = self._access.get(token)
        if issued is None and also_refresh:
            issued = self._refresh.get(token)
        if issued is None or issued.used or not self.enabled:
            return None
        return issued if issued.is_alive else None

    async def _userinfo(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not token and request.method == "POST":
            scheme, token = "bearer", (await _form(request) or {}).get("access_token", "")
        if not token or scheme.lower() != "bearer":
            return _unauthorized("invalid_request", "Token not provided", status=401)
        issued = self._alive(token.strip())
        if issued is None:
            return _unauthorized("invalid_token", "Token verification failed", status=401)
        if "openid" not in issued.scopes:
            return _unauthorized("insufficient_scope", "Missing openid scope", status=403)
        return JSONResponse({"sub": SUBJECT, **self._user()})

    async def _introspect(self, request: Request) -> Response:
        form = await _form(request) or {}
        if not self._is_client(form, request):
            return refused(401, "invalid_request", "Authentication failed.")
        if not form.get("token"):
            return refused(400, "invalid_request", "Token not provided.")
        issued = self._alive(form["token"], also_refresh=True)
        if issued is None:
            return JSONResponse({"active": False})
        seen = {"client_id": self.account.client_id, "username": self.account.username}
        return JSONResponse({**issued.claims, **seen, "token_type": "Bearer", "active": True})

    async def _logout(self, request: Request) -> Response:
        """End a session: by its refresh token (programs), or by its ID token (browsers)."""
        if request.method == "GET":
            known = "id_token_hint" in request.query_params
            return _page("You are logged out" if known else "Logging out", status=200)
        form = await _form(request)
        if form is None:
            return refused(415, "invalid_request", "Content-Type must be a form")
        if not self._is_client(form, request):
            return refused(
                401, "unauthorized_client", "Invalid client or Invalid client credentials"
            )
        if not form.get("refresh_token"):
            return refused(400, "invalid_request", "No refresh token")
        with self._lock:
            issued = self._refresh.get(form["refresh_token"])
            if issued is None:
                return refused(400, "invalid_grant", "Invalid refresh token")
            self.end_session(issued.session)
        return Response(status_code=204)

    async def _revoke(self, request: Request) -> Response:
        form = await _form(request) or {}
        if not self._is_client(form, request):
            return refused(
                401, "unauthorized_client", "Invalid client or Invalid client credentials"
            )
        token = form.get("token", "")
        with self._lock:
            if (issued := self._refresh.get(token)) is not None:
                self.end_session(issued.session)
            self._access.pop(token, None)
        # An unknown token is as good as a revoked one (RFC 7009, 2.2).
        return Response(status_code=200)

    async def _authorize(self, _request: Request) -> Response:
        # SoData issues clients for programs: they log in by the password grant alone.
        return _page("Standard flow is disabled for the client", status=400)

    async def _discovery(self, request: Request) -> Response:
        openid = str(request.base_url).rstrip("/") + OPENID
        return JSONResponse(
            {
                "issuer": _issuer(request),
                "authorization_endpoint": f"{openid}/auth",
                "token_endpoint": f"{openid}/token",
                "introspection_endpoint": f"{openid}/token/introspect",
                "userinfo_endpoint": f"{openid}/userinfo",
                "end_session_endpoint": f"{openid}/logout",
                "revocation_endpoint": f"{openid}/revoke",
                "jwks_uri": f"{openid}/certs",
                "grant_types_supported": ["refresh_token", "password"],
                "response_types_supported": ["code", "none", "token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
                "scopes_supported": ["openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_basic",
                    "client_secret_post",
                ],
            }
        )

    async def _realm(self, request: Request) -> Response:
        base = str(request.base_url).rstrip("/")
        return JSONResponse(
            {
                "realm": REALM,
                "public_key": self._key.public_key(),
                "token-service": f"{base}{OPENID}",
                "account-service": f"{base}/realms/{REALM}/account",
                "tokens-not-before": 0,
            }
        )

    async def _certs(self, _request: Request) -> Response:
        return JSONResponse(self._key.key_set())


async def _form(request: Request) -> dict[str, str] | None:
    """The fields of a form; None when the body is not a form."""
    if not request.headers.get("content-type", "").startswith(FORM):
        return None
    return await read_form(request)


def _issuer(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}/realms/{REALM}"


def _granted(scope: str | None) -> str:
    """The scopes of a token: the default ones, and openid when it was asked for."""
    return f"openid {DEFAULT_SCOPE}" if "openid" in (scope or "").split() else DEFAULT_SCOPE


def _client(form: dict[str, str], authorization: str | None) -> tuple[str, str]:
    """Client and secret from the body, else from HTTP Basic."""
    if "client_secret" in form:
        return form.get("client_id", ""), form["client_secret"]
    return basic_credentials(authorization) or (form.get("client_id", ""), "")


def _unauthorized(error: str, description: str, *, status: int) -> Response:
    """A refusal of a bearer token, with the challenge that RFC 6750 wants."""
    challenge = f'Bearer realm="{REALM}", error="{error}", error_description="{description}"'
    answer = refused(status, error, description)
    answer.headers["www-authenticate"] = challenge
    return answer


def _page(text: str, *, status: int) -> Response:
    head = f"<!DOCTYPE html><html><head><title>{REALM}</title></head>"
    return HTMLResponse(f"{head}<body><p>{text}</p></body></html>", status_code=status)
