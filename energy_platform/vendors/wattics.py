"""Wattics data collection: one packet per POST, and the last packet read back.

One client is one sender: one connection, one cookie jar, one credential, never shared between
threads. It sends once and classifies the answer; order and repetition belong to the sender.

Source: Wattics data collection API, sections 1 to 8.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Self, TypedDict
from urllib.parse import urlsplit

import httpx
import msgspec

from energy_platform.settings import LOOPBACK, required
from energy_platform.vendors.errors import (
    AuthenticationError,
    ContractError,
    PermanentError,
    TransientError,
)
from energy_platform.vendors.masking import hush_wire_loggers, mask, place
from energy_platform.vendors.pace import Clock, retry_after_s

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType

    from energy_platform.settings import WatticsCredential, WatticsSettings

AnswerKind = Literal["stored", "refused", "authentication", "transient", "redirect"]
"""What an answer means for the sender."""

TRANSIENT_STATUSES: Final = frozenset({408, 425, 429})
"""Answers below 500 after which the same packet is sent again."""

AUTHENTICATION_STATUSES: Final = frozenset({401, 403})
"""Answers that stop every stream of the credential."""

EXCERPT_LENGTH: Final = 300
"""Characters of a refusal that are kept for the person who must act."""

_LONGEST_BODY: Final = 1024 * 1024
_LATER: Final = "Run it again later"
_CREDENTIAL: Final = "Check the Wattics credential of this stream group"
_MARKUP: Final = re.compile(r"(?is)<(script|style)\b.*?</\1\s*>|<[^>]*>")
_TIME_KEYS: Final = ("tsISO8601", "tsiso8601", "timestamp", "ts", "time", "date")
_LAST_SECOND: Final = 4_102_444_800
"""Begin of 2100 in epoch seconds; a larger number is in milliseconds."""


class Answer(NamedTuple):
    """What came of one packet.

    Attributes:
        kind: What it means.
        status: HTTP status; None when no answer came.
        retry_after_s: Seconds Wattics asked to wait.
        reason: One line for people.
        excerpt: Begin of the body of a refusal, without markup and without secrets.
        unclear: Whether the packet may be stored although no answer said so.
    """

    kind: AnswerKind
    status: int | None
    retry_after_s: float | None
    reason: str
    excerpt: str
    unclear: bool


class LastPacket(NamedTuple):
    """The last packet that Wattics received and stored for a stream.

    Attributes:
        stream_id: The stream asked for.
        at: Sampling instant, UTC.
        fields: The numbers of the packet by field name.
    """

    stream_id: str
    at: datetime
    fields: dict[str, float]


def classify(status: int, *, success_codes: Collection[int] = (200, 201, 202, 204)) -> AnswerKind:
    """Say what a status means for a packet; whatever is not known to be stored is not.

    Args:
        status: HTTP status.
        success_codes: Statuses that mean stored.
    """
    if status in success_codes:
        return "stored"
    if status in AUTHENTICATION_STATUSES:
        return "authentication"
    if httpx.codes.is_redirect(status):
        return "redirect"
    if status in TRANSIENT_STATUSES or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return "transient"
    return "refused"


class _About(TypedDict):
    vendor: str
    endpoint: str
    subject: str


class _Said(NamedTuple):
    """An answer as far as it came."""

    status: int
    headers: httpx.Headers
    body: bytes
    request: httpx.Request
    is_whole: bool


class WatticsClient:
    """One connection to the collector, with its own cookies.

    Args:
        settings: Address, timeouts, content type, success codes.
        credential: User and password, sent with every request without being asked.
        clock: Time sources, for ``Retry-After`` dates.

    Raises:
        SettingsError: No base URL is set.
        ValueError: The base URL is plain http beyond this machine.
    """

    def __init__(
        self,
        settings: WatticsSettings,
        *,
        credential: WatticsCredential,
        clock: Clock | None = None,
    ) -> None:
        base_url = required(
            settings.base_url,
            variable="WATTICS_BASE_URL",
            why="there is no default, so that nothing is pushed to production by accident",
        )
        parts = urlsplit(base_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("WATTICS_BASE_URL: expected https:// (http on loopback only)")
        # The final slash belongs to the address; without it a server may redirect.
        self._url = base_url.rstrip("/") + "/"
        self._settings = settings
        self._credential = credential
        self._clock = clock or Clock()
        hush_wire_loggers()
        self._http = httpx.Client(
            auth=httpx.BasicAuth(credential.username, credential.password.get_secret_value()),
            headers={"Accept": "application/json", "User-Agent": "energy-platform"},
            timeout=httpx.Timeout(
                settings.read_timeout_s,
                connect=settings.connect_timeout_s,
                pool=settings.connect_timeout_s,
            ),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            follow_redirects=False,
            # A proxy named by the environment must not see loopback traffic.
            trust_env=parts.scheme == "https",
        )

    def __repr__(self) -> str:
        return "WatticsClient(***)"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and forget the cookies."""
        self._http.close()

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
        request = self._http.build_request(
            "POST",
            self._url,
            content=body,
            headers={"Content-Type": self._settings.content_type},
        )
        try:
            return self._judge(self._exchange(request))
        except httpx.HTTPError as error:
            return _no_answer(error)

    def last_packet(self, stream_id: str) -> LastPacket | None:
        """Read back the last packet stored for a stream.

        The shape of the answer is not documented, so any plausible one is taken.

        Returns:
            The packet; None when nothing is stored.

        Raises:
            AuthenticationError: The credential is refused.
            TransientError: No good answer came; nothing is known.
            PermanentError: The question was refused or redirected.
            ContractError: The answer cannot be read as a packet.
        """
        about = _About(vendor="wattics", endpoint="read-back", subject=stream_id)
        request = self._http.build_request("GET", self._url, params={"stream": stream_id})
        try:
            said = self._exchange(request)
        except httpx.HTTPError as error:
            raise TransientError(
                _no_answer(error).reason,
                kind="timeout" if isinstance(error, httpx.TimeoutException) else "connection",
                advice=_LATER,
                **about,
            ) from None
        if said.status in {httpx.codes.NOT_FOUND, httpx.codes.NO_CONTENT}:
            return None
        answer = self._judge(said)
        if answer.kind == "authentication":
            raise AuthenticationError(
                answer.reason, status=said.status, advice=_CREDENTIAL, **about
            )
        if answer.kind == "transient":
            raise TransientError(
                answer.reason,
                kind="status",
                status=said.status,
                retry_after_s=answer.retry_after_s,
                advice=_LATER,
                **about,
            )
        if not httpx.codes.is_success(said.status):
            raise PermanentError(answer.reason, status=said.status, **about)
        if not said.is_whole:
            raise TransientError(
                "the answer was cut off", kind="body", status=said.status, advice=_LATER, **about
            )
        try:
            return packet_of(said.body, stream_id=stream_id)
        except ValueError as error:
            raise ContractError(
                f"the answer cannot be read as a packet: {error}",
                status=said.status,
                advice="Set WATTICS_READBACK=false and report the shape that came",
                **about,
            ) from None

    def _exchange(self, request: httpx.Request) -> _Said:
        """Send once; a status that came stands, even when the body after it does not."""
        response = self._http.send(request, stream=True)
        chunks: list[bytes] = []
        is_whole = True
        try:
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                if sum(map(len, chunks)) > _LONGEST_BODY:
                    is_whole = False
                    break
        except httpx.HTTPError:
            is_whole = False
        finally:
            response.close()
        return _Said(response.status_code, response.headers, b"".join(chunks), request, is_whole)

    def _judge(self, said: _Said) -> Answer:
        status = said.status
        kind = classify(status, success_codes=self._settings.success_codes)
        reason = {
            "stored": "stored",
            "refused": "Wattics refused the packet",
            "authentication": "Wattics refused the credential",
            "transient": "Wattics is busy or broken",
            "redirect": (
                f"redirected to {place(said.headers.get('location', ''))}; check WATTICS_BASE_URL"
            ),
        }[kind]
        return Answer(
            kind=kind,
            status=status,
            retry_after_s=retry_after_s(said.headers.get("retry-after"), now=self._clock.now()),
            reason=f"{reason} (HTTP {status})",
            excerpt="" if kind == "stored" else self._excerpt(said),
            unclear=False,
        )

    def _excerpt(self, said: _Said) -> str:
        """Return the begin of a body in plain words; the body may echo what was sent to it."""
        text = said.body[:20_000].decode("utf-8", "replace")
        words = " ".join(unescape(_MARKUP.sub(" ", text)).split())
        sent = said.request.headers
        hidden = [
            self._credential.password.get_secret_value(),
            *sent.get("Authorization", "").split()[1:],
            *sent.get("Cookie", "").replace("=", "; ").split("; "),
        ]
        return mask(words, hidden=hidden)[:EXCERPT_LENGTH]


