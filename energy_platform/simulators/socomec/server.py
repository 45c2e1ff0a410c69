"""The SoData API: listings with take and skip, variables, last values, history.

Source: SoData API, sections 4 to 9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from energy_platform.simulators.base import SIMULATED_RPS, PortfolioRules, Simulator
from energy_platform.simulators.socomec.bulk import build_bulk
from energy_platform.simulators.socomec.datapoints import EXTRA, History, QueryError, read_query
from energy_platform.simulators.socomec.devices import build_meters
from energy_platform.simulators.socomec.faults import FAULTS
from energy_platform.simulators.socomec.inventory import CA_UUID, Inventory, Record, last_value
from energy_platform.simulators.socomec.keycloak import REALM, Keycloak
from energy_platform.simulators.socomec.openapi import (
    OPENAPI,
    OPENAPI_PATH,
    ROOT,
    SWAGGER_PAGE,
    swagger_page,
)
from energy_platform.simulators.socomec.searches import (
    BodyError,
    Paging,
    read_body,
    read_last_values,
    searched,
)
from energy_platform.simulators.world import Clock, World, real_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request

    from energy_platform.simulators.faults import Faults
    from energy_platform.simulators.world import Bulk, Device, Site

JSON: Final = "application/json"


class SocomecSimulator(Simulator):
    """SoData and its Keycloak as two ASGI applications.

    Args:
        world: What there is to see.
        faults: Switched while running; declares its own names on it.
        clock: Nothing later than its time is served.
        keycloak: Token lifetimes and the account; the default has 300 s and 1800 s.

    Attributes:
        may_read_customers: Whether the user has the right to; 403 otherwise.
    """

    name = "socomec"
    own_faults = FAULTS
    has_identity = True
    portfolio = PortfolioRules(
        device_type=lambda device: device.model.lower().replace(" ", "_").replace("-", "_"),
        has_device_role=True,
        hourly_points=True,
    )

    def __init__(
        self,
        *,
        world: World,
        faults: Faults | None = None,
        clock: Clock = real_time,
        keycloak: Keycloak | None = None,
    ) -> None:
        super().__init__(faults=faults, clock=clock)
        self.keycloak = self.identity = keycloak or Keycloak(faults=self.faults)
        self.may_read_customers = True
        self._inventory = Inventory(world)
        self._history = History(self._inventory, faults=self.faults, seed=world.seed)
        self.app = self.with_faults(Starlette(routes=self._routes()), endpoint=_endpoint)
        self.identity_app = self.identity_with_faults(
            self.keycloak.routes(),
            endpoint=lambda path: "token" if path.endswith("/token") else "realm",
        )

    @classmethod
    def devices(cls, sites: Sequence[Site], *, seed: int) -> tuple[Device, ...]:
        """Return the meters, inverters, UPS and gateways of the world."""
        return build_meters(sites, seed=seed)

    @classmethod
    def bulk_devices(cls, site: Site, *, bulk: Bulk, seed: int) -> tuple[Device, ...]:
        """Return meters outside the site's balance, as many as a benchmark asks for."""
        return build_bulk(site, bulk=bulk, seed=seed)

    def environment(self, url: Callable[[str], str]) -> dict[str, str]:
        """Return the variables that point the platform at SoData and its Keycloak."""
        return {
            "SOCOMEC_API_URL": url("socomec") + "/",
            "SOCOMEC_KEYCLOAK_URL": url("socomec_identity") + "/",
            "SOCOMEC_REALM": REALM,
            **self.keycloak.account.environment("SOCOMEC"),
            "SOCOMEC_RPS": SIMULATED_RPS,
        }

    def _routes(self) -> list[Route]:
        account = f"{ROOT}/ca/{{ca}}"
        device = f"{account}/devices/{{device}}"
        found = self._inventory
        reads: list[tuple[str, Callable[[Request], Response]]] = [
            (f"{ROOT}/ca", lambda r: self._page(r, found.accounts)),
            (account, lambda r: _one(found.accounts, r.path_params["ca"])),
            (f"{account}/customers", lambda r: self._page(r, found.customers)),
            (
                f"{account}/customers/{{customer}}",
                lambda r: _one(found.customers, r.path_params["customer"]),
            ),
            (f"{account}/sites", lambda r: self._page(r, found.sites)),
            (f"{account}/sites/count", lambda _: _json({"count": len(found.sites)})),
            (f"{account}/sites/{{site}}", lambda r: _one(found.sites, r.path_params["site"])),
            (
                f"{account}/devices",
                lambda r: self._page(r, found.described_devices(r.query_params)),
            ),
            (device, lambda r: _one(found.device_records.values(), r.path_params["device"])),
            (f"{device}/gateway", self._gateway),
            (f"{device}/variables", self._variables),
            (f"{device}/variables/{{variable}}", self._variable),
            (f"{device}/last-values", self._last_values),
            (OPENAPI_PATH, lambda _: _json(OPENAPI)),
        ]
        routes = [Route(path, self._guarded(read), methods=["GET"]) for path, read in reads]
        asked: list[tuple[str, str, Callable[[bytes, Request], Response]]] = [
            ("PUT", f"{account}/datapoints", self._datapoints),
            ("PUT", f"{account}/last-values", self._last_values_of_several),
            ("POST", f"{account}/variables", self._searched_variables),
        ]
        routes += [
            Route(path, self._asked_by_body(read), methods=[method]) for method, path, read in asked
        ]
        # The page that a person opens; it needs no token, what it shows does.
        routes.append(Route(SWAGGER_PAGE, lambda _: HTMLResponse(swagger_page())))
        routes.append(
            Route(
                "/{path:path}",
                self._elsewhere,
                methods=["GET", "PUT", "POST", "DELETE", "PATCH"],
            )
        )
        return routes

    def _guarded(
        self, read: Callable[[Request], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            refused = self._refused(request)
            return read(request) if refused is None else refused

        return serve

    def _asked_by_body(
        self, read: Callable[[bytes, Request], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Serve a read whose question stands in the body; it is not a write."""

        async def serve(request: Request) -> Response:
            refused = self._refused(request)
            if refused is not None:
                return refused
            if request.headers.get("content-type", "").partition(";")[0].strip() != JSON:
                return _error(415, f"Content-Type must be {JSON}")
            try:
                return read(await request.body(), request)
            except QueryError as error:
                return _error(error.status, str(error))
            except BodyError as error:
                return _error(400, str(error))

        return serve

    def _refused(self, request: Request) -> Response | None:
        if not self.keycloak.accepted(request.headers.get("authorization")):
            return _error(401, "Unauthorized")
        if request.path_params.get("ca", CA_UUID) != CA_UUID:
            return _error(404, "Corporate account not found")
        if "device" in request.path_params and request.path_params["device"] not in (
            self._inventory.devices
        ):
            return _error(404, "Device not found")
        if "/customers" in request.url.path and not self.may_read_customers:
            return _error(403, "Forbidden resource")
        return None

    def _page(self, request: Request, records: list[Record]) -> Response:
        """A page of a listing."""
        query = request.query_params
        try:
            paging = Paging.read(query)
        except BodyError as error:
            return _error(400, str(error))
        for key in ("siteUuid", "customerUuid"):
            if key in query:
                records = [one for one in records if one.get(key) == query[key]]
        if (field := query.get("sortBy")) is not None:
            records = sorted(records, key=lambda one: str(one.get(field) or ""))
        return self._paged(request, records, paging=paging)

    def _paged(self, request: Request, records: list[Record], *, paging: Paging) -> Response:
        """The page wanted of these records, with what the faults make of it."""
        take, skip = paging.take, paging.skip
        faults = self.faults
        if faults.active("no_rights"):
            records = []
        total = len(records)
        drifted = skip > 0 and faults.should_fail("page_drift", path=request.url.path)
        repeated = skip > 0 and faults.should_fail("repeated_page", path=request.url.path)
        endless = faults.active("endless_pages")
        if drifted:
            skip -= 1
        if repeated:
            skip = 0
        if endless is not None and records:
            total, skip = skip + take + total, skip % len(records)
        if faults.should_fail("wrong_total", path=request.url.path):
            total += 1
        page: Record = {"total": total, "results": records[skip : skip + take], "take": take}
        return _json(page | EXTRA if faults.should_fail("extra_keys") else page)

    def _gateway(self, request: Request) -> Response:
        record = self._inventory.device_records[request.path_params["device"]]
        gateway = self._inventory.device_records.get(record["gatewayUuid"] or "")
        return _error(404, "Gateway not found") if gateway is None else _json(gateway)

    def _variables(self, request: Request) -> Response:
        found = self._inventory.variables[request.path_params["device"]]
        if self.faults.active("no_rights"):
            found = []
        # All at once, and no take in this answer.
        return _json({"results": found, "total": len(found)})

    def _variable(self, request: Request) -> Response:
        found = self._inventory.variables[request.path_params["device"]]
        return _one(found, request.path_params["variable"])

    def _searched_variables(self, body: bytes, request: Request) -> Response:
        wanted = read_body(body)
        every = [one for found in self._inventory.variables.values() for one in found]
        return self._paged(
            request,
            searched(every, wanted=wanted),
            paging=Paging.read(wanted, request.query_params),
        )

    def _last_values(self, request: Request) -> Response:
        identity = request.path_params["device"]
        return _json({"devices": [{"deviceUuid": identity, "values": self._values(identity)}]})

    def _last_values_of_several(self, body: bytes, _request: Request) -> Response:
        query = read_last_values(body)
        devices = [
            {
                "deviceUuid": identity,
                "values": [one for one in self._values(identity) if query.wants(one)],
            }
            for identity in query.devices
        ]
        return _json({"devices": devices})

    def _values(self, identity: str) -> list[Record]:
        """The last values of a device; none of one that nobody knows."""
        device = self._inventory.devices.get(identity)
        if device is None or self.faults.active("no_rights"):
            return []
        now = self.now_s()
        records = [last_value(identity, device, signal, now=now) for signal in device.signals]
        return [record for record in records if record is not None]

    def _datapoints(self, body: bytes, _request: Request) -> Response:
        answer = self._history.answer(read_query(body), now=self.now_s())
        return Response(answer, media_type=JSON)

    async def _elsewhere(self, request: Request) -> Response:
        if not self.keycloak.accepted(request.headers.get("authorization")):
            return _error(401, "Unauthorized")
        if request.method != "GET":
            self.writes.append(f"{request.method} {request.url.path}")
            return _error(403, "Forbidden resource")
        return _error(404, f"Cannot GET {request.url.path}")


def _endpoint(path: str) -> str:
    """The path without ids: ``devices``, ``devices/variables``, ``datapoints`` and so on."""
    parts = [part for part in path.removeprefix(ROOT).split("/") if part]
    if parts[:1] != ["ca"]:
        return "elsewhere"
    named = parts[2:]
    names = named[0::2] if len(named) != 2 or named[1] != "count" else named  # noqa: PLR2004
    if not names:
        return "ca" if len(parts) == 1 else "ca/one"
    return "/".join(names) + ("/one" if len(named) % 2 == 0 and named[1:] != ["count"] else "")


def _one(records: Any, identity: str) -> Response:
    for record in records:
        if record["uuid"] == identity:
            return _json(record)
    return _error(404, "Not found")


def _json(content: Any) -> Response:
    return Response(msgspec.json.encode(content), media_type=JSON)


def _error(status: int, message: str) -> Response:
    phrase = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not VendorInventory"}
    content = {"statusCode": status, "message": [message], "error": phrase.get(status, "Error")}
    return Response(msgspec.json.encode(content), status_code=status, media_type=JSON)
