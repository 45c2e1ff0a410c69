"""A small Belimo Cloud on loopback: tokens, devices and raw samples in the vendor's shapes."""

from __future__ import annotations

import itertools
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from energy_platform.sources.belimo import BelimoClient
from energy_platform.sources.belimo.settings import BelimoSettings
from energy_platform_tests.sources.http.loopback import Loopback, Reply, Seen, reply_json

if TYPE_CHECKING:
    from energy_platform.sources.http.rate_limit import Clock

DATA: Final = Path(__file__).parents[2] / "data" / "belimo"
USER: Final = "service@example.com"
PASSWORD: Final = "invented-Password-1"
CLIENT_SECRET: Final = "invented-Client-Secret-1"
DEVICE: Final = "aaaaaaaa-0000-4000-8000-000000000001"
SERIAL: Final = "11111-22222-333-444"
PROFILE: Final = "energyvalve3/1.2"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def said(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


class Cloud(Loopback):
    """Both hosts of the vendor in one; tests change its attributes."""

    def __init__(self) -> None:
        super().__init__(self.answer)
        self.lifetime: float | None = 86_400
        self.is_refresh_good = True
        self.is_login_good = True
        self.valid: set[str] = set()
        self.grants: list[dict[str, str]] = []
        self.numbers = itertools.count(1)
        self.samples: dict[tuple[str, str], list[tuple[datetime, object]]] = {}
        self.devices: list[dict[str, Any]] = [device(DEVICE, serial=SERIAL)]
        self.bad_days: dict[str, int] = {}
        self.meanwhile: dict[int, Any] = {}
        self.is_down = False
        self._token_lock = threading.Lock()

    def client(self, *, clock: Clock | None = None, **changes: Any) -> BelimoClient:
        options: dict[str, Any] = {
            "api_url": f"{self.url}/api/v3",
            "token_url": f"{self.url}/oauth/token",
            "client_id": "demo-client",
            "client_secret": SecretStr(CLIENT_SECRET),
            "username": USER,
            "password": SecretStr(PASSWORD),
            "rps": 10_000,
            "timeout_s": 5,
            "attempts": 2,
            **changes,
        }
        return BelimoClient(BelimoSettings(**options), clock=clock, backoff_s=0.001)

    def fill(
        self,
        *,
        first: str,
        days: int,
        step: timedelta = timedelta(hours=1),
        device_id: str = DEVICE,
        datapoint_id: str = "evcloud.210",
    ) -> None:
        """Put a rising register behind a datapoint."""
        start = at(f"{first}T00:00:00+00:00")
        count = int(timedelta(days=days) / step)
        self.samples[device_id, datapoint_id] = [
            (start + n * step, 1_000_000 + 3600 * n) for n in range(count)
        ]

    def calls(self, pattern: str) -> list[Seen]:
        return [seen for seen in self.seen if re.search(pattern, seen.target)]

    def answer(self, seen: Seen) -> Reply:
        if seen.path == "/oauth/token":
            return self.token(seen)
        if self.is_down:
            return Reply(status=503, body=b"<html>down</html>")
        if seen.path == "/api/v3/api-info":
            return reply_json({"version": "3.5.0"})
        if seen.headers.get("authorization", "").removeprefix("Bearer ") not in self.valid:
            return reply_json({"error": "invalid_token"}, status=401)
        return self.read(seen)

    def read(self, seen: Seen) -> Reply:
        path = seen.path.removeprefix("/api/v3")
        if path == "/devices":
            search = seen.query.get("search", "")
            found = [d for d in self.devices if search in d["serialNumber"]]
            return self.page(seen, found)
        if path.startswith("/definitions/dataprofiles/"):
            return Reply(body=(DATA / "dataprofile.json").read_bytes())
        match = re.fullmatch(r"/devices/([^/]+)/data/history/datapoints/([^/]+)", path)
        if match:
            return self.history(seen, device_id=match[1], datapoint_id=match[2])
        one = next((d for d in self.devices if path == f"/devices/{d['id']}"), None)
        return reply_json(one) if one else reply_json({"errors": ["unknown"]}, status=404)

    def token(self, seen: Seen) -> Reply:
        with self._token_lock:
            self.grants.append(seen.form)
            is_refresh = seen.form["grant_type"] == "refresh_token"
            if not (self.is_refresh_good if is_refresh else self.is_login_good):
                said = {"error": "access_denied", "error_description": "Unauthorized"}
                return reply_json(said, status=403 if is_refresh else 401)
            number = next(self.numbers)
            self.valid = {f"access-{number}"}
        answer: dict[str, object] = {"access_token": f"access-{number}", "token_type": "Bearer"}
        if not is_refresh:
            answer["refresh_token"] = f"refresh-{number}"
        return reply_json(
            answer if self.lifetime is None else {**answer, "expires_in": self.lifetime}
        )

    def history(self, seen: Seen, *, device_id: str, datapoint_id: str) -> Reply:
        if not any(d["id"] == device_id for d in self.devices):
            return reply_json({"errors": ["forbidden"]}, status=403)
        start, end = at(seen.query["from"]), at(seen.query["to"])
        for day, status in self.bad_days.items():
            midnight = at(f"{day}T00:00:00+00:00")
            if start < midnight + timedelta(days=1) and end > midnight:
                return reply_json({"errors": ["refused"]}, status=status)
        if (device_id, datapoint_id) not in self.samples:
            return reply_json({"errors": ["unknown datapoint"]}, status=404)
        inside = [
            {"timestamp": said(when), "value": value}
            for when, value in self.samples[device_id, datapoint_id]
            if start <= when < end
        ]
        return self.page(seen, inside)

    def page(self, seen: Seen, items: list[Any]) -> Reply:
        limit, offset = int(seen.query.get("limit", 20)), int(seen.query.get("offset", 0))
        reply = reply_json(
            {
                "data": items[offset : offset + limit],
                "paging": {"total": len(items), "offset": offset, "limit": limit},
            }
        )
        change = self.meanwhile.pop(len(self.seen), None)
        if change is not None:
            change()
        return reply


def device(device_id: str, *, serial: str, profile: str | None = PROFILE) -> dict[str, Any]:
    return {
        "id": device_id,
        "serialNumber": serial,
        "productionId": f"P-{serial}",
        "displayName": serial,
        "dataprofile": {"entityId": profile} if profile else None,
        "health": {"state": "OK", "lastSeen": "2026-01-01T10:00:00.000Z"},
        "owner": {"entityId": "somebody@example.com"},
        "state": {"timestamp": "2026-01-01T10:00:00Z", "datapoints": {}},
    }