def _no_answer(error: httpx.HTTPError) -> Answer:
    """Classify a fault of the network; before a connection stands nothing can have been stored."""
    never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    if isinstance(error, httpx.TimeoutException):
        reason = "no answer in time"
    elif never_sent:
        reason = "no connection"
    else:
        reason = "the connection was cut before an answer came"
    return Answer(
        kind="transient",
        status=None,
        retry_after_s=None,
        # Texts of the HTTP library may name addresses.
        reason=f"{reason} ({type(error).__name__})",
        excerpt="",
        unclear=not never_sent,
    )


def packet_of(body: bytes, *, stream_id: str) -> LastPacket | None:
    """Read a packet defensively: an object or a list of one, any offset, epoch, unknown keys.

    Args:
        body: The answer.
        stream_id: The stream asked for.

    Returns:
        The packet; None for an empty answer or the epoch, which mean that nothing is stored.

    Raises:
        ValueError: There is something, but no packet of this stream with a time.
    """
    if not body.strip():
        return None
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError(f"{len(body)} bytes that are not JSON") from None
    if isinstance(said, list):
        if len(said) > 1:
            raise ValueError(f"a list of {len(said)} elements")
        said = said[0] if said else None
    if said in (None, {}, ""):
        return None
    if not isinstance(said, dict):
        raise ValueError(f"a {type(said).__name__} instead of an object")  # noqa: TRY004
    named = said.get("id")
    if named is not None and str(named) != stream_id:
        raise ValueError("a packet of another stream")
    when = next((said[key] for key in _TIME_KEYS if said.get(key) is not None), None)
    at = _instant(when)
    if at is None:
        return None
    fields = {
        str(key): float(value)
        for key, value in said.items()
        if key not in _TIME_KEYS
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    }
    return LastPacket(stream_id, at, fields)


def _instant(when: object) -> datetime | None:
    """Read an instant in any of the plausible forms; None for the epoch.

    Raises:
        ValueError: It is none of them.
    """
    if isinstance(when, str) and re.fullmatch(r"\d+(\.\d+)?", when):
        when = float(when)
    if isinstance(when, int | float) and not isinstance(when, bool):
        seconds = when / 1000 if when >= _LAST_SECOND else float(when)
        try:
            return datetime.fromtimestamp(seconds, tz=UTC) if seconds > 0 else None
        except (OverflowError, OSError, ValueError):
            raise ValueError("an epoch beyond any calendar") from None
    if not isinstance(when, str):
        raise ValueError("no time in it")  # noqa: TRY004
    try:
        at = datetime.fromisoformat(when.strip())
    except ValueError:
        raise ValueError("a time that is not ISO 8601") from None
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return at.astimezone(UTC) if at.timestamp() > 0 else None
