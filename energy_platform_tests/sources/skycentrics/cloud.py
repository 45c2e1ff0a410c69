"""A small SkyCentrics cloud on loopback that verifies signatures from the raw request."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from energy_platform.sources.http.rate_limit import Clock
from energy_platform.sources.skycentrics import SkycentricsClient
from energy_platform.sources.skycentrics.settings import SkycentricsSettings
from energy_platform_tests.sources.http.loopback import Loopback, Reply, Seen, reply_json

DATA: Final = Path(__file__).parents[2] / "data" / "skycentrics"
CLIENT: Final = "demo-client"
SECRET: Final = "invented-Signing-Secret-1"
GATEWAY: Final = "1000000001"
NOW: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def sensor(time: int | datetime | None, data: object = 1.0, **fields: Any) -> dict[str, Any]:
    """One sensor of an answer."""
    stamp = int(time.timestamp()) if isinstance(time, datetime) else time
    return {
        "data": data,
        "id": "Meter_1",
        "name": "Meter 1",
        "time": stamp,
        "type": "Energy",
        "units": "kWh",
        **fields,
    }


def answer(*sensors: dict[str, Any], time: str = "2026-01-01 00:00:01Z") -> bytes:
    """Newest data in the compact form of the vendor."""
    said = {"device": int(GATEWAY), "ct": [], "sensors": sensors, "time": time}
    return json.dumps(said, separators=(",", ":")).encode()


class Cloud(Loopback):
    """Tests change its attributes."""

    def __init__(self) -> None:
        super().__init__(self.reply)
        self.gateways = [GATEWAY]
        self.newest: dict[str, Reply] = {}
        self.records: list[dict[str, Any]] | None = None
        self.history_status = 404
        self.packs = True

    def client(self, *, now: datetime = NOW, **changes: Any) -> SkycentricsClient:
        options: dict[str, Any] = {
            "api_url": f"{self.url}/api",
            "client_id": CLIENT,
            "client_secret": SecretStr(SECRET),
            "rps": 10_000,
            "timeout_s": 5,
            "attempts": 2,
            **changes,
        }
        settings = SkycentricsSettings(**options)
        return SkycentricsClient(settings, clock=Clock(now=lambda: now), backoff_s=0.001)

    def reply(self, seen: Seen) -> Reply:
        if not is_signed(seen):
            return reply_json({"error": {"message": "rejected"}}, status=401)
        if seen.path == "/api/devices/":
            return reply_json([{"id": int(one), "type": 250, "new": 1} for one in self.gateways])
        match = re.fullmatch(r"/api/devices/([^/]+)(/data|/)", seen.path)
        if match is None or match[1] not in self.gateways:
            return reply_json({"error": {"message": "unknown"}}, status=404)
        if match[2] == "/":
            return Reply(body=(DATA / "device.json").read_bytes())
        if "b" in seen.query:
            return self.history(seen)
        return self.newest.get(match[1], Reply(body=(DATA / "newest.json").read_bytes()))

    def history(self, seen: Seen) -> Reply:
        if self.records is None:
            return Reply(status=self.history_status, body=b"<html>no</html>")
        begin, end = seen.query["b"].replace("T", " "), seen.query["e"].replace("T", " ")
        inside = [one for one in self.records if begin <= one["time"] <= end]
        body = json.dumps(inside).encode()
        return Reply(body=gzip.compress(body) if self.packs else body)


def is_signed(seen: Seen) -> bool:
    """Check the signature as the document tells, from what came over the wire."""
    digest = hashlib.md5(seen.body, usedforsecurity=False).hexdigest()
    said = (
        f"{seen.method} {seen.target} HTTP/1.1\n{seen.headers.get('date', '')}\n"
        f"{seen.headers.get('content-type', '')}\n{digest}"
    )
    signed = hmac.new(SECRET.encode(), said.encode(), hashlib.sha1).digest()
    expected = f"{CLIENT}:{base64.b64encode(signed).decode()}"
    return hmac.compare_digest(seen.headers.get("x-sc-api-token", ""), expected)


def records(first: datetime, *, count: int, step: timedelta) -> list[dict[str, Any]]:
    """History: one record per step with a sensor that counts."""
    return [
        {
            "device": int(GATEWAY),
            "sensors": [sensor(first + n * step, float(n))],
            "time": f"{first + n * step:%Y-%m-%d %H:%M:%S}",
        }
        for n in range(count)
    ]
