"""The client: one connection, one cookie jar, one credential, never shared between threads.

It sends once and classifies the answer; order and repetition belong to the sender.
"""

from __future__ import annotations

from base64 import b64encode
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NoReturn, TypedDict
from urllib.parse import urlsplit

import httpcore
import httpx

from energy_platform.closeable import Closeable
from energy_platform.destinations.base import Answer, RedirectedError
from energy_platform.destinations.wattics.answers import classify, excerpt, no_answer
from energy_platform.destinations.wattics.bodies import judge_body
from energy_platform.destinations.wattics.connection import FAULTS, KeepAliveConnection, Timeouts
from energy_platform.destinations.wattics.readback import packet_of
from energy_platform.settings import LOOPBACK
from energy_platform.sources.http.errors import (
    AuthenticationError,
    ContractError,
    PermanentError,
    TransientError,
)
from energy_platform.sources.http.masking import safe_url, silence_http_loggers
from energy_platform.sources.http.rate_limit import Clock, retry_after_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from energy_platform.destinations.base import AnswerKind, LastPacket
    from energy_platform.destinations.wattics.connection import Header, HttpResponse
    from energy_platform.destinations.wattics.settings import WatticsSettings
    from energy_platform.settings import BasicCredential

_LATER: Final = "Run it again later"
_CREDENTIAL: Final = "Check the Wattics credential of this stream group"
_STORED: Final = Answer("stored", 200, None, "stored (HTTP 200)", "", in_doubt=False)
"""What nearly every packet gets."""


def _always() -> bool:
    return True


class _About(TypedDict):
    vendor: str
    endpoint: str
    subject: str


