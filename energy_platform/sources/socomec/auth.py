"""Login at Socomec's Keycloak (SoData API, section 2), through python-keycloak.

One token pair per client. It is renewed early, by one thread for all, counted on a monotonic clock
from before the request; a refused or aged refresh token leads to a new login.
"""

from __future__ import annotations

import logging
import random
import threading
from typing import TYPE_CHECKING, Final, Literal

import httpx
import msgspec
import stamina
from keycloak import KeycloakOpenID
from keycloak.exceptions import KeycloakError

from energy_platform.settings import required
from energy_platform.sources.http.bodies import is_json
from energy_platform.sources.http.client import Auth, Clock
from energy_platform.sources.http.errors import (
    AuthenticationError,
    ContractError,
    PermanentError,
    TransientError,
    VendorError,
)
from energy_platform.sources.http.exchange import Exchanger
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.http.masking import error_summary, silence_http_loggers
from energy_platform.sources.http.messages import RequestContext, body_of
from energy_platform.sources.http.patience import Patience, is_silence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from energy_platform.sources.socomec.settings import SocomecSettings

log = logging.getLogger(__name__)

Grant = Literal["password", "refresh_token"]

_BAD_CLIENT: Final = frozenset({"invalid_client", "unauthorized_client"})
"""Codes by which Keycloak refuses the client rather than the user."""

_ABOUT: Final = RequestContext("socomec", "token", None, None)
"""The one call of this file, for messages."""

_BUSY: Final = frozenset({408, 425, 429})
"""Answers below 500 that can heal by waiting."""


class Tokens(msgspec.Struct):
    """What the token endpoint answers; never shown."""

    access_token: str
    expires_in: float
    refresh_token: str | None = None
    refresh_expires_in: float = 0

    def __repr__(self) -> str:
        return "Tokens(***)"


class _Connection:
    """What python-keycloak posts its forms through: the connections that all clients share.

    Its own connection manager has a trust store, a rule for proxies and time limits of its own,
    follows redirects with the form, and makes an asynchronous client that nobody uses and that
    dies of a proxy it does not know.

    Args:
        base_url: Keycloak.
        settings: Time limit and trust store.
        clock: Time sources.
        patience: How long the run waits for this source.
    """

    def __init__(
        self, base_url: str, *, settings: SocomecSettings, clock: Clock, patience: Patience
    ) -> None:
        self._base_url = base_url
        self._clock = clock
        self._patience = patience
        self._exchanger = Exchanger(
            base_url,
            timeout_s=settings.timeout_s,
            max_connections=1,
            ca_file=settings.ca_file,
            clock=clock,
        )
        self.headers: dict[str, str] = {}

    def add_param_headers(self, key: str, value: str) -> None:
        """Send a header with the next forms."""
        self.headers[key] = value

    def del_param_headers(self, key: str) -> None:
        """Send it no longer."""
        self.headers.pop(key, None)

    def raw_post(self, path: str, data: Mapping[str, str]) -> httpx.Response:
        """POST a form once; a refresh token that is rotated must not be used twice.

        Raises:
            VendorError: No whole answer came.
        """
        self._patience.admit(_ABOUT)
        headers, body = body_of(json=None, form=data, content=None)
        request = self._exchanger.request(
            "POST", self._base_url + path, headers={**headers, **self.headers}, content=body
        )
        started = self._clock.monotonic()
        try:
            answer = self._exchanger.exchange(
                request, about=_ABOUT, at_most_s=self._patience.left_s
            )
        except VendorError as error:
            if is_silence(error) and self._patience.unanswered(error, started=started):
                self._patience.down()
            error.advice = f"{error.advice} (SOCOMEC_KEYCLOAK_URL)"
            raise
        self._patience.answered()
        # Of a refusal the status is enough where the body cannot be read; python-keycloak would
        # end in a RecursionError.
        is_readable = httpx.codes.is_success(answer.status) or is_json(answer.content)
        return httpx.Response(answer.status, content=answer.content if is_readable else b"")

    def close(self) -> None:
        """Close the connections."""
        self._exchanger.close()


class _Realm(KeycloakOpenID):
    """python-keycloak's client of one realm, over our connections."""

    def __init__(
        self, connection: _Connection, *, realm: str, client_id: str, client_secret: str
    ) -> None:
        # Not the parent's constructor: it opens connections of its own.
        self.client_id = client_id
        self.client_secret_key = client_secret
        self.realm_name = realm
        self.connection = connection  # type: ignore[assignment]  # has what a form needs


