"""The Belimo Cloud Client API: its routes, who may call them, and the parts of the simulator.

What the calls answer is in ``device_calls``, ``history_calls``, ``definitions`` and ``streams``.

Source: Belimo Cloud Client API, sections 3 to 10.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from energy_platform.simulators.base import SIMULATED_RPS, PortfolioRules, Simulator
from energy_platform.simulators.belimo.answers import ROOT, as_json, endpoint, refusal
from energy_platform.simulators.belimo.definitions import DefinitionCalls
from energy_platform.simulators.belimo.device_calls import DeviceCalls
from energy_platform.simulators.belimo.devices import build_valves
from energy_platform.simulators.belimo.faults import FAULTS
from energy_platform.simulators.belimo.history import History, ParameterError
from energy_platform.simulators.belimo.history_calls import DOWNLOAD_S, HistoryCalls
from energy_platform.simulators.belimo.identity import TOKEN_PATH, BelimoIdentity
from energy_platform.simulators.belimo.inventory import Inventory, milliseconds, profiles
from energy_platform.simulators.belimo.listings import Listings
from energy_platform.simulators.belimo.streams import ChangeStreams
from energy_platform.simulators.world import Clock, World, real_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request

    from energy_platform.simulators.faults import Faults
    from energy_platform.simulators.world import Device, Site


class Transfer(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /transfer``: a valve changes its owner and id."""

    serial: str
    with_data: bool = False


