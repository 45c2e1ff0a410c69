"""Connections to a host, made alike for every client: trust store, proxy, one deadline.

httpx bounds each read on its own, so a host that drips a byte a second is waited for without end.
Here what is left of an exchange's time bounds each step: connecting (every address of the host, the
proxy, the handshake), sending, headers, body.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
from socksio.exceptions import SOCKSError

from energy_platform.sources.http.proxies import proxy_for
from energy_platform.sources.http.tls import ssl_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


def connection_pool(
    url: httpx.URL,
    *,
    ca_file: Path | None,
    backend: httpcore.NetworkBackend,
    max_connections: int = 10,
    keepalive_s: float | None = None,
) -> httpcore.ConnectionPool:
    """Return what makes the connections to a host, straight ones or through the proxy.

    Args:
        url: Where to.
        ca_file: Authorities trusted besides the system's.
        backend: Opens the sockets.
        max_connections: Connections at the same time, and kept alive.
        keepalive_s: How long an idle one is kept; None until the server closes it.

    Raises:
        SettingsError: The trust store or the proxy of the environment cannot be used.
    """
    # Plain http, on loopback only, needs no trust store.
    trust = ssl_context(ca_file) if url.scheme == "https" else None
    proxy = proxy_for(url)
    if proxy is None:
        return httpcore.ConnectionPool(
            ssl_context=trust,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=keepalive_s,
            network_backend=backend,
        )
    address = httpcore.URL(
        scheme=proxy.url.raw_scheme,
        host=proxy.url.raw_host,
        port=proxy.url.port,
        target=proxy.url.raw_path,
    )
    if proxy.url.scheme.startswith("socks5"):
        return _SocksProxy(
            # httpcore lets the proxy resolve names for both kinds, which firewalls want anyway.
            proxy_url=address,
            proxy_auth=proxy.raw_auth,
            ssl_context=trust,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=keepalive_s,
            network_backend=backend,
        )
    return httpcore.HTTPProxy(
        proxy_url=address,
        proxy_auth=proxy.raw_auth,
        proxy_headers=proxy.headers.raw,
        ssl_context=trust,
        proxy_ssl_context=trust if proxy.url.scheme == "https" else None,
        max_connections=max_connections,
        max_keepalive_connections=max_connections,
        keepalive_expiry=keepalive_s,
        network_backend=backend,
    )


class _SocksProxy(httpcore.SOCKSProxy):
    """Names a proxy that does not speak SOCKS like any other fault of a proxy."""

    def create_connection(self, origin: httpcore.Origin) -> httpcore.ConnectionInterface:
        connection = super().create_connection(origin)
        handle = connection.handle_request

        def handle_request(request: httpcore.Request) -> httpcore.Response:
            try:
                return handle(request)
            except SOCKSError as error:
                raise httpcore.ProxyError("not a SOCKS5 answer") from error

        connection.handle_request = handle_request  # type: ignore[method-assign]
        return connection


class PooledTransport(httpx.HTTPTransport):
    """httpx's transport over a pool made here, not from arguments and the environment."""

    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        # Not the parent's constructor: all it does is to make another pool.
        self._pool = pool


class DeadlineBackend(httpcore.NetworkBackend):
    """Opens sockets of which no step outlasts the exchange of the thread that takes it.

    Args:
        monotonic: The clock.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._sockets = httpcore.SyncBackend()
        self._monotonic = monotonic
        self._local = threading.local()

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Let everything this thread does meanwhile end after so many seconds."""
        self._local.until = self._monotonic() + seconds
        try:
            yield
        finally:
            del self._local.until

    def left(self, timeout: float | None, error: type[Exception]) -> float | None:
        """Return the seconds a step may take.

        Args:
            timeout: What it might take by itself.
            error: Raised when no time is left.
        """
        until: float | None = getattr(self._local, "until", None)
        if until is None:
            return timeout
        left = until - self._monotonic()
        if left <= 0:
            raise error("the exchange did not end in time")
        return left if timeout is None else min(left, timeout)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a host that answers, all of them within the time."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        fault: Exception = httpcore.ConnectError(f"{host} has no address")
        for *_, address in found:
            seconds = self.left(timeout, httpcore.ConnectTimeout)
            try:
                stream = self._sockets.connect_tcp(
                    str(address[0]),
                    port,
                    timeout=seconds,
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
            else:
                return _DeadlineStream(stream, backend=self)
        raise fault


class _DeadlineStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, *, backend: DeadlineBackend) -> None:
        self._stream = stream
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._backend.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._backend.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        seconds = self._backend.left(timeout, httpcore.ConnectTimeout)
        secured = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return _DeadlineStream(secured, backend=self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
