"""A small Keycloak and SoData on one loopback server, for tests of the client."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from energy_platform.sources.socomec import SeriesKey, SocomecClient, pull
from energy_platform.sources.socomec.settings import SocomecSettings
from energy_platform_tests.sources.http.loopback import Loopback, Reply, Seen, reply_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from energy_platform.sources.http.client import Clock

PAYLOADS: Final = Path(__file__).parents[2] / "data" / "socomec"
CA: Final = "11111111-0000-4000-8000-000000000001"
SITE: Final = "22222222-0000-4000-8000-000000000001"
UPS: Final = "33333333-0000-4000-8000-000000000001"
GATEWAY: Final = "33333333-0000-4000-8000-0000000000b1"
TOKEN_PATH: Final = "/realms/Socomec/protocol/openid-connect/token"
DAY: Final = "2026-01-01"
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
END: Final = START + timedelta(days=1)
SECRETS: Final = ("client-s3cret", "pass-w0rd")


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class SoData:
    """Answers as section 12 of the vendor's contract says; faults are plain attributes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.serial = 0
        self.access: set[str] = set()
        self.refresh: set[str] = set()
        self.grants: list[str] = []
        self.expires_in: float = 300
        self.refresh_expires_in: float = 1800
        self.token_faults: list[Reply] = []
        self.refuse_refresh = False
        self.listings: dict[str, list[dict[str, Any]]] = {
            "": payload("corporate_accounts")["results"],
            "customers": payload("customers")["results"],
            "sites": payload("sites")["results"],
            "devices": payload("devices")["results"],
        }
        self.variables: dict[str, Any] = {
            UPS: payload("variables"),
            GATEWAY: {"results": [], "total": 0},
        }
        self.last_values: dict[str, Any] = {UPS: payload("last_values")}
        self.points: dict[SeriesKey, list[tuple[datetime, Any]]] = {}
        self.max_window = timedelta(days=400)
        self.max_series = 10_000
        self.cap = 10**9
        self.too_large = 413
        self.api_faults: list[Reply] = []
        self.asks: list[dict[str, Any]] = []

    def __call__(self, seen: Seen) -> Reply:
        with self.lock:
            if seen.path == TOKEN_PATH:
                return self.token(seen)
            if self.api_faults:
                return self.api_faults.pop(0)
            if seen.headers.get("authorization", "").removeprefix("Bearer ") not in self.access:
                return reply_json({"statusCode": 401, "error": "Unauthorized"}, status=401)
            return self.api(seen)

    def token(self, seen: Seen) -> Reply:
        if self.token_faults:
            return self.token_faults.pop(0)
        form = seen.form
        if form.get("client_id") != "platform" or form.get("client_secret") != SECRETS[0]:
            return reply_json({"error": "invalid_client"}, status=401)
        grant = form.get("grant_type", "")
        self.grants.append(grant)
        if grant == "password":
            if (form.get("username"), form.get("password")) != ("me@site.example", SECRETS[1]):
                said = {"error": "invalid_grant", "error_description": "Invalid user credentials"}
                return reply_json(said, status=401)
        elif self.refuse_refresh or form.get("refresh_token") not in self.refresh:
            said = {"error": "invalid_grant", "error_description": "Token is not active"}
            return reply_json(said, status=400)
        self.serial += 1
        answer = payload("token") | {
            "access_token": f"access-{self.serial}",
            "refresh_token": f"refresh-{self.serial}",
            "expires_in": self.expires_in,
            "refresh_expires_in": self.refresh_expires_in,
        }
        self.access = {answer["access_token"]}
        self.refresh = {answer["refresh_token"]}
        return reply_json(answer)

    def api(self, seen: Seen) -> Reply:  # noqa: C901, PLR0911 - a router
        missing = reply_json({"statusCode": 404, "message": "Not found"}, status=404)
        match seen.path.split("/")[3:]:
            case ["ca"]:
                return self.page("", seen)
            case ["ca", ca] if ca == CA:
                return reply_json(self.listings[""][0])
            case ["ca", ca, "datapoints"] if ca == CA and seen.method == "PUT":
                return self.datapoints(seen.json)
            case ["ca", ca, "sites", "count"] if ca == CA:
                return reply_json({"count": len(self.listings["sites"])})
            case ["ca", ca, ("customers" | "sites" | "devices") as kind] if ca == CA:
                return self.page(kind, seen)
            case ["ca", ca, ("customers" | "sites" | "devices") as kind, uuid] if ca == CA:
                found = [one for one in self.listings[kind] if one["uuid"] == uuid]
                return reply_json(found[0]) if found else missing
            case ["ca", ca, "devices", device, "gateway"] if ca == CA:
                return reply_json(self.listings["devices"][1]) if device == UPS else missing
            case ["ca", ca, "devices", device, "last-values"] if ca == CA:
                return reply_json(self.last_values.get(device, {"devices": []}))
            case ["ca", ca, "devices", device, "variables"] if ca == CA:
                return reply_json(self.variables[device]) if device in self.variables else missing
            case ["ca", ca, "devices", device, "variables", uuid] if ca == CA:
                every = self.variables[device]["results"]
                return reply_json(next(one for one in every if one["uuid"] == uuid))
        return missing

    def page(self, kind: str, seen: Seen) -> Reply:
        take, skip = int(seen.query.get("take", 50)), int(seen.query.get("skip", 0))
        records = self.listings[kind]
        results = records[skip : skip + take]
        return reply_json({"total": len(records), "results": results, "take": take})

    def datapoints(self, request: dict[str, Any]) -> Reply:
        self.asks.append(request)
        start, end = (datetime.fromisoformat(request[key]) for key in ("from", "to"))
        if end - start > self.max_window or len(request["series"]) > self.max_series:
            return reply_json({"statusCode": self.too_large}, status=self.too_large)
        known = {one["uuid"] for one in self.listings["devices"]}
        answers = []
        for one in reversed(request["series"]):
            if one["deviceUuid"] not in known:
                return reply_json({"statusCode": 404, "message": "Unknown device"}, status=404)
            key = SeriesKey(one["deviceUuid"], one["itemType"], one["itemIndex"], one["serviceId"])
            inside = [(at, value) for at, value in self.points.get(key, ()) if start <= at < end]
            data = [{"at": stamp(at), "value": value} for at, value in inside[: self.cap]]
            answers.append({**one, "dataType": "number", "deviceTimeZone": "UTC", "data": data})
        return reply_json({**request, "series": answers})


