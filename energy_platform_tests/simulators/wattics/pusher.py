"""A sender over real HTTP whose every header the test decides."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from energy_platform.simulators.wattics import (
    DEMO_CREDENTIAL,
    PUSH_PATH,
    WatticsCredential,
    WatticsSimulator,
    WatticsStream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
from energy_platform_tests.simulators.switchboard import switchboard

METER = WatticsStream(id="meter-1", interval_s=900, timezone="Europe/Paris")
GAS = WatticsStream(
    id="gas-1", kind="value", interval_s=900, reading="per_interval", unit="m3", timezone="UTC"
)
NOON = datetime(2026, 1, 15, 12, 0, tzinfo=timezone(timedelta(hours=1)))


class Reply(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]


class Pusher:
    """One connection; keeps its cookie unless told otherwise."""

    def __init__(
        self,
        port: int,
        *,
        credential: WatticsCredential | None = DEMO_CREDENTIAL,
        cookies: bool = True,
        timeout: float = 5.0,
    ) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.credential = credential
        self.cookies = cookies
        self.cookie: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Reply:
        sent = dict(headers)
        if self.credential is not None:
            sent.setdefault("Authorization", f"Basic {self.credential.basic()}")
        if self.cookies and self.cookie is not None:
            sent["Cookie"] = self.cookie
        self.connection.request(method, path, body, sent)
        answer = self.connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        if "set-cookie" in found:
            self.cookie = found["set-cookie"].split(";")[0]
        return Reply(answer.status, answer.read(), found)

    def push(self, body: bytes | Mapping[str, Any], *, path: str = PUSH_PATH) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", path, raw, {"Content-Type": "application/json"})

    def last(self, stream: str) -> Reply:
        return self.request("GET", f"{PUSH_PATH}?stream={stream}")


@contextmanager
def serving(simulator: WatticsSimulator) -> Iterator[int]:
    with switchboard().serving(simulator.app) as port:
        yield port


def meter(minutes: float = 0, *, pc: float = 1000, stream: str = METER.id) -> dict[str, Any]:
    """An electricity packet, ``minutes`` after noon in Paris."""
    return {"id": stream, "tsISO8601": stamp(minutes), "aP_1": 1800.5, "pC_1": pc}


def gas(minutes: float = 0, *, value: float = 1.5) -> dict[str, Any]:
    at = (NOON + timedelta(minutes=minutes)).astimezone(UTC)
    return {"id": GAS.id, "tsISO8601": at.isoformat(timespec="milliseconds"), "value": value}


def stamp(minutes: float = 0) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")
