"""SkyCentrics cloud API: reading calls only.

Source: the vendor's API examples for a Super SkyBox gateway, and section 3 (endpoints).
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from energy_platform.closeable import Closeable
from energy_platform.settings import required
from energy_platform.sources.http import tolerant_json
from energy_platform.sources.http.bodies import plain_json
from energy_platform.sources.http.client import Call, Transport
from energy_platform.sources.http.errors import (
    AuthenticationError,
    ConnectionSetupError,
    PermanentError,
    TransientError,
)
from energy_platform.sources.http.messages import segment
from energy_platform.sources.http.patience import Patience
from energy_platform.sources.http.rate_limit import Clock
from energy_platform.sources.skycentrics.models import (
    Device,
    Record,
    loose_devices,
    record_of,
    records_of,
    unpacked,
)
from energy_platform.sources.skycentrics.signature import Signer

if TYPE_CHECKING:
    from energy_platform.sources.http.client import Stats
    from energy_platform.sources.http.logins import RefusedLogins
    from energy_platform.sources.skycentrics.settings import SkycentricsSettings

log = logging.getLogger(__name__)

ALLOWED: Final = (
    Call("GET", r"/devices/"),
    Call("GET", r"/devices/[^/]+/"),
    Call("GET", r"/devices/[^/]+/data"),
)
"""The only calls this client can make: none of them writes."""

PROBE: Final = timedelta(hours=1)
"""Window of the question whether this account has history."""

NO_HISTORY_STATUS: Final = frozenset({501})
"""Answers above 499 that mean a missing feature rather than a broken server."""

TOO_LONG: Final = frozenset({400, 413, 416, 422})
"""Answers that a window longer than the vendor likes may get."""

SHORTEST_WINDOW: Final = timedelta(hours=1)
"""A window that is refused at this length is not refused for it."""

HISTORY_ADVICE: Final = (
    "Run it again later; if the account has no history set SKYCENTRICS_HISTORY=off"
)

_DEVICE: Final = msgspec.json.Decoder(Device)
_LISTED: Final = msgspec.json.Decoder(list[Device])


class Newest(msgspec.Struct, frozen=True):
    """Newest data of a gateway: decoded, and the body as it came for the landing."""

    record: Record
    body: bytes


class _RecordDecoder:
    def decode(self, buf: bytes, /) -> Record:
        return record_of(buf)


class _HistoryDecoder:
    def decode(self, buf: bytes, /) -> list[Record]:
        return records_of(plain_json(unpacked(buf)))


class _DevicesDecoder:
    def decode(self, buf: bytes, /) -> tuple[list[Device], int]:
        try:
            return _LISTED.decode(buf), 0
        except msgspec.DecodeError:
            return loose_devices(tolerant_json.loads(buf))


_DEVICES: Final = _DevicesDecoder()
_RECORD: Final = _RecordDecoder()
_HISTORY: Final = _HistoryDecoder()


class SkycentricsClient(Closeable):
    """Speaks HTTP only: no orchestration, no files, no environment.

    Args:
        settings: Addresses, credentials and limits.
        clock: Time sources; its ``now`` dates and signs the requests.
        backoff_s: First pause before a request is repeated; None takes the setting.
        logins: What is known of refused credentials; None remembers for the life of this client.

    Raises:
        SettingsError: A credential is not set; the message names the variable.
    """

    def __init__(
        self,
        settings: SkycentricsSettings,
        *,
        clock: Clock | None = None,
        backoff_s: float | None = None,
        logins: RefusedLogins | None = None,
    ) -> None:
        self.settings = settings
        self._clock = clock or Clock()
        why = "every SkyCentrics request is signed with it"
        self._signer = Signer(
            client=required(settings.client_id, variable="SKYCENTRICS_CLIENT_ID", why=why),
            secret=required(settings.client_secret, variable="SKYCENTRICS_CLIENT_SECRET", why=why),
            api_url=settings.api_url,
            now=self._clock.now,
            logins=logins,
        )
        self.patience = Patience(
            source="skycentrics", limit_s=settings.run_limit_s, clock=self._clock
        )
        self._transport = Transport(
            vendor="skycentrics",
            base_url=settings.api_url,
            allowed=ALLOWED,
            rps=settings.rps,
            max_in_flight=settings.max_in_flight,
            timeout_s=settings.timeout_s,
            attempts=settings.attempts,
            auth=self._signer,
            backoff_s=settings.backoff_s if backoff_s is None else backoff_s,
            # A pause longer than the poll period would only delay the next poll.
            max_backoff_s=min(60.0, float(settings.poll_s)),
            clock=self._clock,
            patience=self.patience,
            ca_file=settings.ca_file,
            simple="/devices/",
        )
        self._probe_lock = threading.Lock()
        self._probed: dict[str, bool] = {}

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()
        self._signer.close()

    @property
    def stats(self) -> Stats:
        """Requests, retries and bytes so far."""
        return self._transport.stats

    def device_ids(self) -> list[str]:
        """Return the gateways to read: those of the settings, else all of the account."""
        named = [part.strip() for part in self.settings.device_ids.split(",") if part.strip()]
        return named or sorted(str(device.id) for device in self.devices())

    def devices(self) -> list[Device]:
        """Return the devices of the account (not in the vendor's own document).

        An element that is not a device, or has no id, costs no other; it is named in the log.
        """
        devices, odd = self._transport.fetch(
            "GET", "/devices/", decoder=_DEVICES, endpoint="devices"
        )[0]
        if odd:
            log.warning("skycentrics devices: %d elements without an id are left out", odd)
        return devices

    def device(self, device_id: str) -> Device:
        """Return one device; its address ends with a slash."""
        return self._transport.fetch(
            "GET",
            f"/devices/{segment(device_id)}/",
            decoder=_DEVICE,
            endpoint="device",
            subject=device_id,
        )[0]

    def newest(self, device_id: str) -> Newest:
        """Return the newest reading of every sensor of a gateway."""
        record, response = self._transport.fetch(
            "GET",
            f"/devices/{segment(device_id)}/data",
            decoder=_RECORD,
            endpoint="newest data",
            subject=device_id,
        )
        return Newest(record, response.content)

    def history(
        self, device_id: str, *, start: datetime, end: datetime, day: str | None = None
    ) -> list[Record]:
        """Return the records between two instants, in windows of the set length.

        Whether the bounds are inclusive is not documented: the caller drops what repeats.

        Raises:
            PermanentError: The account has no history, or not for this gateway.
            TransientError: It did not answer well in any of the attempts.
        """
        records: list[Record] = []
        window = timedelta(seconds=self.settings.history_window_s)
        while start < end:
            stop = min(start + window, end)
            records += self._records(device_id, start=start, end=stop, day=day)
            start = stop
        return records

    def _records(
        self, device_id: str, *, start: datetime, end: datetime, day: str | None
    ) -> list[Record]:
        """Read one window, in halves where the vendor refuses its length."""
        try:
            return self._transport.fetch(
                "GET",
                f"/devices/{segment(device_id)}/data",
                decoder=_HISTORY,
                endpoint="history",
                subject=device_id,
                day=day,
                params={"b": _said(start), "e": _said(end), "g": self.settings.history_gap},
                headers={"Accept": "application/gzip"},
            )[0]
        except TransientError as error:
            error.advice = HISTORY_ADVICE
            raise
        except PermanentError as error:
            if error.status not in TOO_LONG or end - start <= SHORTEST_WINDOW:
                raise
        middle = (start + (end - start) / 2).replace(microsecond=0)
        # The longest window that is not refused is not documented.
        return [
            *self._records(device_id, start=start, end=middle, day=day),
            *self._records(device_id, start=middle, end=end, day=day),
        ]

    def probe_history(self, device_id: str) -> bool:
        """Say whether this account may read the history of a gateway; asked once per client.

        The question is one hour up to now. A refusal or an answer of another shape means no, for
        this gateway: another may be of an account that has history.

        Raises:
            AuthenticationError: The credentials are refused.
            ConnectionSetupError: No connection can be made.
            TransientError: The vendor did not answer; that says nothing about history.
        """
        with self._probe_lock:
            if device_id not in self._probed:
                self._probed[device_id] = self._probe(device_id)
            return self._probed[device_id]

    def _probe(self, device_id: str) -> bool:
        now = self._clock.now()
        try:
            self.history(device_id, start=now - PROBE, end=now)
        except (AuthenticationError, ConnectionSetupError):
            raise
        except PermanentError:
            return False
        except TransientError as error:
            if error.status in NO_HISTORY_STATUS:
                return False
            raise
        return True


def _said(instant: datetime) -> str:
    """Write an instant as history wants it: naive seconds, meaning UTC."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