class BelimoSimulator(Simulator):
    """The Belimo Cloud and BelimoID as two ASGI applications.

    Args:
        world: What there is to see.
        faults: Switched while running; declares its own names on it.
        clock: Nothing later than its time is served.
        identity: Token lifetimes and the account.

    Attributes:
        history: What answers about history; its ``buckets_from_start`` may be changed.
    """

    name = "belimo"
    own_faults = FAULTS
    has_identity = True
    portfolio = PortfolioRules(
        device_type=lambda _: "energy_valve",
        # Of four valves every datapoint is in the portfolio; of the others the important ones.
        full_devices=4,
        main_points=frozenset(
            {"evcloud.200", "evcloud.210", "evcloud.140", "evcloud.150", "evcloud.130"}
        ),
    )

    def __init__(
        self,
        *,
        world: World,
        faults: Faults | None = None,
        clock: Clock = real_time,
        identity: BelimoIdentity | None = None,
    ) -> None:
        super().__init__(faults=faults, clock=clock)
        self.identity: BelimoIdentity = identity or BelimoIdentity(faults=self.faults)
        self._inventory = Inventory(world)
        self._recent: deque[float] = deque()
        listings = Listings(self.faults)
        self._devices = DeviceCalls(
            self._inventory, listings=listings, faults=self.faults, now=self.now_s
        )
        self.history = HistoryCalls(
            self._inventory,
            history=History(faults=self.faults, seed=world.seed),
            listings=listings,
            faults=self.faults,
            now=self.now_s,
        )
        self._definitions = DefinitionCalls(profiles(world), listings=listings)
        self._streams = ChangeStreams(self._inventory, now=self.now_s)
        self.app = self.with_faults(Starlette(routes=self._routes()), endpoint=endpoint)
        self.identity_app = self.identity_with_faults(
            self.identity.routes(), endpoint=lambda _: "token"
        )

    @classmethod
    def devices(cls, sites: Sequence[Site], *, seed: int) -> tuple[Device, ...]:
        """Return the energy valves of the world."""
        return build_valves(sites, seed=seed)

    def environment(self, url: Callable[[str], str]) -> dict[str, str]:
        """Return the variables that point the platform at the cloud and BelimoID."""
        return {
            "BELIMO_API_URL": url("belimo") + ROOT,
            "BELIMO_TOKEN_URL": url("belimo_identity") + TOKEN_PATH,
            **self.identity.account.environment("BELIMO"),
            "BELIMO_RPS": SIMULATED_RPS,
        }

    def control_orders(self) -> Mapping[str, Callable[[bytes], Any]]:
        """Return ``/transfer``."""
        return {"/transfer": self._transfer_order}

    def _transfer_order(self, content: bytes) -> dict[str, str]:
        order = msgspec.json.decode(content, type=Transfer)
        return {"id": self.transfer(order.serial, with_data=order.with_data)}

    def transfer(self, serial: str, *, with_data: bool = False) -> str:
        """Move a valve to another owner now; its id changes.

        Returns:
            The new id.

        Raises:
            KeyError: No such valve.
        """
        number = self._inventory.number_of(serial)
        return self._inventory.transfer(number, now=self.now_s(), with_data=with_data)

    def device_id(self, serial: str) -> str:
        """The id a valve has now.

        Raises:
            KeyError: No such valve.
        """
        number = self._inventory.number_of(serial)
        return next(one.id for one in self._inventory.current() if one.number == number)

    def _routes(self) -> list[Route]:
        device = f"{ROOT}/devices/{{device}}"
        definitions = f"{ROOT}/definitions"
        reads: list[tuple[str, Callable[[Request], Response]]] = [
            (f"{ROOT}/devices/stats", self._devices.stats),
            (f"{ROOT}/devices", self._devices.devices),
            (f"{ROOT}/devices/change-stream/{{token}}", self._stream),
            (device, self._devices.device),
            (f"{device}/data", self._devices.state),
            (f"{device}/data/history/timeseries", self.history.timeseries),
            (f"{device}/data/history/datapoints/{{datapoint}}", self.history.raw),
            (f"{device}/data/download", self.history.download),
            (f"{device}/data/requestDownload", self.history.request_download),
            (f"{device}/timeline", self._devices.timeline),
            (f"{definitions}/dataprofiles", self._definitions.dataprofiles),
            (f"{definitions}/dataprofiles/{{id}}/{{version}}", self._definitions.dataprofile),
            (f"{definitions}/datapoints/{{id}}/{{version}}", self._definitions.datapoint),
        ]
        routes = [
            Route(f"{ROOT}/api-info", self._api_info),
            Route(f"{ROOT}/downloads/{{token}}", self.history.downloaded),
            Route(f"{ROOT}/devices/change-stream", self._open_stream, methods=["POST"]),
        ]
        routes += [Route(path, self._guarded(read), methods=["GET"]) for path, read in reads]
        methods = ["GET", "PUT", "POST", "DELETE", "PATCH"]
        return [*routes, Route("/{path:path}", self._elsewhere, methods=methods)]

    def _guarded(
        self, read: Callable[[Request], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            refused = self._refused(request)
            if refused is not None:
                return refused
            try:
                return read(request)
            except ParameterError as error:
                return refusal(400, str(error))

        return serve

    def _refused(self, request: Request) -> Response | None:
        limit = self.faults.active("rate_limit")
        if limit is not None and self._too_fast(limit.amount or 2):
            headers = {"retry-after": limit.retry_after} if limit.retry_after else {}
            return refusal(429, "too many requests", headers=headers)
        grant = self.identity.accepted(request.headers.get("authorization"))
        if grant is None:
            return as_json({"error": "invalid_token"}, status=401)
        needed = "read:dataprofile" if "/definitions/" in request.url.path else "public.read"
        if needed not in grant.scopes:
            return refusal(403, f"scope {needed} is missing")
        moved = self.faults.active("transfer")
        if moved is not None and not self._inventory.transferred(int(moved.amount or 1)):
            self._inventory.transfer(int(moved.amount or 1), now=self.now_s(), with_data=False)
        identity = request.path_params.get("device")
        if identity is not None:
            scope = self._inventory.scope(identity)
            if scope is None:
                return refusal(404, "device not found")
            if scope.ended:
                return refusal(403, "device is not accessible")
            refused = self.faults.active("refuse_device")
            if (
                refused is not None
                and scope.number == int(refused.amount or 1)
                and "/history/" in request.url.path
            ):
                return refusal(400, "this device cannot be read")
        return None

    def _too_fast(self, limit: float) -> bool:
        now = time.monotonic()
        while self._recent and now - self._recent[0] >= 1.0:
            self._recent.popleft()
        if len(self._recent) >= limit:
            return True
        self._recent.append(now)
        return False

    async def _open_stream(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        try:
            token = self._streams.open(await request.body())
        except msgspec.MsgspecError as error:
            return refusal(400, str(error))
        return as_json({"token": token, "validUntil": milliseconds(self.now_s() + DOWNLOAD_S)})

    def _stream(self, request: Request) -> Response:
        events = self._streams.events(request.path_params["token"])
        if events is None:
            return refusal(404, "unknown change stream")
        return StreamingResponse(events, media_type="text/event-stream")

    async def _api_info(self, _request: Request) -> Response:
        return as_json({"version": "3.5.0"})

    async def _elsewhere(self, request: Request) -> Response:
        if self.identity.accepted(request.headers.get("authorization")) is None:
            return as_json({"error": "invalid_token"}, status=401)
        if request.method != "GET":
            self.writes.append(f"{request.method} {request.url.path}")
            return refusal(403, "not allowed")
        return refusal(404, "not found")
