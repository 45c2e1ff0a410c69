"""The one HTTP transport all vendor clients share.

Synchronous httpx over HTTP/1.1. It keeps the promises of a good guest: only reading calls from a
fixed list, a rate and an in-flight limit per account, retries with jittered backoff and a clamped
``Retry-After`` for what can heal, one attempt for what cannot, no redirects, TLS always. Queries,
tokens and bodies never reach a log line or an exception.
"""

from __future__ import annotations

import logging
import random
import re
import threading
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

import httpx
import stamina

from energy_platform.closeable import Closeable
from energy_platform.settings import LOOPBACK
from energy_platform.sources.http.authorisation import Auth
from energy_platform.sources.http.errors import (
    AuthenticationError,
    PermanentError,
    SourceDownError,
    TransientError,
    VendorError,
)
from energy_platform.sources.http.exchange import Exchanger
from energy_platform.sources.http.masking import error_summary, silence_http_loggers
from energy_platform.sources.http.messages import (
    ANY_BODY,
    JSON_BODY,
    Decoder,
    Param,
    RequestContext,
    Response,
    body_of,
    decoded,
    query_text,
    segment,
)
from energy_platform.sources.http.patience import Patience, is_silence
from energy_platform.sources.http.rate_limit import Clock, RateLimiter
from energy_platform.sources.http.statuses import judged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")
Accept = Literal["json", "any"]

__all__ = ["Auth", "Call", "Clock", "Decoder", "Response", "Stats", "Transport", "segment"]

log = logging.getLogger(__name__)

MAX_RETRY_AFTER_S: Final = 120.0
"""A vendor may ask for a pause, but not hold a run hostage."""


class Call(NamedTuple):
    """One allowed call: a method and a pattern that the whole path must match."""

    method: str
    pattern: str


class Stats(NamedTuple):
    """What a transport did since it was opened."""

    requests: int = 0
    retries: int = 0
    received_bytes: int = 0


