"""The Belimo Cloud Client API: devices, profiles, state, history, download, change stream.

Source: Belimo Cloud Client API, sections 3 to 10.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from energy_platform.simulators.belimo.answers import (
    ROOT,
    as_json,
    body,
    endpoint,
    iso,
    refusal,
)
from energy_platform.simulators.belimo.definitions import (
    expanded,
    find_datapoint,
    find_profile,
)
from energy_platform.simulators.belimo.faults import FAULTS
from energy_platform.simulators.belimo.history import (
    DEFAULT_POINTS,
    Buckets,
    History,
    ParameterError,
    find,
    listing,
)
from energy_platform.simulators.belimo.identity import BelimoIdentity
from energy_platform.simulators.belimo.inventory import (
    CREATED,
    Inventory,
    Record,
    Scope,
    base_type,
    milliseconds,
    profiles,
    record,
    state,
    stats,
)
from energy_platform.simulators.belimo.parameters import Page, bounds, instant, ordered
from energy_platform.simulators.belimo.streams import ChangeStreams
from energy_platform.simulators.faults import Faults
from energy_platform.simulators.middleware import (
    IDENTITY_PREFIX,
    FaultMiddleware,
    Requests,
    identity_faults,
)
from energy_platform.simulators.world import Clock, Samples, World, real_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from energy_platform.simulators.middleware import App

DOWNLOAD_S: Final = 600.0


class BelimoSimulator:
    """The Belimo Cloud and BelimoID as two ASGI applications.

    Args:
        world: What there is to see.
        faults: Switched while running; declares its own names on it.
        clock: Nothing later than its time is served.
        identity: Token lifetimes and the account.

    Attributes:
        app: The cloud.
        identity_app: BelimoID.
        requests: Answers by endpoint and status.
        buckets_from_start: Whether buckets are counted from the beginning of the window asked for
            rather than from midnight UTC; the vendor does not say.
        writes: Calls a reader must never make, as ``"METHOD path"``.
    """

    def __init__(
        self,
        *,
        world: World,
        faults: Faults | None = None,
        clock: Clock = real_time,
        identity: BelimoIdentity | None = None,
    ) -> None:
        self.faults = (faults or Faults()).knowing(FAULTS | identity_faults())
        self.identity = identity or BelimoIdentity(faults=self.faults)
        self.clock = clock
        self.requests: Requests = Counter()
        self.buckets_from_start = False
        self.writes: list[str] = []
        self._inventory = Inventory(world)
        self._profiles = profiles(world)
        self._history = History(faults=self.faults, seed=world.seed)
        self._recent: deque[float] = deque()
        self._downloads: dict[str, tuple[float, bytes]] = {}
        self._streams = ChangeStreams(self._inventory, now=self._now)
        self.app: App = FaultMiddleware(
            Starlette(routes=self._routes()),
            faults=self.faults,
            requests=self.requests,
            endpoint=endpoint,
        )
        self.identity_app: App = FaultMiddleware(
            Starlette(routes=self.identity.routes()),
            faults=self.faults,
            requests=self.requests,
            endpoint=lambda _: "token",
            prefix=IDENTITY_PREFIX,
        )

    def transfer(self, serial: str, *, with_data: bool = False) -> str:
        """Move a valve to another owner now; its id changes.

        Returns:
            The new id.

        Raises:
            KeyError: No such valve.
        """
        number = self._inventory.number_of(serial)
        return self._inventory.transfer(number, now=self._now(), with_data=with_data)

    def device_id(self, serial: str) -> str:
        """The id a valve has now.

        Raises:
            KeyError: No such valve.
        """
        number = self._inventory.number_of(serial)
        return next(one.id for one in self._inventory.current() if one.number == number)

    def _now(self) -> float:
        skew = self.faults.active("clock_skew")
        return self.clock().timestamp() + (0.0 if skew is None else skew.seconds)

    def _routes(self) -> list[Route]:
        device = f"{ROOT}/devices/{{device}}"
        definitions = f"{ROOT}/definitions"
        reads: list[tuple[str, Callable[[Request], Response]]] = [
            (f"{ROOT}/devices/stats", self._stats),
            (f"{ROOT}/devices", self._devices),
            (f"{ROOT}/devices/change-stream/{{token}}", self._stream),
            (device, self._device),
            (f"{device}/data", self._state),
            (f"{device}/data/history/timeseries", self._timeseries),
            (f"{device}/data/history/datapoints/{{datapoint}}", self._raw),
            (f"{device}/data/download", self._download),
            (f"{device}/data/requestDownload", self._request_download),
            (f"{device}/timeline", self._timeline),
            (f"{definitions}/dataprofiles", self._dataprofiles),
            (f"{definitions}/dataprofiles/{{id}}/{{version}}", self._dataprofile),
            (f"{definitions}/datapoints/{{id}}/{{version}}", self._datapoint),
        ]
        routes = [
            Route(f"{ROOT}/api-info", self._api_info),
            Route(f"{ROOT}/downloads/{{token}}", self._downloaded),
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
        grant = self.identity.grant(request.headers.get("authorization"))
        if grant is None:
            return as_json({"error": "invalid_token"}, status=401)
        needed = "read:dataprofile" if "/definitions/" in request.url.path else "public.read"
        if needed not in grant.scopes:
            return refusal(403, f"scope {needed} is missing")
        moved = self.faults.active("transfer")
        if moved is not None and not self._inventory.transferred(int(moved.amount or 1)):
            self._inventory.transfer(int(moved.amount or 1), now=self._now(), with_data=False)
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

    def _scope(self, request: Request) -> Scope:
        scope = self._inventory.scope(request.path_params["device"])
        if scope is None:
            raise ParameterError("device not found")
        return scope

    def _page(self, request: Request) -> Page:
        return Page.read(
            request.query_params,
            faults=self.faults,
            path=request.url.path,
            clamp=self.faults.active("clamp_limit") is not None,
        )

    def _stats(self, request: Request) -> Response:
        owner = request.query_params.get("owner", "o1")
        scopes = self._inventory.current() if owner == "o1" else []
        return as_json(stats(scopes, now=self._now()))

    def _devices(self, request: Request) -> Response:
        query = request.query_params
        wanted = query.get("state", "ALL")
        if wanted not in {"REGISTERED", "UNREGISTERED", "ALL"}:
            raise ParameterError(f"state {wanted!r} is unknown")
        search = query.get("search")
        if search == "":
            raise ParameterError("search must not be empty")
        now = self._now()
        found = [
            record(scope, now=now, with_state=False)
            for scope in self._inventory.current()
            if wanted == "ALL" or (wanted == "REGISTERED") == (scope.device is not None)
        ]
        if search is not None:
            found = [
                one
                for one in found
                if search.lower() in (one["displayName"] + " " + one["serialNumber"]).lower()
            ]
        if query.get("owner", "o1") != "o1" or self.faults.active("no_rights"):
            found = []
        filters = {"state": wanted} | ({} if search is None else {"search": search})
        found, sorting = ordered(found, query, default="displayName")
        return self._listed(
            request, found, sorting=sorting, filters=filters, complete=self._with_state
        )

    def _with_state(self, one: Record) -> Record:
        # Twelve datapoints each: worth it for the page's devices only.
        scope = self._inventory.scope(one["id"])
        return one if scope is None else record(scope, now=self._now())

    def _listed(
        self,
        request: Request,
        found: list[Record],
        *,
        sorting: tuple[str, str],
        filters: dict[str, Any],
        complete: Callable[[Record], Record] | None = None,
    ) -> Response:
        page = self._page(request)
        chosen = found[page.first : page.first + page.size]
        if page.endless and found:
            chosen = [found[(page.first + i) % len(found)] for i in range(page.limit)]
        if complete is not None:
            chosen = [complete(one) for one in chosen]
        data = b",".join(msgspec.json.encode(one) for one in chosen)
        return body(
            listing(
                data,
                total=page.total(len(found)),
                offset=page.offset,
                limit=page.limit,
                sorting=sorting,
                filters=filters,
            )
        )

    def _device(self, request: Request) -> Response:
        return as_json(record(self._scope(request), now=self._now()))

    def _state(self, request: Request) -> Response:
        at = request.query_params.get("at")
        moment = self._now() if at is None else min(instant(at, key="at"), self._now())
        return as_json(state(self._scope(request), now=moment))

    def _window(self, request: Request) -> tuple[float, float]:
        scope = self._scope(request)
        return bounds(request.query_params, since=scope.since, now=self._now())

    def _timeseries(self, request: Request) -> Response:
        query = request.query_params
        scope = self._scope(request)
        if scope.device is None or "no_profile" in scope.device.traits:
            return refusal(404, "the device has no known dataprofile")
        names = [name for name in query.get("datapointIds", "").split(",") if name]
        if not names:
            raise ParameterError("datapointIds is missing")
        if query.get("aggregation", "last") != "last":
            raise ParameterError("aggregation is not supported")
        start, end = self._window(request)
        resolution = query.get("resolution", str(DEFAULT_POINTS))
        buckets = Buckets(resolution, start=start, end=end, from_start=self.buckets_from_start)
        series: list[bytes] = []
        for name in names:
            signal, samples = self._history.samples(
                scope, name, start=start, end=end, now=self._now()
            )
            # Unknown ids are ignored without an error, and so are texts.
            left_out = self.faults.should_fail("left_out_series", path=request.url.path)
            if signal is not None and base_type(signal) != "text" and not left_out:
                series.append(self._history.series(signal, samples, buckets=buckets))
        head = msgspec.json.encode({"from": iso(start), "to": iso(end), "resolution": resolution})
        return body(head[:-1] + b',"series":[' + b",".join(series) + b"]}")

    def _raw(self, request: Request) -> Response:
        query = request.query_params
        scope = self._scope(request)
        datapoint = request.path_params["datapoint"]
        direction = query.get("sortDirection", "ASC")
        if query.get("sortBy", "time") != "time" or direction not in {"ASC", "DESC"}:
            raise ParameterError("sortBy must be time, sortDirection ASC or DESC")
        page = self._page(request)
        start, end = self._window(request)
        signal, samples = self._history.samples(
            scope, datapoint, start=start, end=end, now=self._now()
        )
        total = int(samples.at.size)
        first = page.first % total if page.endless and total else page.first
        if self.faults.should_fail("left_out_series", path=request.url.path):
            total = first = 0
            samples = Samples(samples.at[:0], samples.values[:0])
        limit = page.size if page.most is None else max(0, min(page.size, page.most - first))
        data = self._history.page(
            signal,
            samples,
            offset=first,
            limit=limit,
            descending=direction == "DESC",
            with_milliseconds=scope.number % 2 == 0,
        )
        if data and self.faults.should_fail("odd_rows", path=request.url.path):
            data = self._history.odd(data)
        filters = {"from": iso(start), "to": iso(end), "datapointId": datapoint}
        return body(
            listing(
                data,
                total=page.total(total),
                offset=page.offset,
                limit=page.limit,
                sorting=("time", direction),
                filters=filters,
            )
        )

    def _table(self, request: Request) -> bytes:
        scope = self._scope(request)
        start, end = self._window(request)
        wanted = [one for one in request.query_params.get("datapointIds", "").split(",") if one]
        signals = [] if scope.device is None else list(scope.device.signals)
        if wanted:
            signals = [signal for name in wanted if (signal := find(scope, name)) is not None]
        return self._history.csv(scope, signals, (start, end, self._now()))

    def _download(self, request: Request) -> Response:
        return Response(self._table(request), media_type="text/csv")

    def _request_download(self, request: Request) -> Response:
        token = secrets.token_urlsafe(16)
        self._downloads[token] = (time.monotonic() + DOWNLOAD_S, self._table(request))
        url = f"{str(request.base_url).rstrip('/')}{ROOT}/downloads/{token}"
        until = milliseconds(self._now() + DOWNLOAD_S)
        return as_json({"downloadUrl": url, "validUntil": until})

    async def _downloaded(self, request: Request) -> Response:
        until, table = self._downloads.get(request.path_params["token"], (0.0, b""))
        if time.monotonic() >= until:
            return refusal(403, "the link is no longer valid")
        return Response(table, media_type="text/csv")

    def _timeline(self, request: Request) -> Response:
        scope = self._scope(request)
        events = [
            {"type": kind, "timestamp": milliseconds(CREATED.timestamp() + 86_400 * days)}
            for days, kind in ((1, "METADATA_CHANGE"), (400, "SOFTWARE_CHANGE"))
        ]
        events += [
            {"type": "OWNER_CHANGE", "timestamp": milliseconds(at)}
            for at, _, new in self._inventory.transfers
            if new == scope.id
        ]
        direction = request.query_params.get("sortDirection", "DESC")
        events.sort(key=lambda event: event["timestamp"], reverse=direction == "DESC")
        return self._listed(request, events, sorting=("timestamp", direction), filters={})

    def _dataprofiles(self, request: Request) -> Response:
        wanted = request.query_params.get("expanded")
        found, sorting = ordered(
            [expanded(one, wanted=wanted) for one in self._profiles.values()],
            request.query_params,
            default="name",
        )
        return self._listed(request, found, sorting=sorting, filters={})

    def _dataprofile(self, request: Request) -> Response:
        path = request.path_params
        found = find_profile(self._profiles, identity=path["id"], version=path["version"])
        if found is None:
            return refusal(404, "dataprofile not found")
        return as_json(expanded(found, wanted=request.query_params.get("expanded")))

    def _datapoint(self, request: Request) -> Response:
        found = find_datapoint(self._profiles, identity=request.path_params["id"])
        return refusal(404, "datapoint not found") if found is None else as_json(found)

    async def _open_stream(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        try:
            token = self._streams.open(await request.body())
        except msgspec.MsgspecError as error:
            return refusal(400, str(error))
        return as_json({"token": token, "validUntil": milliseconds(self._now() + DOWNLOAD_S)})

    def _stream(self, request: Request) -> Response:
        events = self._streams.events(request.path_params["token"])
        if events is None:
            return refusal(404, "unknown change stream")
        return StreamingResponse(events, media_type="text/event-stream")

    async def _api_info(self, _request: Request) -> Response:
        return as_json({"version": "3.5.0"})

    async def _elsewhere(self, request: Request) -> Response:
        if self.identity.grant(request.headers.get("authorization")) is None:
            return as_json({"error": "invalid_token"}, status=401)
        if request.method != "GET":
            self.writes.append(f"{request.method} {request.url.path}")
            return refusal(403, "not allowed")
        return refusal(404, "not found")
