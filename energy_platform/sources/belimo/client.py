"""Belimo Cloud Client API v3: reading calls only.

Source: the vendor's Python example and OpenAPI description 3.5.0 (sections 3 to 5 and 10).
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from energy_platform.closeable import Closeable
from energy_platform.sources.belimo.auth import BelimoAuth
from energy_platform.sources.belimo.decoding import (
    EMPTY,
    DeviceDecoder,
    SampleDecoder,
    SamplePage,
    TimeseriesDecoder,
)
from energy_platform.sources.belimo.models import (
    ApiInfo,
    Dataprofile,
    Device,
    DeviceStats,
)
from energy_platform.sources.belimo.paging import Paged, read_all
from energy_platform.sources.belimo.samples import Answer, Asked, read_samples
from energy_platform.sources.http.client import Auth, Call, Transport
from energy_platform.sources.http.errors import ContractError
from energy_platform.sources.http.messages import segment
from energy_platform.sources.http.patience import Patience
from energy_platform.sources.http.rate_limit import Clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.sources.belimo.settings import BelimoSettings
    from energy_platform.sources.http.client import Stats
    from energy_platform.sources.http.logins import RefusedLogins
    from energy_platform.sources.http.messages import Param

log = logging.getLogger(__name__)


ALLOWED: Final = (
    Call("GET", r"/devices/stats"),
    Call("GET", r"/devices"),
    Call("GET", r"/devices/[^/]+/data/history/timeseries"),
    Call("GET", r"/devices/[^/]+/data/history/datapoints/[^/]+"),
    Call("GET", r"/definitions/dataprofiles/[^/]+/[^/]+"),
)
"""The only calls this client can make: none of them writes."""

OPEN_TO_ALL: Final = (Call("GET", r"/api-info"),)
"""Calls without a token."""

_INFO: Final = msgspec.json.Decoder(ApiInfo)
_STATS: Final = msgspec.json.Decoder(DeviceStats)
_PROFILE: Final = msgspec.json.Decoder(Dataprofile)
_DEVICES: Final = DeviceDecoder()
_SAMPLES: Final = SampleDecoder()
_TIMESERIES: Final = TimeseriesDecoder()


class BelimoClient(Closeable):
    """Speaks HTTP only: no orchestration, no files, no environment.

    One client may be used from several threads; the transport keeps the account's rate.

    Args:
        settings: Addresses, credentials and limits.
        clock: Time sources.
        backoff_s: First pause before a request is repeated; None takes the setting.
        logins: What is known of refused logins; None remembers for the life of this client.
    """

    def __init__(
        self,
        settings: BelimoSettings,
        *,
        clock: Clock | None = None,
        backoff_s: float | None = None,
        logins: RefusedLogins | None = None,
    ) -> None:
        self.settings = settings
        self._clock = clock or Clock()
        self._backoff_s = settings.backoff_s if backoff_s is None else backoff_s
        self.patience = Patience(source="belimo", limit_s=settings.run_limit_s, clock=self._clock)
        self._auth = BelimoAuth(
            settings,
            clock=self._clock,
            backoff_s=self._backoff_s,
            logins=logins,
            patience=self.patience,
        )
        self._transport = self._open(ALLOWED, auth=self._auth)
        self._public = self._open(OPEN_TO_ALL, auth=None)
        self._profiles: dict[str, Dataprofile] = {}
        self._profiles_lock = threading.Lock()

    def _open(self, allowed: Sequence[Call], *, auth: Auth | None) -> Transport:
        settings = self.settings
        return Transport(
            vendor="belimo",
            base_url=settings.api_url,
            allowed=allowed,
            rps=settings.rps,
            max_in_flight=settings.max_in_flight,
            timeout_s=settings.timeout_s,
            attempts=settings.attempts,
            auth=auth,
            backoff_s=self._backoff_s,
            clock=self._clock,
            patience=self.patience,
            ca_file=settings.ca_file,
            simple="/api-info",
        )

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()
        self._public.close()
        self._auth.close()

    @property
    def stats(self) -> Stats:
        """Requests, retries and bytes of the API so far (logins not counted)."""
        return self._transport.stats

    def api_info(self) -> ApiInfo:
        """Return the API's version; needs no token, so it doubles as a health check."""
        return self._public.fetch("GET", "/api-info", decoder=_INFO, endpoint="api-info")[0]

    def device_stats(self) -> DeviceStats:
        """Return how many devices the account sees, by connection and health."""
        return self._transport.fetch(
            "GET", "/devices/stats", decoder=_STATS, endpoint="device stats"
        )[0]

    def devices(self, *, state: str = "REGISTERED", search: str | None = None) -> list[Device]:
        """Return every device of the account, all pages, ordered by id.

        Args:
            state: ``REGISTERED``, ``UNREGISTERED`` or ``ALL``.
            search: Part of a display name or serial number.

        Raises:
            TransientError: The list kept changing while it was read.
            ContractError: The pages do not add up.
        """
        params: dict[str, Param] = {"state": state, "sortBy": "id", "sortDirection": "ASC"}
        if search:
            params["search"] = search

        def page(offset: int) -> Paged[Device]:
            answer = self._transport.fetch(
                "GET",
                "/devices",
                decoder=_DEVICES,
                endpoint="devices",
                params={**params, "limit": self.settings.page_size, "offset": offset},
            )[0]
            if answer.odd:
                log.warning("belimo devices: %d elements without an id are left out", answer.odd)
            return Paged(answer.data, answer.paging.total if answer.paging else None, answer.odd)

        return read_all(
            page,
            limit=self.settings.page_size,
            identity=lambda device: device.id,
            endpoint="devices",
            subject=None,
            day=None,
        )

    def device_by_serial(
        self, serial_number: str, *, production_id: str | None = None
    ) -> Device | None:
        """Return the device that carries a serial number now, None when none is visible.

        A transferred device has a new id; its serial number and production id stay.

        Args:
            serial_number: Serial number.
            production_id: Tells devices apart that share the number; None where it is not known.
        """
        found = [one for one in self.devices(search=serial_number) if one.serial == serial_number]
        if production_id is not None and len(found) > 1:
            found = [one for one in found if str(one.production_id) == production_id]
        return next(iter(found), None)

    def dataprofile(self, profile_id: str) -> Dataprofile:
        """Return a dataprofile with its datapoints; kept for the life of this client.

        Args:
            profile_id: ``id/version``; the slash belongs to the path.
        """
        with self._profiles_lock:
            known = self._profiles.get(profile_id)
        if known is not None:
            return known
        identifier, _, version = profile_id.partition("/")
        profile = self._transport.fetch(
            "GET",
            f"/definitions/dataprofiles/{segment(identifier)}/{segment(version or 'last')}",
            decoder=_PROFILE,
            endpoint="dataprofile",
            subject=profile_id,
            params={"expanded": True},
        )[0]
        if version and version != "last":
            with self._profiles_lock:
                self._profiles[profile_id] = profile
        return profile

    def history(
        self,
        device_id: str,
        datapoint_id: str,
        *,
        start: datetime,
        end: datetime,
        day: str | None = None,
        cadence: timedelta | None = None,
        end_tolerance: timedelta = timedelta(0),
    ) -> Answer:
        """Return the raw samples of one datapoint with what speaks for or against their number.

        Args:
            device_id: Data scope.
            datapoint_id: Datapoint, such as ``evcloud.210``.
            start: Inclusive.
            end: Exclusive.
            day: Day or days asked for, for messages.
            cadence: Longest step known of the series: a last sample this near the end is the last.
            end_tolerance: The same for windows that end at the present.

        Raises:
            TransientError: The history kept changing while it was read.
            ContractError: The vendor sends pages without end, or no page at all.
        """
        asked = Asked("raw samples", f"{device_id} {datapoint_id}", day)
        limit = self.settings.sample_page_size
        path = f"/devices/{segment(device_id)}/data/history/datapoints/{segment(datapoint_id)}"

        def page(low: datetime, offset: int) -> SamplePage:
            return self._transport.fetch(
                "GET",
                path,
                decoder=_SAMPLES,
                endpoint=asked.endpoint,
                subject=asked.subject,
                day=day,
                params={
                    "from": _said(low),
                    "to": _said(end),
                    "limit": limit,
                    "offset": offset,
                    "sortBy": "time",
                    "sortDirection": "ASC",
                },
            )[0]

        return read_samples(
            page,
            start=start,
            end=end,
            limit=limit,
            cadence=cadence,
            end_tolerance=end_tolerance,
            asked=asked,
        )

    def buckets(
        self,
        device_id: str,
        datapoint_ids: Sequence[str],
        *,
        start: datetime,
        end: datetime,
        resolution: str,
        day: str | None = None,
    ) -> dict[str, Answer]:
        """Return resampled history, newest value per bucket, stamped with the bucket's start.

        Args:
            device_id: Data scope.
            datapoint_ids: Datapoints; the caller keeps within the points of one request.
            start: Inclusive; a multiple of the resolution, so that buckets stand on the UTC grid.
            end: Exclusive.
            resolution: Width of a bucket, such as ``15m``.
            day: Day or days asked for, for messages.

        Returns:
            Rows, odd rows, and whether it was left out, per datapoint. The bucket that holds the
            present is provisional.

        Raises:
            ContractError: No answer of this call, or buckets of another width than asked for.
        """
        rows, width = self._transport.fetch(
            "GET",
            f"/devices/{segment(device_id)}/data/history/timeseries",
            decoder=_TIMESERIES,
            endpoint="timeseries",
            subject=device_id,
            day=day,
            params={
                "datapointIds": ",".join(datapoint_ids),
                "from": _said(start),
                "to": _said(end),
                "resolution": resolution,
                "aggregation": "last",
            },
        )[0]
        if width not in {None, resolution}:
            raise ContractError(
                f"asked for buckets of {resolution}, came {str(width)[:20]}",
                vendor="belimo",
                endpoint="timeseries",
                subject=device_id,
                day=day,
                advice="Set BELIMO_RESOLUTION to a resolution the vendor gives, such as 15m",
            )
        answers = {}
        for wanted in datapoint_ids:
            found = rows.get(wanted)
            frame = EMPTY if found is None else found.frame
            inside = frame.filter(pl.col("at").is_between(start, end, closed="left"))
            answers[wanted] = Answer(
                inside, Counter(() if found is None else found.odd), left_out=found is None
            )
        return answers


def _said(instant: datetime) -> str:
    """Write an instant as the API's examples do, without decimals where there are none."""
    utc = instant.astimezone(UTC)
    text = utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds")
    return text.replace("+00:00", "Z")