class Transport(Closeable):
    """A paced, retrying, read-only connection to one vendor.

    Args:
        vendor: Name for messages.
        base_url: API base; https, or http on loopback.
        allowed: The only calls that may be made; anything else raises before a byte leaves.
        rps: Requests per second.
        max_in_flight: Requests at the same time; callers may use as many threads.
        timeout_s: Seconds without a byte before an attempt is given up; a whole answer may take
            five times as long.
        attempts: Attempts per request for faults that can heal.
        auth: Headers, renewal after a 401, signing.
        backoff_s: First pause; doubles, jittered to between a half and the whole.
        max_backoff_s: Longest pause without a ``Retry-After``.
        max_retry_after_s: Longest pause a ``Retry-After`` may ask for.
        clock: Time sources.
        patience: How long the run waits for this source; by default without an end.
        ca_file: Authorities trusted besides the system's.
        simple: Path of a call that costs the vendor little, to tell a call that hangs from a
            source that is down.

    Raises:
        ValueError: The base URL is plain http beyond this machine.
        SettingsError: The trust store or the proxy of the environment cannot be used.
    """

    def __init__(
        self,
        *,
        vendor: str,
        base_url: str,
        allowed: Sequence[Call],
        rps: float,
        max_in_flight: int,
        timeout_s: float,
        attempts: int,
        auth: Auth | None = None,
        backoff_s: float = 1.0,
        max_backoff_s: float = 60.0,
        max_retry_after_s: float = MAX_RETRY_AFTER_S,
        clock: Clock | None = None,
        patience: Patience | None = None,
        ca_file: Path | None = None,
        simple: str | None = None,
    ) -> None:
        base = urlsplit(base_url)
        if base.scheme != "https" and not (base.scheme == "http" and base.hostname in LOOPBACK):
            raise ValueError(f"{vendor}: expected an https:// base URL (http on loopback only)")
        self.vendor = vendor
        self._base = base_url.rstrip("/")
        self._allowed = [Call(c.method, re.compile(c.pattern).pattern) for c in allowed]
        self._attempts = attempts
        self._auth = auth or Auth()
        self._backoff_s = backoff_s
        self._max_backoff_s = max_backoff_s
        self._max_retry_after_s = max_retry_after_s
        self._clock = clock or Clock()
        self._patience = patience or Patience(source=vendor, clock=self._clock)
        self._simple = simple
        self._rate_limiter = RateLimiter(rps=rps, clock=self._clock)
        self._slots = threading.BoundedSemaphore(max_in_flight)
        self._stats_lock = threading.Lock()
        self._stats = Stats()
        silence_http_loggers()
        self._exchanger = Exchanger(
            base_url,
            timeout_s=timeout_s,
            max_connections=max_in_flight,
            ca_file=ca_file,
            clock=self._clock,
        )

    def close(self) -> None:
        """Close the connections."""
        self._exchanger.close()

    @property
    def stats(self) -> Stats:
        """Requests, retries and bytes so far."""
        with self._stats_lock:
            return self._stats

    def request(
        self,
        method: str,
        path: str,
        *,
        endpoint: str,
        params: Mapping[str, Param] | None = None,
        json: object | None = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        day: str | None = None,
        subject: str | None = None,
        accept: Accept = "json",
        retry_filter: Callable[[TransientError], bool] | None = None,
    ) -> Response:
        """Make one call and return its whole answer.

        Args:
            method: HTTP method.
            path: Path below the base URL, beginning with ``/``; ids quoted by :func:`segment`.
            endpoint: Short name for messages.
            params: Query.
            json: Value to send as JSON.
            form: Fields to send as a form.
            content: Bytes to send as they are (set the content type in ``headers``).
            headers: Further headers.
            day: UTC day the call is for, for messages.
            subject: What the call is about, for messages.
            accept: ``json`` treats a body that is obviously not JSON as a fault that can heal.
            retry_filter: Says for which faults not to try again, because the caller heals them
                itself.

        Raises:
            PermanentError: The call is not on the list, or the vendor refused it.
            AuthenticationError: The vendor refused the credentials, renewed ones too.
            TransientError: A fault that can heal outlasted all attempts.
        """
        return self.fetch(
            method,
            path,
            decoder=JSON_BODY if accept == "json" else ANY_BODY,
            endpoint=endpoint,
            params=params,
            json=json,
            form=form,
            content=content,
            headers=headers,
            day=day,
            subject=subject,
            retry_filter=retry_filter,
        )[1]

    def fetch(
        self,
        method: str,
        path: str,
        *,
        decoder: Decoder[T],
        endpoint: str,
        params: Mapping[str, Param] | None = None,
        json: object | None = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        day: str | None = None,
        subject: str | None = None,
        retry_filter: Callable[[TransientError], bool] | None = None,
    ) -> tuple[T, Response]:
        """Make one call and decode its answer; a body that does not parse is tried again.

        Arguments are those of :meth:`request`.

        Returns:
            The decoded value and the answer it came from.

        Raises:
            ContractError: The body is JSON of another shape than the decoder's type.
            PermanentError: As :meth:`request`.
            TransientError: As :meth:`request`.
        """
        about = RequestContext(
            self.vendor, endpoint, day, subject, hidden=tuple((form or {}).values())
        )
        self._check_allowed(method, path, about)
        body_headers, body = body_of(json=json, form=form, content=content)
        wire_headers = {"Accept": "application/json", **body_headers, **(headers or {})}
        query = {name: query_text(value) for name, value in (params or {}).items()} or None
        failures = 0

        def pause_before_retry(error: Exception) -> bool | float:
            nonlocal failures
            if not isinstance(error, TransientError) or error.exhausted:
                return False
            if retry_filter is not None and retry_filter(error):
                return False
            failures += 1
            if failures >= self._attempts:
                return False
            return self._pause(error, failures=failures, about=about)

        try:
            for attempt in stamina.retry_context(
                on=pause_before_retry, attempts=self._attempts, timeout=None
            ):
                with attempt:
                    response = self._send(
                        method, path, query=query, headers=wire_headers, body=body, about=about
                    )
                    return decoded(decoder, response, about=about)
        except TransientError as error:
            if failures > 1 and not isinstance(error, SourceDownError):
                error.reason += f" ({failures} attempts)"
            error.exhausted = True
            raise
        raise AssertionError("stamina either returns or raises")

    def _check_allowed(self, method: str, path: str, about: RequestContext) -> None:
        plain = unquote(path)
        bad_path = (
            not path.startswith("/")
            or any(mark in path for mark in "?#\\")
            or any(part in {".", ".."} for part in plain.split("/"))
        )
        if bad_path or not any(
            method == call.method and re.fullmatch(call.pattern, path) for call in self._allowed
        ):
            raise PermanentError(
                f"{method} is not on the list of reading calls for this path; nothing was sent",
                **about.fields(),
            )

    def _pause(self, error: TransientError, *, failures: int, about: RequestContext) -> float:
        """Return the seconds to wait before the next attempt, and count it.

        Raises:
            RunLimitError: The run would be over by then.
        """
        if error.retry_after_s:
            pause = min(error.retry_after_s, self._max_retry_after_s)
            self._rate_limiter.hold(pause)
        else:
            ceiling = min(self._max_backoff_s, self._backoff_s * 2 ** (failures - 1))
            pause = random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter, not a secret
        if pause >= self._patience.left_s:
            raise self._patience.spent(about, last=error) from None
        self._count(retries=1)
        log.warning("%s; trying again in %.1f s", error, pause)
        return pause

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: bytes | None,
        about: RequestContext,
    ) -> Response:
        """One attempt, with one repeat after a 401 if the credentials could be renewed."""
        with self._auth.attempt():
            for renewed in (False, True):
                granted = self._auth.headers()
                about = about.hiding(*granted.values())
                request = self._exchanger.request(
                    method,
                    self._base + path,
                    params=query,
                    headers={**headers, **granted},
                    content=body,
                )
                self._auth.sign(request)
                response = self._exchange(request, about=about)
                if response.status != httpx.codes.UNAUTHORIZED:
                    return judged(response, about=about, now=self._clock.now())
                if renewed or not self._auth.renew(granted):
                    break
            raise AuthenticationError(
                "the credentials were refused" + (" even after a renewal" if renewed else ""),
                status=401,
                code=error_summary(response.content, hidden=about.hidden).code,
                advice=f"Check the {self.vendor.upper()}_* credentials and that the user is active",
                **about.fields(),
            )

    def _exchange(self, request: httpx.Request, *, about: RequestContext) -> Response:
        """Send once, in turn, as long as the run's patience lasts.

        Raises:
            SourceDownError: Nothing was sent: the source is down, or the run has taken its time.
            VendorError: As the exchange does.
        """
        left_s = min(max(self._patience.left_s, 0.0), threading.TIMEOUT_MAX)
        if not self._slots.acquire(timeout=left_s):
            raise self._patience.spent(about)
        try:
            # Asked in turn: others may have found out meanwhile that nobody answers.
            self._patience.admit(about)
            if not self._rate_limiter.wait(at_most_s=self._patience.left_s):
                raise self._patience.spent(about)
            response = self._timed(request, about=about)
        finally:
            self._slots.release()
        self._count(received_bytes=len(response.content))
        log.debug(
            "%s %s: HTTP %d, %d bytes",
            about.vendor,
            about.endpoint,
            response.status,
            len(response.content),
        )
        return response

    def _timed(self, request: httpx.Request, *, about: RequestContext) -> Response:
        self._count(requests=1)
        started = self._clock.monotonic()
        try:
            response = self._exchanger.exchange(
                request, about=about, at_most_s=self._patience.left_s
            )
        except VendorError as error:
            if not is_silence(error):
                self._patience.answered()
            elif self._patience.unanswered(error, started=started):
                self._look_whether_down(about)
            raise
        self._patience.answered()
        return response

    def _look_whether_down(self, about: RequestContext) -> None:
        """Ask for something simple, once: any answer shows that the source is there."""
        if self._simple is None:
            self._patience.down()
            return
        request = self._exchanger.request("GET", self._base + self._simple, headers={})
        try:
            self._exchanger.exchange(request, about=about, at_most_s=self._patience.left_s)
        except VendorError as error:
            if is_silence(error):
                log.warning("%s: no answer to anything; not asked any more", self.vendor)
                self._patience.down()
        else:
            self._patience.alive()

    def _count(self, *, requests: int = 0, retries: int = 0, received_bytes: int = 0) -> None:
        with self._stats_lock:
            old = self._stats
            self._stats = Stats(
                old.requests + requests,
                old.retries + retries,
                old.received_bytes + received_bytes,
            )
