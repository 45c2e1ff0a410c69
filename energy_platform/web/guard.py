"""The ASGI application around Dagster's: refuses what must not reach it, and says its health."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import httpx
from starlette.responses import PlainTextResponse

from energy_platform.web.health import PATH, QUERY, Health, judge
from energy_platform.web.hosts import refusal

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

ANSWER_S: Final = 15.0
"""Seconds in which Dagster's web server says what it knows of daemon and code location."""

KEPT_S: Final = 5.0
"""Seconds for which a verdict is kept: whoever asks more often costs nothing."""

_LOGGER: Final = logging.getLogger("energy_platform.web")


class Guard:
    """Stands before the web server; every request and WebSocket passes it.

    Args:
        app: Dagster's web server.
        hosts: Names by which it may be called, besides those of loopback.
        prefix: Path that all its addresses begin with; empty, or such as ``/energy``.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], prefix: str = "") -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._prefix = prefix
        self._asking = asyncio.Lock()
        self._verdict: tuple[float, Health] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request here, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = [
            (name.decode("latin-1"), one.decode("latin-1")) for name, one in scope["headers"]
        ]
        reads = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
        is_page = reads and not scope["path"].rstrip("/").endswith("/graphql")
        if why := refusal(headers, allowed=self._hosts, is_page=is_page):
            _LOGGER.warning("refused: %s", why)
            await self._refuse(why, scope, receive, send)
        elif reads and scope["path"] == self._prefix + PATH:
            found = await self._health()
            status = 200 if found.is_healthy else 503
            answer = PlainTextResponse(f"{found.line}\n", status, {"Cache-Control": "no-store"})
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _refuse(self, why: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # Before it is accepted: the server answers the handshake with 403.
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": why[:120]})
            return
        await PlainTextResponse(f"{why}\n", 403)(scope, receive, send)

    async def _health(self) -> Health:
        async with self._asking:
            kept = self._verdict
            if kept is None or time.monotonic() - kept[0] > KEPT_S:
                kept = self._verdict = (time.monotonic(), await self._ask())
            return kept[1]

    async def _ask(self) -> Health:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        try:
            async with (
                asyncio.timeout(ANSWER_S),
                httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
            ):
                said = await client.post(f"{self._prefix}/graphql", json={"query": QUERY})
            return judge(said.json(), now=datetime.now(tz=UTC))
        except TimeoutError:
            return Health(False, f"Dagster did not answer within {ANSWER_S:.0f} seconds")
        except (httpx.HTTPError, ValueError):
            return Health(False, "Dagster answered with something else than JSON")
