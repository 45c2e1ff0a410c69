"""Tokens of the Belimo identity service: password grant, renewal, fallback to a new login."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from energy_platform.settings import required
from energy_platform.sources.http.client import Auth, Call, Transport
from energy_platform.sources.http.errors import AuthenticationError, PermanentError
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.http.rate_limit import Clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.sources.belimo.settings import BelimoSettings
    from energy_platform.sources.http.patience import Patience

log = logging.getLogger(__name__)

REFUSED: Final = frozenset({400, 401, 403})
"""Answers of the token endpoint that mean the grant, not the network."""

ADVICE: Final = (
    "Check BELIMO_USERNAME, BELIMO_PASSWORD, BELIMO_CLIENT_ID and BELIMO_CLIENT_SECRET; the "
    "password of a developer space expires after 60 days"
)


class _Token(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float | None = None
    refresh_token: str | None = None
    scope: str | None = None

    def __repr__(self) -> str:
        return "_Token(***)"


_TOKEN: Final = msgspec.json.Decoder(_Token)


class BelimoAuth(Auth):
    """Holds one token for all threads and renews it before it expires.

    Args:
        settings: Credentials and the token endpoint.
        clock: Time sources.
        backoff_s: First pause before a request is repeated; None takes the setting.
        logins: What is known of refused logins; None remembers for the life of this object.
        patience: How long the run waits for this source.
    """

    def __init__(
        self,
        settings: BelimoSettings,
        *,
        clock: Clock | None = None,
        backoff_s: float | None = None,
        logins: RefusedLogins | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._access: str | None = None
        self._refresh: str | None = None
        self._renew_at = float("inf")
        self._logins = RefusedLogins() if logins is None else logins
        place = urlsplit(settings.token_url)
        self._path = place.path or "/"
        self._transport = Transport(
            vendor="belimo",
            base_url=f"{place.scheme}://{place.netloc}",
            allowed=[Call("POST", self._path.replace(".", r"\."))],
            rps=settings.rps,
            max_in_flight=1,
            timeout_s=settings.timeout_s,
            attempts=settings.attempts,
            backoff_s=settings.backoff_s if backoff_s is None else backoff_s,
            clock=self._clock,
            patience=patience,
            ca_file=settings.ca_file,
        )

    def __repr__(self) -> str:
        return "BelimoAuth(***)"

    def close(self) -> None:
        """Close the connection to the identity service."""
        self._transport.close()

    def headers(self) -> Mapping[str, str]:
        """Return the bearer header, logging in or renewing first where needed."""
        with self._lock:
            if self._access is None or self._clock.monotonic() >= self._renew_at:
                self._obtain()
            return {"Authorization": f"Bearer {self._access}"}

    def renew(self, rejected: Mapping[str, str]) -> bool:
        """Drop a refused token once, whichever thread met the refusal first."""
        with self._lock:
            if rejected.get("Authorization") == f"Bearer {self._access}":
                self._access = None
        return True

    def _obtain(self) -> None:
        """Renew by the refresh token, else log in; the lock is held."""
        if self._refresh is not None:
            grant = {"grant_type": "refresh_token", "refresh_token": self._refresh}
            try:
                self._accept(grant)
            except PermanentError as error:
                if error.status not in REFUSED:
                    raise
                log.info("belimo token: the refresh was refused, logging in again")
                self._refresh = None
            else:
                return
        settings = self._settings
        why = "the Belimo Cloud login needs it"
        username = required(settings.username, variable="BELIMO_USERNAME", why=why)
        password = required(settings.password, variable="BELIMO_PASSWORD", why=why)
        grant = {
            "grant_type": "password",
            "username": username,
            "password": password.get_secret_value(),
            "scope": settings.scope,
        }
        secret = settings.client_secret
        credentials = (
            settings.token_url,
            settings.client_id or "",
            secret.get_secret_value() if secret else "",
            username,
            password.get_secret_value(),
        )
        # Trying a wrong password again and again locks the user out.
        with self._logins.attempt(
            "belimo", endpoint="token", credentials=credentials, now=self._clock.now
        ):
            self._log_in(grant)

    def _log_in(self, grant: Mapping[str, str]) -> None:
        try:
            self._accept(grant)
        except PermanentError as error:
            if error.status not in REFUSED:
                raise
            said = f": {error.code}" if error.code else ""
            raise AuthenticationError(
                f"the login was refused{said}",
                vendor="belimo",
                endpoint="token",
                status=error.status,
                code=error.code,
                advice=ADVICE,
            ) from None

    def _accept(self, grant: Mapping[str, str]) -> None:
        settings = self._settings
        why = "the Belimo Cloud login needs it"
        client_id = required(settings.client_id, variable="BELIMO_CLIENT_ID", why=why)
        secret = required(settings.client_secret, variable="BELIMO_CLIENT_SECRET", why=why)
        asked_at = self._clock.monotonic()
        token, _ = self._transport.fetch(
            "POST",
            self._path,
            decoder=_TOKEN,
            endpoint="token",
            form={
                **grant,
                "client_id": client_id,
                "client_secret": secret.get_secret_value(),
                "audience": settings.audience,
            },
        )
        self._access = token.access_token
        self._refresh = token.refresh_token or self._refresh
        self._renew_at = float("inf")
        if token.expires_in is not None:
            # A lifetime shorter than the margin must not mean a login per request.
            margin = min(settings.token_margin_s, token.expires_in / 2)
            self._renew_at = asked_at + token.expires_in - margin
        if token.scope is not None and set(token.scope.split()) != set(settings.scope.split()):
            log.warning("belimo token: granted other scopes than asked for: %s", token.scope)
