"""The ASGI application: one lean path from the request to the record.

Raw ASGI rather than a router, because a push benchmark sends thousands of packets a second through
one core that it shares with nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import defaultdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import msgspec

from energy_platform.simulators.base import Simulator
from energy_platform.simulators.middleware import FaultMiddleware
from energy_platform.simulators.wattics.exchange import Answer, Exchange, Header
from energy_platform.simulators.wattics.odd_answers import ODD_ANSWERS
from energy_platform.simulators.wattics.packets import Packet, PacketRefusedError, read_packet
from energy_platform.simulators.wattics.readback import JSON, last_packet
from energy_platform.simulators.wattics.record import WatticsRecord
from energy_platform.simulators.wattics.sessions import Sessions, Visit
from energy_platform.simulators.wattics.streams import (
    DEMO_CREDENTIAL,
    WatticsBehaviour,
    WatticsCredential,
    WatticsStream,
)
from energy_platform.simulators.world import Clock, real_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from starlette.requests import Request

    from energy_platform.simulators.faults import Faults
    from energy_platform.simulators.middleware import App, Receive, Scope, Send
    from energy_platform.simulators.wattics.events import ReceivedPacket
    from energy_platform.simulators.wattics.report import DeliveryReport

PUSH_PATH: Final = "/measurements/v2/unifiedjson/"
"""Push and read-back; the final slash belongs to it."""

LOGIN_PATH: Final = "/login"
"""Where a lost session is redirected to."""

UNAUTHORIZED_TEXT: Final = (
    "HTTP Status 401 - Full authentication is required to access this resource"
)
"""Heading of the 401 page, as documented."""

_ROUTES: Final = {
    PUSH_PATH: "unifiedjson",
    "/measurements/v2/unifiedjson_utc/": "unifiedjson_utc",
    "/measurements/v2/unifiedjson_partial/": "unifiedjson_partial",
}
LEAVING_S: Final = 0.01
"""How long the leaving of a client may be heard after its next request."""

NO_CONTENT: Final = 204
"""The success that cannot have a body."""

_STORED: Final = (
    "stored_cut",
    "stored_silence",
    "stored_503",
    *(f"stored_{name}" for name in ODD_ANSWERS),
)
FAULTS: Final = frozenset({"unauthorized", "cookie_expiry", *ODD_ANSWERS, *_STORED})
"""Faults beside the general ones.

