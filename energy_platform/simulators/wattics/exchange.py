"""One request and its answer on the wire, including the ways it may go wrong."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from starlette.types import Receive, Send

Header = tuple[bytes, bytes]


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = ()


class Exchange:
    """The two ASGI channels of one request.

    Attributes:
        cut_short: Whether it ends without an answer.
        left: Whether its client gave up before the answer.
    """

    __slots__ = ("_receive", "_send", "_set_cookie", "cut_short", "left")

    def __init__(
        self, receive: Receive, send: Send, *, set_cookie: bytes | None, cut_short: bool
    ) -> None:
        self._receive = receive
        self._send = send
        self._set_cookie = set_cookie
        self.cut_short = cut_short
        self.left = False

    async def body(self) -> bytes | None:
        """Return the request body, or ``None`` when the client left before its end."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            return bytes(message.get("body", b""))
        parts = bytearray()
        while message["type"] == "http.request":
            parts += message.get("body", b"")
            if not message.get("more_body"):
                return bytes(parts)
            message = await self._receive()
        return None

    async def answer(self, answer: Answer) -> None:
        """Send an answer with its length and, when one is due, the session cookie."""
        if self.cut_short:
            await self.cut()
            return
        headers = list(answer.headers)
        if answer.status != HTTPStatus.NO_CONTENT:
            headers.append((b"content-length", b"%d" % len(answer.body)))
        if self._set_cookie is not None:
            headers.append((b"set-cookie", self._set_cookie))
        await self._send(
            {"type": "http.response.start", "status": answer.status, "headers": headers}
        )
        await self._send({"type": "http.response.body", "body": answer.body})

    async def pause(self, seconds: float) -> bool:
        """Wait, yielding once at least; tell whether the client is still there."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return True
        try:
            await asyncio.wait_for(self.until_left(), timeout=seconds)
        except TimeoutError:
            return True
        return False

    async def until_left(self) -> None:
        """Say nothing until the client gives up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True

    async def cut(self) -> None:
        """Cut the connection without a single byte of an answer."""
        # ASGI has no word for this: uvicorn's channels belong to an object that knows the socket.
        transport = getattr(getattr(self._receive, "__self__", None), "transport", None)
        if transport is None:
            # Another server: begin an answer and never end it, which closes the connection.
            head = {"type": "http.response.start", "status": 200}
            await self._send({**head, "headers": [(b"content-length", b"1")]})
            return
        transport.abort()
        await self.until_left()
