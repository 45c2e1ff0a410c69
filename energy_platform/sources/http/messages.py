"""What a call looks like on the wire: bodies, decoding, faults as our own errors."""

from __future__ import annotations

import re
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypedDict, TypeVar
from urllib.parse import quote, urlencode

import httpcore
import httpx
import msgspec

from energy_platform.sources.http.bodies import error_object, plain_json, quoted_literals
from energy_platform.sources.http.errors import (
    ConnectionSetupError,
    ContractError,
    FaultKind,
    TransientError,
)
from energy_platform.sources.http.masking import error_summary, mask
from energy_platform.sources.http.proxies import proxy_for, shown
from energy_platform.sources.http.tls import TlsFault, causes, tls_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Param = str | int | float | bool


class Response(NamedTuple):
    """A complete answer with a 2xx status."""

    content: bytes
    status: int
    headers: httpx.Headers


class Decoder(Protocol[T_co]):
    """Anything that turns a body into a value, such as ``msgspec.json.Decoder(Type)``."""

    def decode(self, buf: bytes, /) -> T_co:
        """Decode a whole body."""
        ...


class Fields(TypedDict):
    """The keyword arguments every vendor error takes."""

    vendor: str
    endpoint: str
    day: str | None
    subject: str | None


class RequestContext(NamedTuple):
    """What a call is about, for messages; and what must never be in one."""

    vendor: str
    endpoint: str
    day: str | None
    subject: str | None
    hidden: tuple[str, ...] = ()

    def hiding(self, *headers: str) -> RequestContext:
        """Add header values, scheme and secret apart, to what must never be shown."""
        parts = [part for header in headers for part in header.split()]
        return self._replace(hidden=(*self.hidden, *parts))

    def fields(self) -> Fields:
        """Return the keyword arguments of an error about this call."""
        return {
            "vendor": self.vendor,
            "endpoint": self.endpoint,
            "day": self.day,
            "subject": self.subject,
        }


class _Anything:
    """Takes any body as it is."""

    def decode(self, buf: bytes, /) -> None:
        del buf


class _LooksLikeJson:
    """Takes a body that begins and ends as JSON does; the caller decodes it."""

    def decode(self, buf: bytes, /) -> None:
        text = buf.strip()
        if text[:1] + text[-1:] not in {b"{}", b"[]"}:
            raise msgspec.DecodeError("not JSON")


ANY_BODY: Final = _Anything()
JSON_BODY: Final = _LooksLikeJson()


def segment(identifier: str) -> str:
    """Quote an id for use as one segment of a path.

    >>> segment("gateway/1")
    'gateway%2F1'
    """
    return quote(identifier, safe="")


