"""The reading part of the SoData API, sections 4 to 6: HTTP in, typed answers out."""

from __future__ import annotations

import logging
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

import msgspec

from energy_platform.closeable import Closeable
from energy_platform.sources.http.client import Call, Clock, Stats, Transport, segment
from energy_platform.sources.http.errors import ContractError, TransientError
from energy_platform.sources.http.patience import Patience
from energy_platform.sources.socomec.auth import KeycloakAuth
from energy_platform.sources.socomec.echo import ENDPOINT
from energy_platform.sources.socomec.history import History, Reading, gives_up_on
from energy_platform.sources.socomec.models import (
    CorporateAccount,
    Customer,
    Device,
    LastValue,
    LastValues,
    Page,
    SeriesKey,
    Site,
    Variable,
)
from energy_platform.sources.socomec.odd_rows import DatapointsDecoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.sources.coverage import Before
    from energy_platform.sources.http.client import Decoder
    from energy_platform.sources.http.logins import RefusedLogins
    from energy_platform.sources.socomec.batch_size import HistoryRequest
    from energy_platform.sources.socomec.models import Datapoints
    from energy_platform.sources.socomec.refusals import Refusals
    from energy_platform.sources.socomec.settings import SocomecSettings

T = TypeVar("T")
Listed = TypeVar("Listed", CorporateAccount, Customer, Site, Device)

log = logging.getLogger(__name__)

_ROOT: Final = "/api/v1/ca"
_ID: Final = "[^/]+"
_READS: Final = (
    Call("GET", _ROOT),
    Call("GET", rf"{_ROOT}/{_ID}"),
    Call("GET", rf"{_ROOT}/{_ID}/(customers|sites|devices)"),
    Call("GET", rf"{_ROOT}/{_ID}/devices/{_ID}/(variables|last-values)"),
)
"""The only calls besides history, which is added with its configured name; all only read."""

MAX_RECORDS: Final = 250_000
"""Records beyond which a listing is one that never ends: 5000 pages of the default size."""

_CORPORATE_ACCOUNT: Final = msgspec.json.Decoder(CorporateAccount)
_CORPORATE_ACCOUNTS: Final = msgspec.json.Decoder(Page[CorporateAccount])
_CUSTOMERS: Final = msgspec.json.Decoder(Page[Customer])
_SITES: Final = msgspec.json.Decoder(Page[Site])
_DEVICES: Final = msgspec.json.Decoder(Page[Device])
_VARIABLES: Final = msgspec.json.Decoder(Page[Variable])
_LAST_VALUES: Final = msgspec.json.Decoder(LastValues)
_DATAPOINTS: Final = DatapointsDecoder()


class _Listing(NamedTuple, Generic[Listed]):
    """One reading of all pages: records by uuid, the last total, whether a page only repeated."""

    found: dict[str, Listed]
    total: int
    is_repeating: bool