def settings(url: str, **changes: Any) -> SocomecSettings:
    values: dict[str, Any] = {
        "api_url": url + "/",
        "keycloak_url": url + "/",
        "client_id": "platform",
        "client_secret": SECRETS[0],
        "username": "me@site.example",
        "password": SECRETS[1],
        "rps": 10_000,
        "timeout_s": 5,
        "attempts": 3,
        # Clocks that jump to the end of a token's life are not the end of a run.
        "run_limit_s": 1_000_000,
        **changes,
    }
    return SocomecSettings(_env_file=None, **values)


@contextmanager
def connected(
    sodata: SoData, *, clock: Clock | None = None, **changes: Any
) -> Iterator[tuple[SocomecClient, Loopback]]:
    """Serve a SoData and connect a client to it."""
    with (
        Loopback(sodata).running() as server,
        SocomecClient(settings(server.url, **changes), clock=clock, backoff_s=0.001) as client,
    ):
        yield client, server


def pull_day(client: SocomecClient, **changes: Any) -> pull.PartPull:
    """Read the inventory and then one whole day; ``changes`` are arguments of `pull.chunks`."""
    tables = pull.inventory(client)
    given = {
        "day": DAY,
        "devices": tables["raw_socomec__devices"],
        "variables": tables["raw_socomec__variables"],
    }
    parts = list(pull.chunks(client, **{**given, **changes}))
    return pull.PartPull(
        pl.concat(part.frame for part in parts),
        duplicates=sum(part.duplicates for part in parts),
        conflicts=sum(part.conflicts for part in parts),
        nulls=sum(part.nulls for part in parts),
        warnings=tuple(warning for part in parts for warning in part.warnings),
        devices=tuple(device for part in parts for device in part.devices),
        rejects=tuple(reject for part in parts for reject in part.rejects),
    )