def query_text(value: Param) -> str:
    """Write a query value the way the vendors read it.

    >>> query_text(True), query_text(50)
    ('true', '50')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def body_of(
    *, json: object | None, form: Mapping[str, str] | None, content: bytes | None
) -> tuple[dict[str, str], bytes | None]:
    """Return the headers and bytes of a request body.

    >>> body_of(json=None, form={"grant_type": "password"}, content=None)
    ({'Content-Type': 'application/x-www-form-urlencoded'}, b'grant_type=password')
    """
    if json is not None:
        return {"Content-Type": "application/json"}, msgspec.json.encode(json)
    if form is not None:
        kind = "application/x-www-form-urlencoded"
        return {"Content-Type": kind}, urlencode(form).encode()
    return {}, content


def decoded(
    decoder: Decoder[T], response: Response, *, about: RequestContext
) -> tuple[T, Response]:
    """Decode an answer.

    Returns:
        The value, and the answer with its body as it was decoded: UTF-8 without a mark.

    Raises:
        ContractError: JSON of another shape than the decoder's type, or nested beyond reason.
        TransientError: Not JSON at all (cut, or a page for a browser), or an error in spite of a
            status that says all is well.
    """
    body = plain_json(response.content, charset=_charset(response.headers))
    try:
        try:
            value = decoder.decode(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            if (mended := quoted_literals(body)) is None:
                raise
            body = mended
            value = decoder.decode(body)
    except msgspec.ValidationError as error:
        # msgspec names the place and the types, never the value.
        raise _contract(
            f"the answer has another shape than documented: {error}", response, about=about
        ) from None
    except RecursionError:
        raise _contract(
            f"the answer is nested too deep to be read ({len(body)} bytes)", response, about=about
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        kind = response.headers.get("content-type", "no content type").split(";")[0]
        raise TransientError(
            f"expected JSON, got {len(response.content)} bytes of {mask(kind)} that do not parse",
            kind="body",
            status=response.status,
            advice="Run it again later",
            **about.fields(),
        ) from None
    if error_object(body):
        code, words = error_summary(body, hidden=about.hidden)
        said = ": ".join(part for part in (code, words) if part)
        raise TransientError(
            f"the status says all is well, the body reports an error{said and f' ({said})'}",
            kind="body",
            status=response.status,
            code=code,
            advice="Run it again later",
            **about.fields(),
        )
    return value, response._replace(content=body)


def setup_fault(error: Exception, *, url: httpx.URL) -> TlsFault | None:
    """Return why no connection can be made until somebody changes something; None otherwise.

    Args:
        error: What httpx or httpcore raised.
        url: The host that was spoken to.
    """
    if fault := tls_fault(error, host=url.host):
        return fault
    if not isinstance(error, httpx.ProxyError | httpcore.ProxyError):
        return None
    proxy = proxy_for(url)
    said = str(error)
    # "407 Proxy Authentication Required" of an HTTP proxy, words of a SOCKS one.
    is_answer = said[:3].isdigit() and (said[0] != "4" or said[:3] in {"408", "425", "429"})
    if is_answer or ("could not connect" in said and "not allowed" not in said):
        return None
    where = shown(proxy) if proxy is not None else "of the environment"
    return TlsFault(
        f"the proxy {where} refused the connection to {url.host} ({mask(said)[:80]})",
        "Check HTTPS_PROXY or ALL_PROXY, its user and password, and what the proxy allows",
    )


def why_none(error: Exception) -> str:
    """Return in a few words why there is no connection.

    >>> why_none(ConnectionRefusedError(111, "Connection refused"))
    'connection refused'
    """
    if isinstance(error, httpx.ProxyError | httpcore.ProxyError):
        return mask(str(error))[:80]
    for cause in causes(error):
        if isinstance(cause, socket.gaierror):
            return "the host's name cannot be resolved"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return type(error).__name__


def _contract(reason: str, response: Response, *, about: RequestContext) -> ContractError:
    return ContractError(
        reason,
        status=response.status,
        advice="The vendor may have changed its API; compare with its document",
        **about.fields(),
    )


def _charset(headers: httpx.Headers) -> str | None:
    """Return the character set that an answer says of itself."""
    found = re.search(r"charset=[\"']?([\w.:-]+)", headers.get("content-type", ""), re.IGNORECASE)
    return found[1] if found else None


class Progress:
    """How far an exchange got: whether the begin of an answer came."""

    answered = False


@contextmanager
def wire_faults(about: RequestContext, *, url: httpx.URL) -> Iterator[Progress]:
    """Turn what httpx raises into our errors, without its texts that may name addresses.

    Args:
        about: The call.
        url: The host that is spoken to.

    Raises:
        ConnectionSetupError: The certificate, TLS or the proxy refuses; waiting does not help.
        TransientError: Any other fault.
    """
    kind: FaultKind
    progress = Progress()
    try:
        yield progress
    except httpx.TransportError as error:
        if fault := setup_fault(error, url=url):
            raise ConnectionSetupError(
                fault.reason, advice=fault.advice, **about.fields()
            ) from None
        proxy = proxy_for(url)
        through = "" if proxy is None else f" through the proxy {shown(proxy)}"
        if isinstance(error, httpx.TimeoutException):
            kind = "connection" if isinstance(error, httpx.ConnectTimeout) else "timeout"
            reason = f"no complete answer in time ({type(error).__name__}){through}"
        elif isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
            if progress.answered:
                kind, reason = "body", f"the answer was cut off ({type(error).__name__})"
            else:
                kind = "connection"
                reason = f"the connection was closed without an answer{through}"
        else:
            kind, reason = "connection", f"the connection failed ({why_none(error)}){through}"
        advice = f"Check the network and the {'proxy' if through else 'base URL'}"
        raise TransientError(reason, kind=kind, advice=advice, **about.fields()) from None
