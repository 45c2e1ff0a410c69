"""Hosts with certificates of every kind, and proxies, on loopback; for tests of the connections."""

from __future__ import annotations

import base64
import ipaddress
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOST = "vendor.test"
"""A host that no resolver knows: only a proxy can reach it."""

_NOW = datetime.now(tz=UTC)
_BODY = b'{"ok":true}'


class Identity(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def files(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write both as PEM and return their paths."""
        pem = folder / f"{name}.pem"
        key = folder / f"{name}.key"
        pem.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return pem, key


def identity(
    name: str,
    *,
    issuer: Identity | None = None,
    hosts: tuple[str, ...] = ("127.0.0.1", HOST),
    expired: bool = False,
    is_authority: bool = False,
) -> Identity:
    """Make a certificate, self-signed without an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    until = _NOW - timedelta(days=1) if expired else _NOW + timedelta(days=10)
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOW - timedelta(days=20))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    signer = issuer.key if issuer else key
    return Identity(builder.sign(signer, hashes.SHA256()), key)


class Listener:
    """A socket on loopback, each connection in a thread of its own; remembers what it was told."""

    def __init__(self, serve: Callable[[socket.socket, Listener], None], *, port: int = 0) -> None:
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port = self._listening.getsockname()[1]
        self.told: list[str] = []
        self.connections = 0
        self.over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[Listener]:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stop()
            thread.join(5)

    def stop(self) -> None:
        """Listen no longer."""
        self.over.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            self._serve(connection, self)


def request_of(connection: socket.socket) -> bytes:
    """Read a request without looking into it: its head, and whatever came with it."""
    said = b""
    while b"\r\n\r\n" not in said:
        more = connection.recv(65536)
        if not more:
            break
        said += more
    return said


def host_with(files: tuple[Path, Path], *, body: bytes = _BODY, old: bool = False) -> Listener:
    """Return an https host that answers everything alike."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    if old:
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"

    def serve(connection: socket.socket, listener: Listener) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            while said := request_of(secured):
                listener.told.append(said.split(b"\r\n")[0].decode())
                secured.sendall(head % len(body) + body)

    return Listener(serve)


def connect_proxy(target: Callable[[], int], *, user: str = "", status: str = "") -> Listener:
    """Return an HTTP proxy that tunnels every host to one port of this machine."""

    def serve(connection: socket.socket, listener: Listener) -> None:
        if status:
            # What speaks another protocol never ends its request.
            connection.settimeout(1)
        head = request_of(connection).decode("latin-1")
        listener.told.append(head.split("\r\n")[0])
        wanted = base64.b64encode(user.encode()).decode()
        if status:
            connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        elif user and f"Basic {wanted}" not in head:
            connection.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
            )
        else:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _join(connection, target())

    return Listener(serve)


def socks_proxy(target: Callable[[], int], *, reply: int = 0) -> Listener:
    """Return a SOCKS5 proxy (RFC 1928) without a password that tunnels every host to one port."""

    def serve(connection: socket.socket, listener: Listener) -> None:
        methods = _exactly(connection, 2)[1]
        _exactly(connection, methods)
        connection.sendall(b"\x05\x00")
        kind = _exactly(connection, 4)[3]
        if kind == 3:
            name = _exactly(connection, _exactly(connection, 1)[0]).decode()
        else:
            name = str(ipaddress.ip_address(_exactly(connection, 4 if kind == 1 else 16)))
        port = int.from_bytes(_exactly(connection, 2), "big")
        listener.told.append(f"{name}:{port}")
        connection.sendall(bytes((5, reply, 0, 1, 0, 0, 0, 0, 0, 0)))
        if not reply:
            _join(connection, target())

    return Listener(serve)


def _exactly(connection: socket.socket, count: int) -> bytes:
    said = b""
    while len(said) < count:
        more = connection.recv(count - len(said))
        if not more:
            raise OSError("closed")
        said += more
    return said


def _join(one: socket.socket, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as other:
        back = threading.Thread(target=_copy, args=(other, one), daemon=True)
        back.start()
        _copy(one, other)
        back.join(10)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while said := source.recv(65536):
            target.sendall(said)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
