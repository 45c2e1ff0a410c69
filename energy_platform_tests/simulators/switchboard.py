"""One real server for all tests of a process: starting and stopping one each costs 0.2 s."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from energy_platform.simulators.serving import LoopbackServers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send


class Switchboard:
    """Forwards to the application of the test that is running."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._servers = LoopbackServers({"app": self}).__enter__()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None, "a request outside of any test"
        await self._app(scope, receive, send)

    @contextmanager
    def serving(self, app: ASGIApp) -> Iterator[int]:
        self._app = app
        try:
            yield self._servers.port("app")
        finally:
            self._app = None


@cache
def switchboard() -> Switchboard:
    return Switchboard()