class WatticsClient(Closeable):
    """One connection to the collector, with its own cookies.

    Args:
        settings: Address, timeouts, content type, success codes.
        credential: User and password, sent with every request without being asked.
        clock: Time sources, for ``Retry-After`` dates.
        may_send: Asked at the moment a request leaves; one that may not is never sent.

    Raises:
        SettingsError: No base URL is set, or the trust store or proxy cannot be used.
        ValueError: The base URL is plain http beyond this machine.
    """

    def __init__(
        self,
        settings: WatticsSettings,
        *,
        credential: BasicCredential,
        clock: Clock | None = None,
        may_send: Callable[[], bool] = _always,
    ) -> None:
        base_url = settings.required_url()
        parts = urlsplit(base_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("WATTICS_BASE_URL: expected https:// (http on loopback only)")
        # The final slash belongs to the address; without it a server may redirect.
        self._url = httpx.URL(base_url.rstrip("/") + "/")
        self._success_codes = settings.success_codes
        self._credential = credential
        self._clock = clock or Clock()
        silence_http_loggers()
        timeouts = Timeouts(settings.connect_timeout_s, settings.read_timeout_s)
        self._connection = KeepAliveConnection(
            self._url, timeouts=timeouts, ca_file=settings.ca_file, may_send=may_send
        )
        known_as = f"{credential.username}:{credential.password.get_secret_value()}"
        self._basic = b64encode(known_as.encode()).decode()
        self._headers: list[Header] = [
            (b"Host", self._url.netloc),
            (b"Authorization", f"Basic {self._basic}".encode()),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"identity"),
            (b"User-Agent", b"energy-platform"),
        ]
        self._push_headers: list[Header] = [
            *self._headers,
            (b"Content-Type", settings.content_type.encode()),
        ]
        self._cookies = httpx.Cookies()
        self._cookie: list[Header] = []
        self._cookies_end = False
        self._pushes: dict[int, httpcore.Request] = {}  # by length of the body

    def __repr__(self) -> str:
        return "WatticsClient(***)"

    def close(self) -> None:
        """Close the connection and forget the cookies."""
        self._connection.close()
        self._cookies.clear()
        self._cookie = []
        self._pushes.clear()

    def abort(self) -> None:
        """End the request under way and let no other begin; may come from another thread."""
        self._connection.abort()

    def push(self, body: bytes) -> Answer:
        """Send one packet once.

        Args:
            body: One JSON object on one line.

        Returns:
            What came of it; faults of the network are answers too, not exceptions.

        Raises:
            ValueError: The body is not one line; nothing was sent.
        """
        if not body.startswith(b"{") or not body.endswith(b"}") or b"\n" in body or b"\r" in body:
            raise ValueError("expected one JSON object on one line")
        try:
            response = self._exchange(self._push_request(len(body)), body=body)
        except FAULTS as error:
            return no_answer(error)
        return self._judge(response, sent=body)

    def last_packet(self, stream_id: str) -> LastPacket | None:
        """Read back the last packet stored for a stream.

        The shape of the answer is not documented, so any plausible one is taken.

        Returns:
            The packet; None when nothing is stored.

        Raises:
            AuthenticationError: The credential is refused.
            TransientError: No good answer came; nothing is known.
            RedirectedError: Another place or a page came instead; there is no session.
            PermanentError: The question was refused.
            ContractError: The answer cannot be read as a packet.
        """
        about = _About(vendor="wattics", endpoint="read-back", subject=stream_id)
        target = self._url.copy_with(params={"stream": stream_id}).raw_path
        try:
            response = self._exchange(self._request(b"GET", target, headers=self._headers))
        except FAULTS as error:
            raise TransientError(
                no_answer(error).reason,
                kind="timeout" if isinstance(error, httpcore.TimeoutException) else "connection",
                advice=_LATER,
                **about,
            ) from None
        if response.status in {HTTPStatus.NOT_FOUND, HTTPStatus.NO_CONTENT}:
            return None
        if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
            self._raise_refusal(self._judge(response, sent=b""), about=about)
        try:
            found = packet_of(response.body, stream_id=stream_id) if response.is_whole else None
        except ValueError as error:
            self._check_read_back(response, about=about)
            raise ContractError(
                f"the answer cannot be read as a packet: {error}",
                status=response.status,
                advice="Set WATTICS_READBACK=false and report the shape that came",
                **about,
            ) from None
        if found is None:
            self._check_read_back(response, about=about)
        return found

    def _check_read_back(self, response: HttpResponse, *, about: _About) -> None:
        """Refuse a page or an error in place of a packet: nothing stored must not be concluded.

        Raises:
            TransientError: The answer was cut off, or is an object that says error.
            RedirectedError: A page, or another place.
        """
        meaning = judge_body(response.headers, response.body, is_whole=response.is_whole)
        if meaning.verdict != "not_stored":
            return
        is_object = response.body.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in {b"{", b"["}
        if response.is_whole and not is_object:
            raise RedirectedError(meaning.words, status=response.status, **about)
        raise TransientError(
            meaning.words, kind="body", status=response.status, advice=_LATER, **about
        )

    def _raise_refusal(self, answer: Answer, *, about: _About) -> NoReturn:
        status = answer.status
        if answer.kind == "authentication":
            raise AuthenticationError(answer.reason, status=status, advice=_CREDENTIAL, **about)
        if answer.kind == "transient":
            raise TransientError(
                answer.reason,
                kind="status",
                status=status,
                retry_after_s=answer.retry_after_s,
                advice=_LATER,
                **about,
            )
        if answer.kind == "redirect":
            raise RedirectedError(answer.reason, status=status, **about)
        raise PermanentError(answer.reason, status=status, **about)

    def _push_request(self, length: int) -> httpcore.Request:
        """Return the request of a packet of a length; a stream's packets are about as long."""
        if self._cookies_end:
            self._choose_cookies()
        request = self._pushes.get(length)
        if request is None:
            size: Header = (b"Content-Length", b"%d" % length)
            request = self._request(
                b"POST", self._url.raw_path, headers=[*self._push_headers, size]
            )
            self._pushes[length] = request
        return request

    def _request(self, method: bytes, target: bytes, *, headers: list[Header]) -> httpcore.Request:
        """Return a request with the cookies there are."""
        if self._cookies_end:
            self._choose_cookies()
        return self._connection.request(method, target, headers=headers + self._cookie)

    def _exchange(self, request: httpcore.Request, *, body: bytes = b"") -> HttpResponse:
        """Send a request, and keep the cookies that come."""
        response = self._connection.exchange(request, body=body)
        for name, _ in response.headers:
            if name.lower() == b"set-cookie":
                asked = httpx.Request(request.method.decode(), self._url)
                self._cookies.extract_cookies(
                    httpx.Response(response.status, headers=response.headers, request=asked)
                )
                self._choose_cookies()
                break
        return response

    def _choose_cookies(self) -> None:
        """Work out which cookies go to the collector, once for all requests until they change."""
        request = httpx.Request("GET", self._url)
        self._cookies.set_cookie_header(request)
        value = request.headers.get("cookie")
        cookie: list[Header] = [(b"Cookie", value.encode())] if value else []
        if cookie != self._cookie:
            self._cookie = cookie
            self._pushes.clear()
        self._cookies_end = any(cookie.expires is not None for cookie in self._cookies.jar)

    def _judge(self, response: HttpResponse, *, sent: bytes) -> Answer:
        status = response.status
        kind = classify(status, success_codes=self._success_codes)
        if kind == "stored":
            return self._judge_good(response, sent=sent)
        if kind == "redirect":
            to = safe_url(response.header(b"location") or "")
            reason = f"redirected to {to}; check WATTICS_BASE_URL"
        else:
            reason = {
                "refused": "Wattics refused the packet",
                "authentication": "Wattics refused the credential",
                "transient": "Wattics is busy or broken",
            }[kind]
        # A 5xx may come after storing; a conflict may be with the packet itself, stored before.
        in_doubt = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.CONFLICT
        return self._answer(response, kind, reason, in_doubt=in_doubt)

    def _judge_good(self, response: HttpResponse, *, sent: bytes) -> Answer:
        """Look at what came with a good status: a page or an error does not mean stored."""
        status = response.status
        if status == HTTPStatus.NO_CONTENT:
            return Answer("stored", status, None, f"stored (HTTP {status})", "", in_doubt=False)
        meaning = judge_body(
            response.headers, response.body, status=status, is_whole=response.is_whole, sent=sent
        )
        if meaning.verdict != "stored":
            # Whoever answered may have stored the packet before.
            return self._answer(
                response, "in_doubt", meaning.words, in_doubt=True, shape=meaning.shape
            )
        if status == HTTPStatus.OK:
            return _STORED
        return Answer("stored", status, None, f"stored (HTTP {status})", "", in_doubt=False)

    def _answer(
        self,
        response: HttpResponse,
        kind: AnswerKind,
        reason: str,
        *,
        in_doubt: bool = False,
        shape: str = "",
    ) -> Answer:
        return Answer(
            kind=kind,
            status=response.status,
            retry_after_s=retry_after_s(response.header(b"retry-after"), now=self._clock.now()),
            reason=f"{reason} (HTTP {response.status})",
            excerpt=excerpt(response.body, hidden=self._secrets()),
            in_doubt=in_doubt,
            shape=shape,
        )

    def _secrets(self) -> list[str]:
        """Return what was sent and must not be shown when it is echoed."""
        cookies = [value.decode() for _, value in self._cookie]
        parts = [part for cookie in cookies for part in cookie.replace("=", "; ").split("; ")]
        return [self._credential.password.get_secret_value(), self._basic, *parts]
