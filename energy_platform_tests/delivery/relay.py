"""A relay between a host and its database, which can be cut like a cable."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Relay(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, target: tuple[str, int], cut: threading.Event) -> None:
        self.target = target
        self.cut = cut
        super().__init__(("127.0.0.1", 0), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Relay)
        cut = self.server.cut
        if cut.is_set():
            return
        with socket.create_connection(self.server.target) as far:
            back = threading.Thread(target=_pump, args=(far, self.request, cut), daemon=True)
            back.start()
            _pump(self.request, far, cut)
            back.join()


def _pump(source: socket.socket, sink: socket.socket, cut: threading.Event) -> None:
    source.settimeout(0.05)
    with suppress(OSError):
        while not cut.is_set():
            with suppress(TimeoutError):
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(url: str) -> Iterator[tuple[str, threading.Event]]:
    """Stand before a database; yields its URL through the relay, and what cuts every connection."""
    target = sa.make_url(url)
    cut = threading.Event()
    with _Relay((target.host or "", target.port or 0), cut) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            port = int(server.server_address[1])
            yield target.set(port=port).render_as_string(hide_password=False), cut
        finally:
            cut.set()
            server.shutdown()
