"""A destination outside the package: a small HTTP server that appends JSON lines to a file.

It shows how little a destination needs. Each packet is one line; the server gives the newest line
of a stream to who asks.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import httpx
from pydantic import model_validator
from pydantic_settings import SettingsConfigDict

from energy_platform.destinations import other_destinations
from energy_platform.destinations.base import Answer, Destination, FieldSpec, LastPacket
from energy_platform.portfolio import Stream
from energy_platform.settings import DestinationSettings
from energy_platform.sources.http.errors import AuthenticationError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pytest


class JsonLinesSettings(DestinationSettings):
    """Variables ``JSON_LINES_*``."""

    model_config = SettingsConfigDict(env_prefix="JSON_LINES_")
    destination: ClassVar[str] = "json_lines"


class JsonLinesStream(Stream):
    """A stream of any numbers by any names."""

    destination: Literal["json_lines"]

    @model_validator(mode="after")
    def _has_a_unit(self) -> Self:
        if self.unit is None:
            raise ValueError("json_lines needs the unit of its numbers")
        return self


def fields_of(stream: JsonLinesStream) -> list[FieldSpec]:
    """Return the fields by name."""
    return [FieldSpec(name, stream.unit, "by_reading") for name in sorted(stream.fields)]


def encode(stream: Stream, at: datetime, fields: Sequence[tuple[str, str]]) -> bytes:
    """Return one line."""
    said = {"stream": stream.id, "at": at.isoformat()} | {n: float(t) for n, t in fields}
    return json.dumps(said).encode() + b"\n"


class JsonLinesConnection:
    """One connection to the server."""

    def __init__(
        self, settings: JsonLinesSettings, credential: str, may_send: Callable[[], bool]
    ) -> None:
        known = settings.all_credentials()[credential]
        self._client = httpx.Client(
            base_url=settings.required_url(),
            auth=(known.username, known.password.get_secret_value()),
            timeout=settings.read_timeout_s,
        )
        self._may_send = may_send

    def push(self, body: bytes) -> Answer:
        """Append one line."""
        if not self._may_send():
            return Answer("transient", None, None, "stopped", "", in_doubt=False)
        try:
            status = self._client.post("", content=body).status_code
        except httpx.HTTPError as error:
            return Answer("transient", None, None, type(error).__name__, "", in_doubt=True)
        if status == httpx.codes.OK:
            return Answer("stored", status, None, "appended", "", in_doubt=False)
        if status == httpx.codes.UNAUTHORIZED:
            return Answer("authentication", status, None, "who are you", "", in_doubt=False)
        return Answer("refused", status, None, "not a line", "", in_doubt=False)

    def last_packet(self, stream_id: str) -> LastPacket | None:
        """Ask for the newest line of a stream."""
        try:
            answer = self._client.get("", params={"stream": stream_id})
        except httpx.HTTPError as error:
            raise TransientError(
                type(error).__name__, kind="connection", vendor="json_lines", endpoint="newest"
            ) from error
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise AuthenticationError("who are you", vendor="json_lines", endpoint="newest")
        line = answer.json()
        if line is None:
            return None
        numbers = {k: v for k, v in line.items() if k not in {"stream", "at"}}
        return LastPacket(stream_id, datetime.fromisoformat(line["at"]), numbers)

    def close(self) -> None:
        """Close it."""
        self._client.close()

    def abort(self) -> None:
        """Close it from another thread."""
        self._client.close()


DESTINATION = Destination(
    name="json_lines",
    title="the line server",
    settings=JsonLinesSettings,
    stream_model=JsonLinesStream,
    fields=fields_of,
    encode=encode,
    connect=JsonLinesConnection,
    reads_back=True,
    is_repeatable=False,
)


class LineServer(ThreadingHTTPServer):
    """Appends what is posted to a file.

    Attributes:
        die_after: Lines after which it appends once more and hangs up without an answer.
        delay_s: How long it takes to answer a line.
        password: What it accepts.
    """

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.path = path
        self.lock = threading.Lock()
        self.die_after: int | None = None
        self.delay_s = 0.0
        self.password = "p"
        path.touch()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def lines(self) -> list[dict[str, Any]]:
        """Return what it holds, oldest first."""
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def of(self, stream_id: str) -> list[dict[str, Any]]:
        """Return what it holds of one stream."""
        return [line for line in self.lines() if line["stream"] == stream_id]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LineServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _is_known(self) -> bool:
        expected = httpx.BasicAuth("u", self.server.password)
        request = next(expected.auth_flow(httpx.Request("GET", "http://x/")))
        if self.headers["Authorization"] == request.headers["Authorization"]:
            return True
        self._answer(401, b"")
        return False

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Append a line."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._is_known():
            return
        with self.server.lock, self.server.path.open("ab") as file:
            file.write(body)
            held = len(self.server.lines())
        if self.server.delay_s:
            threading.Event().wait(self.server.delay_s)
        if self.server.die_after is not None and held > self.server.die_after:
            self.close_connection = True
            self.connection.close()
            return
        self._answer(200, b"")

    def do_GET(self) -> None:
        """Return the newest line of a stream, or null."""
        if self._is_known():
            held = self.server.of(httpx.URL(f"http://x{self.path}").params["stream"])
            self._answer(200, json.dumps(held[-1] if held else None).encode())


@contextmanager
def line_server(path: Path) -> Iterator[LineServer]:
    """Run a server for a while."""
    with LineServer(path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def installed_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this installed in a folder for a while, in this process."""
    install(folder)
    monkeypatch.setattr("energy_platform.destinations.base._registered", {})
    monkeypatch.syspath_prepend(str(folder))
    other_destinations.cache_clear()
    try:
        yield
    finally:
        other_destinations.cache_clear()


def install(folder: Path) -> None:
    """Make a folder that, on the path, is an installed package whose entry point names this."""
    info = folder / "json_lines-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: json-lines\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[energy_platform.destinations]\njson_lines = {__name__}:DESTINATION\n"
    )