class KeycloakAuth(Auth):
    """Bearer tokens for SoData.

    Args:
        settings: Where Keycloak is and who we are.
        clock: Time sources.
        backoff_s: First pause before another attempt, doubled up to a minute and jittered; None
            takes the setting.
        logins: What is known of refused logins; None remembers for the life of this object.
        patience: How long the run waits for this source.

    Raises:
        SettingsError: A credential is not set, or the trust store or proxy cannot be used.
    """

    def __init__(
        self,
        settings: SocomecSettings,
        *,
        clock: Clock | None = None,
        backoff_s: float | None = None,
        logins: RefusedLogins | None = None,
        patience: Patience | None = None,
    ) -> None:
        why = "SoData needs a client and a SoLive Pro user"
        client_id = required(settings.client_id, variable="SOCOMEC_CLIENT_ID", why=why)
        secret = required(settings.client_secret, variable="SOCOMEC_CLIENT_SECRET", why=why)
        self._username = required(settings.username, variable="SOCOMEC_USERNAME", why=why)
        self._password = required(settings.password, variable="SOCOMEC_PASSWORD", why=why)
        self._hidden = (
            client_id,
            secret.get_secret_value(),
            self._username,
            self._password.get_secret_value(),
        )
        self._settings = settings
        self._clock = clock or Clock()
        self._backoff_s = settings.backoff_s if backoff_s is None else backoff_s
        silence_http_loggers()
        base_url = settings.keycloak_url.rstrip("/") + "/"
        self._logins = RefusedLogins() if logins is None else logins
        self._credentials = (base_url, settings.realm, *self._hidden)
        self._patience = patience or Patience(source="socomec", clock=self._clock)
        self._connection = _Connection(
            base_url, settings=settings, clock=self._clock, patience=self._patience
        )
        self._keycloak = _Realm(
            self._connection,
            realm=settings.realm,
            client_id=client_id,
            client_secret=secret.get_secret_value(),
        )
        self._lock = threading.Lock()
        self._tokens: Tokens | None = None
        self._access_until = 0.0
        self._refresh_until = 0.0
        self.logins = 0
        self.refreshes = 0

    def __repr__(self) -> str:
        return f"KeycloakAuth(realm={self._settings.realm!r})"

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def headers(self) -> Mapping[str, str]:
        """Return the Authorization header, renewing the token when it is about to expire.

        Raises:
            AuthenticationError: Keycloak refuses the client or the user.
            TransientError: Keycloak could not be asked.
        """
        with self._lock:
            if self._tokens is None or self._clock.monotonic() >= self._access_until:
                self._tokens = self._renewed()
            return _bearer(self._tokens)

    def renew(self, rejected: Mapping[str, str]) -> bool:
        """Replace a token that the API refused, unless another thread already did."""
        with self._lock:
            if self._tokens is None or _bearer(self._tokens) == rejected:
                self._tokens = self._renewed()
        return True

    def _renewed(self) -> Tokens:
        """Refresh, or log in when there is nothing to refresh with."""
        old = self._tokens
        # Forget the pair first: a failure half-way must not leave a used refresh token behind.
        self._tokens = None
        if old is not None and old.refresh_token and self._clock.monotonic() < self._refresh_until:
            refresh_token = old.refresh_token
            try:
                tokens = self._ask("refresh_token", lambda: self._refresh(refresh_token))
            except AuthenticationError as error:
                log.info("socomec token: refresh refused (%s), logging in", error.code)
            else:
                self.refreshes += 1
                return tokens
        with self._logins.attempt(
            "socomec", endpoint="token", credentials=self._credentials, now=self._clock.now
        ):
            tokens = self._ask("password", self._login)
        self.logins += 1
        return tokens

    def _login(self) -> object:
        return self._keycloak.token(
            self._username,
            self._password.get_secret_value(),
            scope=self._settings.oauth_scope,
        )

    def _refresh(self, refresh_token: str) -> object:
        return self._keycloak.refresh_token(refresh_token)

    def _ask(self, grant: Grant, call: Callable[[], object]) -> Tokens:
        """Call the token endpoint, again while the fault can heal."""
        failures = 0

        def pause_before_retry(error: Exception) -> bool | float:
            nonlocal failures
            if not isinstance(error, TransientError) or error.exhausted:
                return False
            failures += 1
            if failures >= self._settings.attempts:
                return False
            ceiling = min(60.0, self._backoff_s * 2 ** (failures - 1))
            pause = random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter, not a secret
            if pause >= self._patience.left_s:
                raise self._patience.spent(_ABOUT, last=error) from None
            log.warning("%s; trying again", error)
            return pause

        try:
            for attempt in stamina.retry_context(
                on=pause_before_retry, attempts=self._settings.attempts, timeout=None
            ):
                with attempt:
                    return self._attempt(grant, call)
        except TransientError as error:
            error.exhausted = True
            raise
        raise AssertionError("stamina either returns or raises")

    def _attempt(self, grant: Grant, call: Callable[[], object]) -> Tokens:
        asked_at = self._clock.monotonic()
        fault: VendorError
        try:
            answer = call()
        except KeycloakError as error:
            fault = self._fault(grant, error)
        except TypeError:
            # python-keycloak's way of saying that a 200 was not JSON; its text quotes the body.
            fault = self._transient("expected JSON from Keycloak, got something else")
        except RecursionError:
            fault = ContractError(
                "the token answer is nested too deep to be read",
                vendor="socomec",
                endpoint="token",
                advice="Check SOCOMEC_KEYCLOAK_URL and SOCOMEC_REALM",
            )
        else:
            return self._accepted(answer, asked_at=asked_at)
        raise fault from None

    def _accepted(self, answer: object, *, asked_at: float) -> Tokens:
        try:
            tokens = msgspec.convert(answer, Tokens, strict=False)
        except msgspec.ValidationError as error:
            raise ContractError(
                f"the token answer has another shape than documented: {error}",
                vendor="socomec",
                endpoint="token",
                advice="Check SOCOMEC_KEYCLOAK_URL and SOCOMEC_REALM",
            ) from None
        # A token may live shorter than the margin; half its life is then early enough.
        margin = min(self._settings.token_margin_s, tokens.expires_in / 2)
        self._access_until = asked_at + tokens.expires_in - margin
        # Keycloak says 0 for refresh tokens that do not expire.
        lives = tokens.refresh_expires_in
        self._refresh_until = asked_at + lives if lives > 0 else float("inf")
        return tokens

    def _transient(self, reason: str, *, status: int | None = None) -> TransientError:
        return TransientError(
            reason,
            vendor="socomec",
            endpoint="token",
            kind="connection" if status is None else "status",
            status=status,
            advice="Check the network and SOCOMEC_KEYCLOAK_URL, or run it again later",
        )

    def _fault(self, grant: Grant, error: KeycloakError) -> VendorError:
        """Say what a refusal of the token endpoint means."""
        status = error.response_code
        if status is None:
            return self._transient("Keycloak did not answer")
        if httpx.codes.is_redirect(status):
            return self._misplaced("redirected", status=status)
        if status in _BUSY or status >= 500:  # noqa: PLR2004 - server errors
            return self._transient("Keycloak is busy or broken", status=status)
        code, words = error_summary(error.response_body or b"", hidden=self._hidden)
        if status not in {400, 401, 403}:
            return self._misplaced("no token endpoint there", status=status)
        said = ": ".join(chunk for chunk in (code, words) if chunk)
        who = "the client" if code in _BAD_CLIENT else "the user"
        settings = (
            "SOCOMEC_CLIENT_ID and SOCOMEC_CLIENT_SECRET"
            if code in _BAD_CLIENT
            else "SOCOMEC_USERNAME and SOCOMEC_PASSWORD, and that the user is active"
        )
        what = who if grant == "password" else "the refresh token"
        return AuthenticationError(
            f"Keycloak refused {what}{said and f' ({said})'}",
            vendor="socomec",
            endpoint="token",
            status=status,
            code=code,
            advice=f"Check {settings}",
        )

    def _misplaced(self, reason: str, *, status: int | None) -> PermanentError:
        return PermanentError(
            f"{reason}, realm {self._settings.realm}",
            vendor="socomec",
            endpoint="token",
            status=status,
            advice="Check SOCOMEC_KEYCLOAK_URL (without /auth) and SOCOMEC_REALM",
        )


def _bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.access_token}"}
