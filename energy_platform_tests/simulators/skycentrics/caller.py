"""Signs requests as the vendor's collection does, written out step by step from its recipe."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from energy_platform_tests.simulators.switchboard import switchboard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from energy_platform.simulators.skycentrics import SkycentricsSimulator

DEVICE = "1000000001"
DATA = f"/api/devices/{DEVICE}/data"
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


def token(
    request_line: str,
    *,
    date: str = DATE,
    content_type: str = "",
    body: bytes = b"",
    client: str = "demo-client",
    secret: str = "demo-secret",  # noqa: S107 - invented
) -> str:
    text = "\n".join(
        (request_line, date, content_type, hashlib.md5(body, usedforsecurity=False).hexdigest())
    )
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    return f"{client}:{base64.b64encode(mac).decode()}"


class Reply(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """One connection to the simulator."""

    def __init__(self, port: int) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def raw(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Reply:
        self.connection.request(method, target, body, dict(headers))
        answer = self.connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, answer.read(), found)

    def get(self, target: str, *, accept: str = "application/json", date: str = DATE) -> Reply:
        headers = {"Date": date, "Accept": accept}
        headers["x-sc-api-token"] = token(f"GET {target} HTTP/1.1", date=date)
        return self.raw("GET", target, headers)

    def sensors(self, target: str = DATA) -> dict[str, dict[str, Any]]:
        reply = self.get(target)
        assert reply.status == 200, reply
        return {sensor["id"]: sensor for sensor in reply.json["sensors"]}


@contextmanager
def calling(simulator: SkycentricsSimulator) -> Iterator[Caller]:
    with switchboard().serving(simulator.app) as port, Caller(port) as caller:
        yield caller
