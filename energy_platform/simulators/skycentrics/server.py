"""The ASGI application of the SkyCentrics simulator.

Source: SkyCentrics cloud API, sections 3 (endpoints), 8 (errors) and 12.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from energy_platform.simulators.base import SIMULATED_RPS, PortfolioRules, Simulator
from energy_platform.simulators.skycentrics.devices import build_gateways
from energy_platform.simulators.skycentrics.readings import (
    DATA_FAULTS,
    encoded,
    history,
    newest,
    spoil,
)
from energy_platform.simulators.skycentrics.signing import (
    SignatureError,
    Signed,
    check_date,
    check_signature,
)
from energy_platform.simulators.world import World, real_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from energy_platform.simulators.faults import Faults
    from energy_platform.simulators.middleware import Receive, Scope, Send
    from energy_platform.simulators.world import Clock, Device, Site

DEVICES_PATH: Final = "/api/devices/"
"""Root of everything; with its final slash it lists the account's devices."""

SKEW: Final = timedelta(minutes=15)
"""Difference allowed between Date and the clock, when it is checked at all."""

MAX_WINDOW: Final = timedelta(days=31)
"""Longest history window; the real limit is unknown."""

FAULTS: Final = DATA_FAULTS | {"check_date", "gzip_ignored", "truncate", "left_out_gateway"}
"""Faults beside the general ones: those in the readings, and some of the protocol.

``truncate=N``: history answers with the first N records of its window, without a word.
``left_out_gateway``: the list of devices lacks its last one.
``check_date``: 401 for a Date without a year or more than 15 minutes off; ``gzip_ignored``: history
comes as JSON although gzip was asked for.
"""


class SkycentricsCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A client of the API and the devices of its account; ``None`` for all."""

    client: str
    secret: str
    devices: frozenset[str] | None = None

    def __repr__(self) -> str:
        return f"SkycentricsCredential(client={self.client!r})"


DEMO_CREDENTIAL: Final = SkycentricsCredential(client="demo-client", secret="demo-secret")  # noqa: S106
"""Invented credential; the one the published test signatures are made with."""


@dataclass
class SkycentricsBehaviour:
    """Behaviour the document leaves open; may be changed while running.

    Attributes:
        history: Whether the history call exists; 404 otherwise.
        wrong_slash: A device without, or data with, the final slash: 404 or a redirect.
    """

    history: bool = False
    wrong_slash: str = "404"


class _ApiError(Exception):
    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Route(NamedTuple):
    """What a path asks for."""

    endpoint: str
    device: str = ""
    proper: str = ""


class SkycentricsSimulator(Simulator):
    """The SkyCentrics cloud as a local server.

    Args:
        world: Where the readings come from.
        credentials: Clients that may sign requests.
        faults: What goes wrong; may be changed while running.
        clock: Current time; the real one by default. Samples after it do not exist.
        history: Whether the history call exists; also ``behaviour.history``.

    Attributes:
        behaviour: What the document leaves open.
    """

    name = "skycentrics"
    own_faults = FAULTS
    options = ("world", "history")
    portfolio = PortfolioRules(
        device_type=lambda _: "super_skybox",
        # The demo's data come from history, a record every five minutes, not from polls.
        every_at_least_s=300,
        code_of_state=lambda _, text: float(text == "active"),
    )

    def __init__(
        self,
        *,
        world: World | None = None,
        credentials: Iterable[SkycentricsCredential] = (DEMO_CREDENTIAL,),
        faults: Faults | None = None,
        clock: Clock = real_time,
        history: bool = False,
    ) -> None:
        super().__init__(faults=faults, clock=clock)
        self.world = world or World()
        self.credentials = tuple(credentials)
        self.behaviour = SkycentricsBehaviour(history=history)
        self._accounts = {c.client: c for c in self.credentials}
        self._secrets = {c.client: c.secret for c in self.credentials}
        self._devices = {d.serial: d for d in self.world.of_vendor("skycentrics")}
        self.app = self.with_faults(self._serve, endpoint=lambda path: _route(path).endpoint)

    @classmethod
    def devices(cls, sites: Sequence[Site], *, seed: int) -> tuple[Device, ...]:
        """Return the gateways of the world."""
        return build_gateways(sites, seed=seed)

    def environment(self, url: Callable[[str], str]) -> dict[str, str]:
        """Return the variables that point the platform at the cloud."""
        return {
            "SKYCENTRICS_API_URL": url("skycentrics") + "/api",
            "SKYCENTRICS_CLIENT_ID": self.credentials[0].client,
            "SKYCENTRICS_CLIENT_SECRET": self.credentials[0].secret,
            "SKYCENTRICS_RPS": SIMULATED_RPS,
        }

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"this simulator speaks HTTP, not {scope['type']}")
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except _ApiError as error:
            response = _json({"error": {"message": str(error)}}, status=error.status)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        account = self._account(request, body=await request.body())
        route = _route(request.url.path)
        if route.endpoint == "elsewhere":
            raise _ApiError(HTTPStatus.NOT_FOUND, "not found")
        if request.method != "GET":
            raise _ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "this simulator is read-only")
        if route.proper:
            if self.behaviour.wrong_slash == "redirect":
                query = f"?{request.url.query}" if request.url.query else ""
                return RedirectResponse(route.proper + query, status_code=301)
            raise _ApiError(HTTPStatus.NOT_FOUND, "not found")
        if route.endpoint == "devices":
            return _json(self._listing(account, mac=request.query_params.get("mac")))
        device = self._device(route.device, account=account)
        if route.endpoint == "device":
            return _json(self._described(device))
        if request.query_params.keys() & {"b", "e", "g"}:
            return await run_in_threadpool(self._history, request, device)
        return await run_in_threadpool(self._newest, device)

    def _account(self, request: Request, *, body: bytes) -> SkycentricsCredential:
        try:
            signed = Signed.of(request.scope)
            client = check_signature(signed, body=body, secrets=self._secrets)
            if self.faults.should_fail("check_date"):
                check_date(signed.date, now=self.clock(), tolerance=SKEW)
        except SignatureError as error:
            raise _ApiError(HTTPStatus.UNAUTHORIZED, str(error)) from error
        return self._accounts[client]

    def _device(self, serial: str, *, account: SkycentricsCredential) -> Device:
        device = self._devices.get(serial)
        if device is None:
            raise _ApiError(HTTPStatus.NOT_FOUND, "no such device")
        if account.devices is not None and serial not in account.devices:
            raise _ApiError(HTTPStatus.FORBIDDEN, "this device belongs to another account")
        return device

    def _listing(self, account: SkycentricsCredential, *, mac: str | None) -> list[Any]:
        found = [
            self._described(device)
            for serial, device in self._devices.items()
            if (account.devices is None or serial in account.devices) and mac in {None, device.mac}
        ]
        return found[:-1] if self.faults.should_fail("left_out_gateway") else found

    def _described(self, device: Device) -> dict[str, Any]:
        described = {
            "id": int(device.serial),
            "user": 10_001,
            "group": 2_001,
            "type": 250,
            "client": 0,
            "mac": device.mac,
            "name": device.name,
        }
        return described | ({"fw": "1.0.0"} if self.faults.active("unknown_key") else {})

    def _newest(self, device: Device) -> Response:
        snapshot = newest(device, now=self.clock().timestamp())
        spoiled = spoil([snapshot], device=device, faults=self.faults)[0]
        return Response(encoded(spoiled), media_type="application/json")

    def _history(self, request: Request, device: Device) -> Response:
        if not self.behaviour.history:
            raise _ApiError(HTTPStatus.NOT_FOUND, "not found")
        query = request.query_params
        begin, end = (_naive_utc(query.get(name), name=name) for name in ("b", "e"))
        gap = query.get("g", "1")
        if not gap.isdecimal() or int(gap) < 1:
            raise _ApiError(HTTPStatus.BAD_REQUEST, "g must be a number of minutes")
        if end < begin or end - begin > MAX_WINDOW:
            raise _ApiError(HTTPStatus.BAD_REQUEST, "e must follow b by 31 days at most")
        snapshots = history(
            device,
            begin=int(begin.timestamp()),
            end=int(end.timestamp()),
            gap_s=60 * int(gap),
            now=self.clock().timestamp(),
        )
        truncated = self.faults.active("truncate")
        if truncated is not None:
            snapshots = snapshots[: int(truncated.amount or 0)]
        body = encoded(spoil(snapshots, device=device, faults=self.faults))
        wants_gzip = "application/gzip" in request.headers.get("accept", "")
        if wants_gzip and not self.faults.should_fail("gzip_ignored"):
            return Response(gzip.compress(body, compresslevel=1), media_type="application/gzip")
        return Response(body, media_type="application/json")


def _route(path: str) -> _Route:
    """Take a path apart; ``proper`` is the right path when only the final slash is wrong."""
    if path in {DEVICES_PATH, DEVICES_PATH.rstrip("/")}:
        return _Route("devices", proper="" if path == DEVICES_PATH else DEVICES_PATH)
    device, slash, rest = path.removeprefix(DEVICES_PATH).partition("/")
    if not path.startswith(DEVICES_PATH) or not device.isdecimal():
        return _Route("elsewhere")
    if rest == "":
        proper = "" if slash else f"{DEVICES_PATH}{device}/"
        return _Route("device", device, proper)
    if rest in {"data", "data/"}:
        proper = "" if rest == "data" else f"{DEVICES_PATH}{device}/data"
        return _Route("data", device, proper)
    return _Route("elsewhere")


def _naive_utc(text: str | None, *, name: str) -> datetime:
    try:
        return datetime.strptime(text or "", "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise _ApiError(
            HTTPStatus.BAD_REQUEST, f"{name} must read yyyy-MM-ddTHH:mm:ss, UTC without zone"
        ) from error


def _json(content: Any, *, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A compact answer, as the vendor's are."""
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")
