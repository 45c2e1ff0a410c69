"""Several ASGI applications on loopback ports, in one daemon thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Self

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.simulators.middleware import App

HOST = "127.0.0.1"
STOP_S = 5.0
"""How long a stop waits for requests that are still being answered."""


class LoopbackServers:
    """A server per application; a context manager that is ready when it is entered.

    Args:
        apps: Applications by name.
        ports: Port of each; 0 or missing takes a free one.

    Raises:
        OSError: On entering: a port is taken.
    """

    def __init__(self, apps: Mapping[str, App], *, ports: Mapping[str, int] | None = None) -> None:
        self._apps = apps
        self._wanted = ports or {}
        self._sockets: dict[str, socket.socket] = {}
        self._servers: list[uvicorn.Server] = []
        self._thread: threading.Thread | None = None

    def url(self, name: str) -> str:
        """Base URL of an application, without a final slash."""
        return f"http://{HOST}:{self.port(name)}"

    def port(self, name: str) -> int:
        """Port an application listens on."""
        return int(self._sockets[name].getsockname()[1])

    def __enter__(self) -> Self:
        try:
            for name in self._apps:
                self._sockets[name] = _listen(self._wanted.get(name, 0))
        except OSError:
            self._close_sockets()
            raise
        for app in self._apps.values():
            # Uvicorn's own complaints are about the faults we ask for: cut bodies and the like.
            config = uvicorn.Config(
                app,
                log_config=None,
                log_level="critical",
                access_log=False,
                lifespan="off",
                timeout_keep_alive=75,
                timeout_graceful_shutdown=1,
            )
            self._servers.append(uvicorn.Server(config))
        self._thread = threading.Thread(target=self._run, name="simulators", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.should_exit = True
        if self._thread is not None:
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                for server in self._servers:
                    server.force_exit = True
                self._thread.join(STOP_S)
        self._close_sockets()

    def _run(self) -> None:
        # Uvicorn's choice of loop, the fast one where it is installed.
        with asyncio.Runner(loop_factory=self._servers[0].config.get_loop_factory()) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        await asyncio.gather(
            *(
                server.serve(sockets=[self._sockets[name]])
                for name, server in zip(self._apps, self._servers, strict=True)
            )
        )

    def _close_sockets(self) -> None:
        for listening in self._sockets.values():
            listening.close()
        self._sockets.clear()
        self._servers.clear()


def _listen(port: int) -> socket.socket:
    """A listening socket: connections are queued from now on, whenever the loop starts."""
    # Named as TCP: the loop then sends small answers at once (TCP_NODELAY) instead of 40 ms late.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(512)
    except OSError as error:
        listening.close()
        msg = f"port {port} on {HOST} cannot be used: {error.strerror}; choose another or 0"
        raise OSError(error.errno, msg) from error
    return listening
