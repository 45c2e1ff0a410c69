"""Calls about devices: listing, one device, its state, its timeline.

Source: Belimo Cloud Client API, sections 3, 4 and 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.simulators.belimo.answers import as_json
from energy_platform.simulators.belimo.history import ParameterError
from energy_platform.simulators.belimo.inventory import (
    CREATED,
    Inventory,
    Record,
    Scope,
    milliseconds,
    record,
    state,
    stats,
)
from energy_platform.simulators.belimo.parameters import instant, ordered

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from energy_platform.simulators.belimo.listings import Listings
    from energy_platform.simulators.faults import Faults


def scope_of(request: Request, inventory: Inventory) -> Scope:
    """Return the data scope that a path names.

    Raises:
        ParameterError: There is none.
    """
    scope = inventory.scope(request.path_params["device"])
    if scope is None:
        raise ParameterError("device not found")
    return scope


class DeviceCalls:
    """Answers about devices.

    Args:
        inventory: The devices under their ids of now.
        listings: Makes pages.
        faults: ``no_rights`` is read.
        now: The cloud's clock, epoch seconds.
    """

    def __init__(
        self,
        inventory: Inventory,
        *,
        listings: Listings,
        faults: Faults,
        now: Callable[[], float],
    ) -> None:
        self._inventory = inventory
        self._listings = listings
        self._faults = faults
        self._now = now

    def stats(self, request: Request) -> Response:
        """Answer how many devices are online and healthy."""
        owner = request.query_params.get("owner", "o1")
        scopes = self._inventory.current() if owner == "o1" else []
        return as_json(stats(scopes, now=self._now()))

    def devices(self, request: Request) -> Response:
        """Answer the listing of the devices."""
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
        if query.get("owner", "o1") != "o1" or self._faults.active("no_rights"):
            found = []
        filters = {"state": wanted} | ({} if search is None else {"search": search})
        found, sorting = ordered(found, query, default="displayName")
        return self._listings.answer(
            request, found, sorting=sorting, filters=filters, complete=self._with_state
        )

    def _with_state(self, one: Record) -> Record:
        # Twelve datapoints each: worth it for the page's devices only.
        scope = self._inventory.scope(one["id"])
        return one if scope is None else record(scope, now=self._now())

    def device(self, request: Request) -> Response:
        """Answer one device."""
        return as_json(record(scope_of(request, self._inventory), now=self._now()))

    def state(self, request: Request) -> Response:
        """Answer the datapoints of a device at an instant."""
        at = request.query_params.get("at")
        moment = self._now() if at is None else min(instant(at, key="at"), self._now())
        return as_json(state(scope_of(request, self._inventory), now=moment))

    def timeline(self, request: Request) -> Response:
        """Answer what happened to a device."""
        scope = scope_of(request, self._inventory)
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
        return self._listings.answer(request, events, sorting=("timestamp", direction), filters={})
