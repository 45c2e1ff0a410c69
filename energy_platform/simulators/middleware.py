"""ASGI middleware of every simulator: counts requests and applies the general faults.

Pure ASGI. A fault of the identity server is written with ``identity_`` before its name, so that a
fault of the API does not also break the login.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from energy_platform.simulators.faults import GENERIC

if TYPE_CHECKING:
    from energy_platform.simulators.faults import Fault, Faults

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Requests = Counter[tuple[str, int]]
"""Answers by ``"METHOD endpoint"`` and status; status 0 stands for no complete answer."""

IDENTITY_PREFIX: Final = "identity_"

HTML_PAGE: Final = (
    b"<!DOCTYPE html><html><head><title>Maintenance</title></head>"
    b"<body><h1>We will be back soon</h1></body></html>"
)

_STATUSES: Final = tuple(sorted(name for name in GENERIC if name.startswith("http_")))


def identity_faults() -> frozenset[str]:
    """The general faults, as written for an identity server."""
    return frozenset(IDENTITY_PREFIX + name for name in GENERIC)


class FaultMiddleware:
    """ASGI application in front of another one.

    Args:
        app: The simulator behind it.
        faults: Which faults are on; asked at every request.
        requests: Counts are added here.
        endpoint: Names the endpoint of a path, without its ids.
        prefix: Put before the fault names (``identity_``).
        login_url: Where ``redirect`` sends the client.
    """

    def __init__(
        self,
        app: App,
        *,
        faults: Faults,
        requests: Requests,
        endpoint: Callable[[str], str],
        prefix: str = "",
        login_url: str = "/login",
    ) -> None:
        self._app = app
        self._faults = faults
        self._requests = requests
        self._endpoint = endpoint
        self._prefix = prefix
        self._login_url = login_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or let a fault serve it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = str(scope["method"])
        path = str(scope["path"]) + "?" + scope.get("query_string", b"").decode(errors="replace")
        counted = f"{method} {self._endpoint(str(scope['path']))}"
        if not self._faults.names():
            await self._counted(counted, scope, receive, send)
            return

        def should_fail(name: str) -> Fault | None:
            return self._faults.should_fail(self._prefix + name, path=path, method=method)

        if (slow := should_fail("slow")) is not None:
            await asyncio.sleep(slow.seconds)
        if should_fail("never"):
            self._requests[counted, 0] += 1
            await until_left(receive)
            return
        if should_fail("cut_connection"):
            self._requests[counted, 0] += 1
            await cut_connection(receive)
            return
        answer = self._instead(should_fail)
        if answer is not None:
            status, headers, body = answer
            self._requests[counted, status] += 1
            await reply(send, status=status, body=body, headers=headers)
        elif should_fail("cut_body"):
            self._requests[counted, 0] += 1
            await self._cut(scope, receive, send)
        else:
            await self._counted(counted, scope, receive, send)

    def _instead(
        self, should_fail: Callable[[str], Fault | None]
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
        """Status, headers and body of an answer that a fault gives in place of the simulator."""
        json = [(b"content-type", b"application/json")]
        html = [(b"content-type", b"text/html; charset=utf-8")]
        for name in _STATUSES:
            fault = should_fail(name)
            if fault is not None:
                status = int(name.removeprefix("http_"))
                phrase = HTTPStatus(status).phrase
                body = f'{{"statusCode":{status},"message":"{phrase}","error":"{phrase}"}}'
                return status, json + _retry_after(fault), body.encode()
        if should_fail("html"):
            return 200, html, HTML_PAGE
        if should_fail("redirect"):
            return 302, [(b"location", self._login_url.encode())], b""
        if should_fail("broken_json"):
            return 200, json, b'{"results":[{"uuid":'
        if should_fail("empty_body"):
            return 200, json, b""
        return None

    async def _counted(self, counted: str, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0

        async def counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                # Before it is sent: whoever got the answer finds it counted.
                self._requests[counted, status] += 1
            await send(message)

        try:
            await self._app(scope, receive, counting)
        finally:
            if status == 0:
                self._requests[counted, 0] += 1

    async def _cut(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Announce the whole body, send half of it, close the connection."""
        parts: list[bytes] = []
        start: Message = {}

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._app(scope, receive, keep)
        body = b"".join(parts)
        await send(start)
        # Returning with more_body still true makes the server close the connection.
        await send(
            {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        )


async def reply(
    send: Send, *, status: int, body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    """Send a whole answer with its length."""
    length = [] if status == HTTPStatus.NO_CONTENT else [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers + length})
    await send({"type": "http.response.body", "body": body})


async def until_left(receive: Receive) -> None:
    """Say nothing until the client gives up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def cut_connection(receive: Receive) -> None:
    """Cut the connection without a single byte of an answer."""
    # ASGI has no word for this: uvicorn's channels belong to an object that knows the socket.
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        msg = "this server does not let an application cut the connection"
        raise RuntimeError(msg)
    transport.abort()
    await until_left(receive)


def _retry_after(fault: Fault) -> list[tuple[bytes, bytes]]:
    if not fault.retry_after:
        return []
    if fault.retry_after == "date":
        value = format_datetime(datetime.now(tz=UTC) + timedelta(seconds=1), usegmt=True)
    else:
        value = fault.retry_after
    return [(b"retry-after", value.encode())]
