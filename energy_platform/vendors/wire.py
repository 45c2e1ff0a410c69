"""What a call looks like on the wire: bodies, decoding, faults as our own errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypedDict, TypeVar
from urllib.parse import quote, urlencode

import httpx
import msgspec

from energy_platform.vendors.errors import ContractError, FaultKind, TransientError
from energy_platform.vendors.masking import mask

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


class About(NamedTuple):
    """What a call is about, for messages; and what must never be in one."""

    vendor: str
    endpoint: str
    day: str | None
    subject: str | None
    hidden: tuple[str, ...] = ()

    def hiding(self, *headers: str) -> About:
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
    """Quote an id for use as one segment of a path."""
    return quote(identifier, safe="")


def query_text(value: Param) -> str:
    """Write a query value the way the vendors read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def body_of(
    *, json: object | None, form: Mapping[str, str] | None, content: bytes | None
) -> tuple[dict[str, str], bytes | None]:
    """Return the headers and bytes of a request body."""
    if json is not None:
        return {"Content-Type": "application/json"}, msgspec.json.encode(json)
    if form is not None:
        kind = "application/x-www-form-urlencoded"
        return {"Content-Type": kind}, urlencode(form).encode()
    return {}, content


def decoded(decoder: Decoder[T], response: Response, *, about: About) -> T:
    """Decode an answer.

    Raises:
        ContractError: JSON of another shape than the decoder's type.
        TransientError: Not JSON at all: cut, or a page for people.
    """
    try:
        return decoder.decode(response.content)
    except msgspec.ValidationError as error:
        # msgspec names the place and the types, never the value.
        raise ContractError(
            f"the answer has another shape than documented: {error}",
            status=response.status,
            advice="The vendor may have changed its API; compare with its document",
            **about.fields(),
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


@contextmanager
def wire_faults(about: About) -> Iterator[None]:
    """Turn what httpx raises into our errors, without its texts that may name addresses."""
    kind: FaultKind
    try:
        yield
    except httpx.TimeoutException as error:
        kind = "connection" if isinstance(error, httpx.ConnectTimeout) else "timeout"
        reason = f"no complete answer in time ({type(error).__name__})"
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.DecodingError) as error:
        kind, reason = "body", f"the answer was cut off ({type(error).__name__})"
    except httpx.HTTPError as error:
        kind, reason = "connection", f"the connection failed ({type(error).__name__})"
    else:
        return
    raise TransientError(
        reason, kind=kind, advice="Check the network and the base URL", **about.fields()
    )
