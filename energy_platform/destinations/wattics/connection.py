"""One keep-alive connection to one host, on httpcore, the network layer of httpx.

What a general client does for every request (merging addresses and headers, looking for
redirects, choosing from a pool) is done once here, header and body leave in one write, and another
thread may abort it.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import h11
import httpcore

from energy_platform.sources.http.connections import connection_pool

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import httpx

LONGEST_BODY: Final = 1024 * 1024
"""Bytes of an answer that are read; the rest is cut off."""

Fault = (
    httpcore.TimeoutException | httpcore.NetworkError | httpcore.ProtocolError | httpcore.ProxyError
)
"""Everything that keeps an answer from coming."""

FAULTS: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
)
"""The same, to catch."""

Header = tuple[bytes, bytes]


class HttpResponse(NamedTuple):
    """An answer as far as it came.

    Attributes:
        status: HTTP status.
        headers: Headers as they came.
        body: The body, or the begin of it.
        is_whole: Whether that is all of it.
    """

    status: int
    headers: list[Header]
    body: bytes
    is_whole: bool

    def header(self, name: bytes) -> str | None:
        """Return the first header of a lower-case name."""
        for key, value in self.headers:
            if key.lower() == name:
                return value.decode("latin-1")
        return None


class Timeouts(NamedTuple):
    """How long is waited, in seconds.

    Attributes:
        connect_s: For a connection and its handshake.
        answer_s: For a whole answer.
    """

    connect_s: float
    answer_s: float


class KeepAliveConnection:
    """One connection, opened when it is first needed and again when the server closed it.

    Used by one thread; only ``abort`` may come from another.

    Args:
        url: Where to; proxies of the environment are used for https.
        timeouts: How long is waited.
        ca_file: Authorities trusted besides the system's.
        may_send: Asked when a request leaves; one that may not ends as a fault of writing.

    Raises:
        SettingsError: The trust store or the proxy of the environment cannot be used.
    """

    def __init__(
        self,
        url: httpx.URL,
        *,
        timeouts: Timeouts,
        ca_file: Path | None = None,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        self._backend = _AbortableBackend(timeouts, may_send=may_send)
        self._scheme, self._host = url.raw_scheme, url.raw_host
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._origin = httpcore.Origin(self._scheme, self._host, self._port)
        self._extensions = {
            "timeout": {
                "connect": timeouts.connect_s,
                "read": timeouts.answer_s,
                "write": timeouts.answer_s,
                "pool": timeouts.connect_s,
            }
        }
        self._makes = connection_pool(url, ca_file=ca_file, backend=self._backend)
        self._connection: httpcore.ConnectionInterface | None = None

    def request(self, method: bytes, target: bytes, *, headers: list[Header]) -> httpcore.Request:
        """Return a request that may be sent many times, its headers checked once.

        Checking them for each packet took an eighth of a sender's processor time
        (``benchmarks.push``).

        Args:
            method: Such as ``POST``.
            target: Path and query.
            headers: All of them, the length of the body included.

        Raises:
            httpcore.LocalProtocolError: A header is none of HTTP.
        """
        url = httpcore.URL(scheme=self._scheme, host=self._host, port=self._port, target=target)
        request = httpcore.Request(method, url, headers=headers, extensions=self._extensions)
        try:
            checked = h11.Request(method=method, target=target, headers=headers).headers
        except h11.LocalProtocolError as error:
            raise httpcore.LocalProtocolError(str(error)) from error
        # What h11 has made itself it takes without a check.
        request.headers = checked  # type: ignore[assignment]
        return request

    def exchange(self, request: httpcore.Request, *, body: bytes = b"") -> HttpResponse:
        """Send once; a status that came stands, even when the body after it does not.

        Args:
            request: One of this connection's.
            body: As long as the request's headers say.

        Raises:
            httpcore.TimeoutException: No answer came in time.
            httpcore.NetworkError: There is no connection, or it was cut.
            httpcore.ProtocolError: What came is not HTTP.
            httpcore.ProxyError: The proxy refused.
        """
        request.stream = (body,)
        response = self._open().handle_request(request)
        chunks: list[bytes] = []
        length = 0
        is_whole = True
        try:
            for chunk in response.iter_stream():
                chunks.append(chunk)
                length += len(chunk)
                if length > LONGEST_BODY:
                    is_whole = False
                    break
        except FAULTS:
            is_whole = False
        finally:
            response.close()
        return HttpResponse(response.status, response.headers, b"".join(chunks), is_whole)

    def abort(self) -> None:
        """End the exchange under way and let no other begin; from any thread."""
        self._backend.abort()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> httpcore.ConnectionInterface:
        connection = self._connection
        if connection is not None and not connection.is_closed() and not connection.has_expired():
            return connection
        self.close()
        connection = self._connection = self._makes.create_connection(self._origin)
        return connection


class _AbortableBackend(httpcore.NetworkBackend):
    """Opens sockets, remembers the one in use, and can take it away."""

    def __init__(self, timeouts: Timeouts, *, may_send: Callable[[], bool]) -> None:
        self.timeouts = timeouts
        self.may_send = may_send
        self._sockets = httpcore.SyncBackend()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.is_aborted = False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        if self.is_aborted:
            raise httpcore.ConnectError("stopped")
        stream = self._sockets.connect_tcp(
            host, port, timeout=timeout, local_address=local_address, socket_options=socket_options
        )
        return _OneWriteStream(stream, backend=self)

    def remember(self, stream: httpcore.NetworkStream) -> None:
        """Remember the socket in use."""
        with self._lock:
            self._socket = stream.get_extra_info("socket")

    def abort(self) -> None:
        """Shut the socket in use; a thread that waits on it wakes up with an error."""
        with self._lock:
            self.is_aborted = True
            if self._socket is not None:
                with suppress(OSError):
                    # Not the TLS socket's own: it would take the session from the reading thread.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _OneWriteStream(httpcore.NetworkStream):
    """Holds what is written until an answer is waited for, so that a request is one write."""

    def __init__(self, stream: httpcore.NetworkStream, *, backend: _AbortableBackend) -> None:
        self._stream = stream
        self._backend = backend
        self._held = b""
        self._deadline = 0.0
        backend.remember(stream)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        self._held += buffer

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        now = time.monotonic()
        if self._held:
            held, self._held = self._held, b""
            if self._backend.is_aborted or not self._backend.may_send():
                raise httpcore.WriteError("stopped")
            self._deadline = now + self._backend.timeouts.answer_s
            # A server may answer, with a refusal, before it has read everything.
            with suppress(httpcore.WriteError):
                self._stream.write(held, self._backend.timeouts.answer_s)
        # An answer that trickles in must end, too.
        left_s = self._deadline - now
        if left_s <= 0:
            raise httpcore.ReadTimeout("the answer did not end")
        return self._stream.read(max_bytes, left_s)

    def close(self) -> None:
        self._held = b""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _OneWriteStream(
            self._stream.start_tls(ssl_context, server_hostname, timeout), backend=self._backend
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
