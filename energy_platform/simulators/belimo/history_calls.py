"""Calls about history: raw samples, timeseries, and tables to download.

Source: Belimo Cloud Client API, sections 5 (history) and 8 (download).
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response

from energy_platform.simulators.belimo.answers import ROOT, as_json, body, iso, refusal
from energy_platform.simulators.belimo.device_calls import scope_of
from energy_platform.simulators.belimo.history import (
    DEFAULT_POINTS,
    Buckets,
    History,
    ParameterError,
    find,
    listing,
)
from energy_platform.simulators.belimo.inventory import Inventory, base_type, milliseconds
from energy_platform.simulators.belimo.parameters import bounds
from energy_platform.simulators.world import Samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from energy_platform.simulators.belimo.listings import Listings
    from energy_platform.simulators.faults import Faults

DOWNLOAD_S: Final = 600.0
"""How long the link to a table is good."""


class HistoryCalls:
    """Answers about history.

    Args:
        inventory: The devices under their ids of now.
        history: Their samples.
        listings: Makes pages.
        faults: ``left_out_series`` and ``odd_rows`` are read.
        now: The cloud's clock, epoch seconds.

    Attributes:
        buckets_from_start: Whether buckets are counted from the beginning of the window asked for
            rather than from midnight UTC; the vendor does not say.
    """

    def __init__(
        self,
        inventory: Inventory,
        *,
        history: History,
        listings: Listings,
        faults: Faults,
        now: Callable[[], float],
    ) -> None:
        self._inventory = inventory
        self._history = history
        self._listings = listings
        self._faults = faults
        self._now = now
        self._downloads: dict[str, tuple[float, bytes]] = {}
        self.buckets_from_start = False

    def _window(self, request: Request) -> tuple[float, float]:
        scope = scope_of(request, self._inventory)
        return bounds(request.query_params, since=scope.since, now=self._now())

    def timeseries(self, request: Request) -> Response:
        """Answer buckets of several datapoints."""
        query = request.query_params
        scope = scope_of(request, self._inventory)
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
            left_out = self._faults.should_fail("left_out_series", path=request.url.path)
            if signal is not None and base_type(signal) != "text" and not left_out:
                series.append(self._history.series(signal, samples, buckets=buckets))
        head = msgspec.json.encode({"from": iso(start), "to": iso(end), "resolution": resolution})
        return body(head[:-1] + b',"series":[' + b",".join(series) + b"]}")

    def raw(self, request: Request) -> Response:
        """Answer the samples of one datapoint."""
        query = request.query_params
        scope = scope_of(request, self._inventory)
        datapoint = request.path_params["datapoint"]
        direction = query.get("sortDirection", "ASC")
        if query.get("sortBy", "time") != "time" or direction not in {"ASC", "DESC"}:
            raise ParameterError("sortBy must be time, sortDirection ASC or DESC")
        page = self._listings.page(request)
        start, end = self._window(request)
        signal, samples = self._history.samples(
            scope, datapoint, start=start, end=end, now=self._now()
        )
        total = int(samples.at.size)
        first = page.first % total if page.endless and total else page.first
        if self._faults.should_fail("left_out_series", path=request.url.path):
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
        if data and self._faults.should_fail("odd_rows", path=request.url.path):
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
        scope = scope_of(request, self._inventory)
        start, end = self._window(request)
        wanted = [one for one in request.query_params.get("datapointIds", "").split(",") if one]
        signals = [] if scope.device is None else list(scope.device.signals)
        if wanted:
            signals = [signal for name in wanted if (signal := find(scope, name)) is not None]
        return self._history.csv(scope, signals, (start, end, self._now()))

    def download(self, request: Request) -> Response:
        """Answer a table of samples."""
        return Response(self._table(request), media_type="text/csv")

    def request_download(self, request: Request) -> Response:
        """Answer a link to a table of samples."""
        token = secrets.token_urlsafe(16)
        self._downloads[token] = (time.monotonic() + DOWNLOAD_S, self._table(request))
        url = f"{str(request.base_url).rstrip('/')}{ROOT}/downloads/{token}"
        until = milliseconds(self._now() + DOWNLOAD_S)
        return as_json({"downloadUrl": url, "validUntil": until})

    async def downloaded(self, request: Request) -> Response:
        """Answer the table behind a link."""
        until, table = self._downloads.get(request.path_params["token"], (0.0, b""))
        if time.monotonic() >= until:
            return refusal(403, "the link is no longer valid")
        return Response(table, media_type="text/csv")