class SocomecClient(Closeable):
    """Reads what one SoLive Pro user can see at SoData; may be used from several threads.

    Args:
        settings: Where and who; see ``SocomecSettings``.
        clock: Time sources.
        backoff_s: First pause before another attempt; None takes the setting.
        logins: What is known of refused logins; None remembers for the life of this client.

    Raises:
        SettingsError: A credential is not set, or the trust store or proxy cannot be used.
    """

    def __init__(
        self,
        settings: SocomecSettings,
        *,
        clock: Clock | None = None,
        backoff_s: float | None = None,
        logins: RefusedLogins | None = None,
    ) -> None:
        self.settings = settings
        pause_s = settings.backoff_s if backoff_s is None else backoff_s
        clock = clock or Clock()
        self.patience = Patience(source="socomec", limit_s=settings.run_limit_s, clock=clock)
        self._auth = KeycloakAuth(
            settings, clock=clock, backoff_s=pause_s, logins=logins, patience=self.patience
        )
        history = Call("PUT", rf"{_ROOT}/{_ID}/{re.escape(settings.datapoints_path)}")
        self._transport = Transport(
            vendor="socomec",
            base_url=settings.api_url,
            allowed=(*_READS, history),
            rps=settings.rps,
            max_in_flight=settings.max_in_flight,
            timeout_s=settings.timeout_s,
            attempts=settings.attempts,
            auth=self._auth,
            backoff_s=pause_s,
            clock=clock,
            patience=self.patience,
            ca_file=settings.ca_file,
            simple=_ROOT,
        )
        self._history = History(
            fetch=self._portion,
            max_window=timedelta(seconds=settings.max_window_s),
            max_series=settings.max_series,
        )
        self._lock = threading.Lock()
        self._warnings: list[str] = []

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()
        self._auth.close()

    @property
    def stats(self) -> Stats:
        """Requests, retries and bytes so far, logins apart."""
        return self._transport.stats

    def take_warnings(self) -> list[str]:
        """Return the anomalies of the answers since the last call, and forget it."""
        with self._lock:
            taken, self._warnings = self._warnings, []
        return taken + self._history.take_warnings()

    def corporate_accounts(self) -> list[CorporateAccount]:
        """List the corporate accounts the user sees.

        Raises:
            VendorError: As every call of this class: what the vendor refused or could not answer.
        """
        return self._listing(_ROOT, endpoint="corporate accounts", decoder=_CORPORATE_ACCOUNTS)

    def corporate_account(self, ca: str) -> CorporateAccount:
        """Return one corporate account."""
        return self._get(_path(ca), endpoint="corporate account", decoder=_CORPORATE_ACCOUNT)

    def customers(self, ca: str) -> list[Customer]:
        """List the customers, without their personal data."""
        return self._listing(_path(ca, "customers"), endpoint="customers", decoder=_CUSTOMERS)

    def sites(self, ca: str) -> list[Site]:
        """List the sites."""
        return self._listing(_path(ca, "sites"), endpoint="sites", decoder=_SITES)

    def devices(self, ca: str) -> list[Device]:
        """List the devices and gateways."""
        return self._listing(_path(ca, "devices"), endpoint="devices", decoder=_DEVICES)

    def variables(self, ca: str, device: str) -> list[Variable]:
        """List the variables of a device; they come all at once."""
        page = self._get(
            _path(ca, "devices", device, "variables"),
            endpoint="variables",
            decoder=_VARIABLES,
            subject=f"device {device}",
        )
        found = {variable.uuid: variable for variable in page.results}
        if page.total is not None and len(found) != page.total:
            self._warn(f"device {device}: {len(found)} variables came, {page.total} announced")
        return list(found.values())

    def last_values(self, ca: str, device: str) -> list[LastValue]:
        """Return the newest value of each variable of a device, each with its own date."""
        answer = self._get(
            _path(ca, "devices", device, "last-values"),
            endpoint="last values",
            decoder=_LAST_VALUES,
            subject=f"device {device}",
        )
        return [
            value for one in answer.devices if one.device_uuid == device for value in one.values
        ]

    def datapoints(
        self,
        ca: str,
        *,
        series: Sequence[SeriesKey],
        start: datetime,
        end: datetime,
        before: Before | None = None,
        is_open: bool = False,
        refusals: Refusals | None = None,
        is_sampled: bool = False,
    ) -> Reading:
        """Read raw history until it is shown to be whole, or cannot be.

        Args:
            ca: Corporate account of all the series.
            series: What to read.
            start: First instant, included.
            end: First instant no longer included.
            before: What the series gave on the day before; None when that is not known.
            is_open: Whether ``end`` is the present, so that newer points may still be on the way.
            refusals: Where devices that are refused are noted; None raises their refusal.
            is_sampled: Whether to look for answers that are thinned out.

        Raises:
            ContractError: An answer is of another shape, or of other series, than asked for.
            VendorError: A chunk could not be read, however small.
        """
        return self._history.read(
            ca,
            series=series,
            start=start,
            end=end,
            before=before,
            is_open=is_open,
            refusals=refusals,
            is_sampled=is_sampled,
        )

    def _portion(self, ca: str, request: HistoryRequest) -> Datapoints:
        query = {
            "from": _instant(request.start),
            # Rows beyond a bound that was moved up are dropped afterwards.
            "to": _instant(request.end + timedelta(microseconds=999)),
            "timezone": "UTC",
            # With true the vendor reads the bounds as local wall time despite their Z (section 7).
            "useDeviceLocalTimezone": False,
            "granularity": "raw",
            "series": [
                {
                    "deviceUuid": key.device_uuid,
                    "itemType": key.item_type,
                    "itemIndex": key.item_index,
                    "serviceId": key.service_id,
                }
                for key in request.series
            ],
        }
        devices = sorted({key.device_uuid for key in request.series})
        return self._transport.fetch(
            "PUT",
            _path(ca, self.settings.datapoints_path),
            decoder=_DATAPOINTS,
            endpoint=ENDPOINT,
            json=query,
            subject=f"device {devices[0]}" + (f" and {len(devices) - 1} more" * (len(devices) > 1)),
            retry_filter=lambda error: gives_up_on(request, error),
        )[0]

    def _get(
        self, path: str, *, endpoint: str, decoder: Decoder[T], subject: str | None = None
    ) -> T:
        return self._transport.fetch(
            "GET", path, decoder=decoder, endpoint=endpoint, subject=subject
        )[0]

    def _listing(
        self,
        path: str,
        *,
        endpoint: str,
        decoder: Decoder[Page[Listed]],
        query: dict[str, str] | None = None,
    ) -> list[Listed]:
        """Page through a listing; again, once, when the pages do not add up (section 6).

        Two readings that agree with each other but not with the total mean a total that counts
        something else. Two that differ, or pages that repeat, mean records not seen: an inventory
        without them would quietly leave their days empty.
        """
        readings: list[_Listing[Listed]] = []
        for _ in range(2):
            once = self._pages(path, endpoint=endpoint, decoder=decoder, query=query)
            if len(once.found) == once.total:
                return list(once.found.values())
            readings.append(once)
        first, second = readings
        found = {**first.found, **second.found}
        if len(found) < second.total and (
            first.found.keys() != second.found.keys() or second.is_repeating
        ):
            raise TransientError(
                f"the pages do not add up: {len(found)} records found in two readings,"
                f" {second.total} announced",
                vendor="socomec",
                endpoint=endpoint,
                kind="body",
                advice="Run it again later",
            )
        self._warn(f"{endpoint}: {len(found)} found in two readings, {second.total} announced")
        return list(found.values())

    def _pages(
        self,
        path: str,
        *,
        endpoint: str,
        decoder: Decoder[Page[Listed]],
        query: dict[str, str] | None,
    ) -> _Listing[Listed]:
        """Read all pages once; what grows to twice its announced size meanwhile never ends."""
        found: dict[str, Listed] = {}
        skip = allowed = 0
        while True:
            page, _ = self._transport.fetch(
                "GET",
                path,
                decoder=decoder,
                endpoint=endpoint,
                params={**(query or {}), "take": self.settings.page_size, "skip": skip},
            )
            if page.total is None:
                raise ContractError(
                    "expected a page with its total, got one without",
                    vendor="socomec",
                    endpoint=endpoint,
                    advice="The vendor may have changed its API; compare with its document",
                )
            allowed = allowed or 2 * page.total + 4 * self.settings.page_size
            if page.total > MAX_RECORDS or len(found) > allowed:
                raise ContractError(
                    f"the listing does not end: {page.total} records announced, {len(found)} read",
                    vendor="socomec",
                    endpoint=endpoint,
                    advice="Report it: the vendor's paging never ends",
                )
            known = len(found)
            found.update((record.uuid, record) for record in page.results)
            skip += len(page.results)
            # Records that moved between pages may stand beyond the announced end; an empty or
            # wholly repeated page would be asked for for ever.
            if len(found) >= page.total or len(found) == known:
                return _Listing(found, page.total, is_repeating=bool(page.results))

    def _warn(self, text: str) -> None:
        log.warning("socomec: %s", text)
        with self._lock:
            self._warnings.append(text)


def _path(ca: str, *chunks: str) -> str:
    return "/".join((_ROOT, *(segment(chunk) for chunk in (ca, *chunks))))


def _instant(at: datetime) -> str:
    """Write an instant as the vendor does, cut to the millisecond."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text.replace(".000Z", "Z")