``unauthorized`` is the documented 401 page for good credentials; ``cookie_expiry=N`` lets a session
live for N requests; an odd answer comes with 200 in place of what was asked for, and nothing is
stored; those that begin with ``stored_`` store a packet and then give the odd answer, cut the
connection without an answer, never answer, or answer 503.
"""

_CUT_SHORT: Final = "wattics.cut_short"
_HTML: Final[Header] = (b"content-type", b"text/html;charset=utf-8")
_CHALLENGE: Final[Header] = (b"www-authenticate", b'Basic realm="demo"')


def _unauthorized() -> Answer:
    page = (
        f"<!DOCTYPE html><html><head><title>Error report</title></head><body>"
        f"<h1>{UNAUTHORIZED_TEXT}</h1></body></html>"
    )
    return Answer(401, page.encode(), (_HTML, _CHALLENGE))


def _refused(status: int, reason: str) -> Answer:
    if status == HTTPStatus.UNAUTHORIZED:
        return _UNAUTHORIZED
    error = {"status": status, "error": HTTPStatus(status).phrase, "message": reason}
    return Answer(status, msgspec.json.encode(error), (JSON,))


_UNAUTHORIZED: Final = _unauthorized()
_LOGIN: Final = Answer(302, b"", ((b"location", LOGIN_PATH.encode()),))
_LOGIN_PAGE: Final = Answer(
    200,
    b"<!DOCTYPE html><html><body><form action='/login' method='post'></form></body></html>",
    (_HTML,),
)


class _StoringFaultMiddleware(FaultMiddleware):
    """Cuts the answer of a stored packet here, where it is known that it was stored."""

    async def _cut(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, _CUT_SHORT: True}, receive, send)


class WatticsSimulator(Simulator):
    """Wattics data collection as a local server.

    Args:
        streams: Registered streams.
        credentials: Basic credentials, each for one group of streams.
        faults: What goes wrong on the wire; may be changed while running.
        behaviour: Behaviour the document leaves open; may be replaced while running.
        clock: Current time; the real one by default.
        record: File that keeps what was received; ``None`` keeps memory only.

    Attributes:
        sessions: Cookies that were given.
    """

    name = "wattics"
    own_faults = FAULTS
    options = ("streams", "record")

    def __init__(
        self,
        *,
        streams: Iterable[WatticsStream] = (),
        credentials: Iterable[WatticsCredential] = (DEMO_CREDENTIAL,),
        faults: Faults | None = None,
        behaviour: WatticsBehaviour | None = None,
        clock: Clock = real_time,
        record: Path | None = None,
    ) -> None:
        super().__init__(faults=faults, clock=clock)
        self.behaviour = behaviour or WatticsBehaviour()
        self.credentials = tuple(credentials)
        self.sessions = Sessions()
        self._record = WatticsRecord(tuple(streams), path=record)
        self._by_basic = {c.basic().encode(): c for c in self.credentials}
        self._in_flight: defaultdict[str, list[Exchange]] = defaultdict(list)
        self.app = self.with_faults(
            self._serve, endpoint=lambda path: _ROUTES.get(path, "elsewhere")
        )

    def with_faults(self, app: App, *, endpoint: Callable[[str], str]) -> App:
        """Return the application behind faults that know whether a packet was stored."""
        return _StoringFaultMiddleware(
            app,
            faults=self.faults,
            requests=self.requests,
            endpoint=endpoint,
            login_url=LOGIN_PATH,
        )

    def environment(self, url: Callable[[str], str]) -> dict[str, str]:
        """Return the variables that point the platform at it."""
        return {
            "WATTICS_BASE_URL": url("wattics") + PUSH_PATH,
            "WATTICS_USERNAME": self.credentials[0].username,
            "WATTICS_PASSWORD": self.credentials[0].password,
        }

    def control_reads(self) -> Mapping[str, Callable[[Request], Any]]:
        """Return the report, and the packets of a stream."""
        return {
            "/delivery-report": lambda _: self.delivery_report(),
            "/packets/{stream:path}": lambda r: self.packets(r.path_params["stream"]),
        }

    @property
    def streams(self) -> tuple[WatticsStream, ...]:
        """Registered streams."""
        return self._record.streams

    def register(self, stream: WatticsStream) -> None:
        """Register a stream while running."""
        self._record.register(stream)

    def packets(self, stream: str) -> tuple[ReceivedPacket, ...]:
        """Stored packets of a stream in order of arrival.

        Raises:
            KeyError: The stream is not registered.
        """
        return self._record.packets(stream)

    def packets_per_interval(self, stream: str) -> dict[datetime, int]:
        """Stored instants per agreed interval, by the interval's start; empty ones are absent.

        Raises:
            KeyError: The stream is not registered.
        """
        return self._record.packets_per_interval(stream)

    def delivery_report(self) -> DeliveryReport:
        """The verdict on everything received so far."""
        return self._record.delivery_report()

    @property
    def record(self) -> WatticsRecord:
        """All that was received, refusals included."""
        return self._record

    def close(self) -> None:
        """Close the record file."""
        self._record.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"this simulator speaks HTTP, not {scope['type']}")
        basic = cookie = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                basic = value
            elif name == b"cookie":
                cookie = value
        credential = self._credential(basic)
        expiry = self.faults.active("cookie_expiry")
        self.sessions.expire_after = None if expiry is None else int(expiry.amount or 1)
        visit = self.sessions.visit(
            cookie,
            credential="" if credential is None else credential.username,
            client=scope.get("client"),
            scope=self.behaviour.cookie_scope,
        )
        method, path = scope["method"], scope["path"]
        route = self._route(path)
        exchange = Exchange(
            receive, send, set_cookie=visit.set_cookie, cut_short=_CUT_SHORT in scope
        )
        refused = self._turned_away(
            visit, credential=credential, route=route, path=path, method=method
        )
        if refused is not None or credential is None or route is None:
            await exchange.answer(refused or _UNAUTHORIZED)
        elif method == "POST":
            await self._push(exchange, credential=credential, route=route)
        elif method == "GET":
            await exchange.answer(self._read_back(scope["query_string"], credential))
        else:
            await exchange.answer(Answer(405, b"", ((b"allow", b"GET, POST"),)))

    def _credential(self, basic: bytes | None) -> WatticsCredential | None:
        if basic is None or basic[:6].lower() != b"basic ":
            return None
        token = basic[6:].strip()
        known = self._by_basic.get(token)
        if known is not None:
            return known
        try:  # other spellings of the same credential, such as without padding
            plain = base64.b64decode(token + b"=" * (-len(token) % 4), validate=True)
        except (binascii.Error, ValueError):
            return None
        return self._by_basic.get(base64.b64encode(plain))

    def _route(self, path: str) -> str | None:
        route = _ROUTES.get(path)
        if route == "unifiedjson_utc" and not self.behaviour.utc_route:
            return None
        if route == "unifiedjson_partial" and not self.behaviour.partial_route:
            return None
        return route

    def _turned_away(
        self,
        visit: Visit,
        *,
        credential: WatticsCredential | None,
        route: str | None,
        path: str,
        method: str,
    ) -> Answer | None:
        """What stands between a request and the collector: sessions, credentials, the URL."""
        user = "" if credential is None else credential.username
        if visit.set_cookie is not None:
            self._record.note("session", credential=user)
        if path == LOGIN_PATH:
            return _LOGIN_PAGE
        if credential is None:
            self._record.note("unauthorized")
            return _UNAUTHORIZED
        if self.faults.should_fail("unauthorized"):
            return _UNAUTHORIZED
        if visit.arrival == "missing":
            self._record.note("without_cookie", credential=user)
            if self.behaviour.strict_cookies:
                return _UNAUTHORIZED
        elif visit.arrival == "foreign":
            self._record.note("foreign_cookie", credential=user)
        elif visit.arrival == "expired" and self.behaviour.expired_session != "renew":
            return _LOGIN if self.behaviour.expired_session == "login" else _UNAUTHORIZED
        if route is None:
            return _refused(404, f"no such route: {path}")
        return self._odd_answer(method)

    def _odd_answer(self, method: str) -> Answer | None:
        """What a login, a proxy or a broken server says with status 200 before Wattics hears."""
        return next(
            (
                ODD_ANSWERS[name]
                for name in self.faults.names()
                if name in ODD_ANSWERS and self.faults.should_fail(name, method=method)
            ),
            None,
        )

    async def _push(self, exchange: Exchange, *, credential: WatticsCredential, route: str) -> None:
        body = await exchange.body()
        if body is None:
            return
        received_at = self.clock().timestamp()
        try:
            packet = read_packet(body, behaviour=self.behaviour)
            self._agreed(packet, credential=credential)
        except PacketRefusedError as error:
            self._record.refuse(
                stream=error.stream,
                status=error.status,
                reason=str(error),
                body=body,
                received_at=received_at,
            )
            await exchange.answer(_refused(error.status, str(error)))
            return
        stream_id = packet.stream
        others = tuple(self._in_flight[stream_id])
        self._in_flight[stream_id].append(exchange)
        try:
            if others:
                # A client that gave up and came again may be heard before its leaving is.
                await asyncio.sleep(LEAVING_S)
            received = self._record.receive(
                packet,
                body=body,
                received_at=received_at,
                route=route,
                behaviour=self.behaviour,
                overlapping=any(not other.left for other in others),
            )
            await self._finish(exchange, received)
        finally:
            self._in_flight[stream_id].remove(exchange)

    async def _finish(self, exchange: Exchange, received: ReceivedPacket) -> None:
        """Answer a packet that is on record, or fail to."""
        fault = self._fault_after_storing(exchange)
        if fault is not None:
            self._record.unanswered(received)
        # Always yields, so that a request already waiting is seen to overlap.
        if not await exchange.pause(self.behaviour.latency_s):
            if fault is None:
                self._record.unanswered(received)
        elif fault == "stored_cut":
            await exchange.cut()
        elif fault == "stored_silence":
            await exchange.until_left()
        elif fault == "stored_503":
            await exchange.answer(_refused(503, "stored, but the answer says otherwise"))
        elif fault is not None:
            await exchange.answer(ODD_ANSWERS[fault.removeprefix("stored_")])
        else:
            await exchange.answer(self._stored(received))

    def _fault_after_storing(self, exchange: Exchange) -> str | None:
        if exchange.cut_short:
            return "stored_cut"
        return next((name for name in _STORED if self.faults.should_fail(name)), None)

    def _agreed(self, packet: Packet, *, credential: WatticsCredential) -> None:
        """Refuse what was not registered for this credential.

        Raises:
            PacketRefusedError: Unknown id, another group's stream, or the wrong kind.
        """
        stream = self._record.stream(packet.stream)
        if stream is None or stream.group != credential.group:
            raise PacketRefusedError(
                f"stream {packet.stream[:80]!r} is not registered", status=self.behaviour.unknown_id
            )
        if self.behaviour.wrong_kind == "refuse" and packet.kind != stream.kind:
            raise PacketRefusedError(
                f"stream {stream.id} is of kind {stream.kind}, not {packet.kind}", stream=stream.id
            )

    def _stored(self, received: ReceivedPacket) -> Answer:
        if received.outcome == "conflict":
            return _refused(409, "older than or equal to what is stored")
        behaviour = self.behaviour
        body = b"" if behaviour.success == NO_CONTENT else behaviour.success_body.encode()
        return Answer(behaviour.success, body, (JSON,) if body else ())

    def _read_back(self, query: bytes, credential: WatticsCredential) -> Answer:
        wanted = parse_qs(query.decode(errors="replace"), keep_blank_values=True).get("stream")
        if not wanted:
            return _refused(400, "the parameter stream is missing")
        stream = self._record.stream(wanted[0])
        if stream is None or stream.group != credential.group:
            return _refused(
                self.behaviour.unknown_id, f"stream {wanted[0][:80]!r} is not registered"
            )
        return last_packet(self._record.last(stream.id), stream=stream, behaviour=self.behaviour)
