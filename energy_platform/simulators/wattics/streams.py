"""What was agreed with Wattics before the first packet: streams, credentials, behaviour.

Source: Wattics data collection API, sections 2, 10 and 15.
"""

from __future__ import annotations

import base64
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

StreamKind = Literal["electricity", "value"]
"""Up to 21 electrical fields, or the one field ``value``."""

Reading = Literal["cumulative", "average", "per_interval"]
"""What a number of the stream means; a cumulative one must never fall."""

DEFAULT_GROUP: Final = "default"
"""The stream group of whoever names none."""


class WatticsStream(msgspec.Struct, frozen=True, kw_only=True):
    """One registered stream.

    Attributes:
        id: Stream id, the ``id`` of every packet.
        kind: Electricity or single value.
        interval_s: Agreed push interval, seconds.
        reading: Meaning of ``pC_x`` or ``value``.
        unit: Unit of ``value``; electrical fields have fixed units.
        timezone: IANA zone of the site; packets carry its offset.
        group: Credential group that may push this stream.
    """

    id: str
    kind: StreamKind = "electricity"
    interval_s: int = 900
    reading: Reading = "cumulative"
    unit: str = "Wh"
    timezone: str = "UTC"
    group: str = DEFAULT_GROUP

    def __post_init__(self) -> None:
        """Refuse what could not have been agreed.

        Raises:
            ValueError: Empty id or an interval that is not positive.
            ZoneInfoNotFoundError: Unknown time zone.
        """
        if not self.id:
            raise ValueError("a Wattics stream needs an id")
        if self.interval_s <= 0:
            raise ValueError(f"stream {self.id}: interval_s is {self.interval_s}, expected > 0")
        ZoneInfo(self.timezone)


class WatticsCredential(msgspec.Struct, frozen=True, kw_only=True):
    """One Basic credential, allowed the streams of its group only."""

    username: str
    password: str
    group: str = DEFAULT_GROUP

    def __repr__(self) -> str:
        return f"WatticsCredential(username={self.username!r}, group={self.group!r})"

    def basic(self) -> str:
        """Return the part after ``Basic`` in the Authorization header."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


DEMO_CREDENTIAL: Final = WatticsCredential(username="demo-user", password="demo-password")  # noqa: S106
"""Invented credential of a simulator that was given none."""


class WatticsBehaviour(msgspec.Struct, frozen=True, kw_only=True):
    """How this Wattics behaves where the document leaves it open (section 15).

    Attributes:
        unknown_id: Status for an id that is not registered for the credential.
        nulls: Whether a field may be ``null`` (it then counts as absent).
        unknown_fields: Whether fields outside the list (such as a THD) are let through.
        wrong_kind: Whether ``value`` may go to an electricity stream, or the reverse.
        older: A timestamp before the newest stored one: stored, dropped with success, or 409.
        equal: A timestamp stored already: likewise.
        success: Status of a stored packet.
        success_body: Body of that answer; never sent with 204.
        readback: Shape of the last packet: as pushed, in an array, with the instant as epoch
            milliseconds, in UTC, or with keys nobody announced.
        readback_nothing: Answer when the stream has no packet yet.
        strict_cookies: Answer 401 to a request that should have brought a cookie.
        cookie_scope: Whose first request may lack the cookie: each connection's (a restarted or
            parallel sender starts with an empty jar) or each credential's.
        expired_session: Answer to a cookie that has expired: renew it, 401, or the login page.
        utc_route: Whether ``unifiedjson_utc/`` exists.
        partial_route: Whether ``unifiedjson_partial/`` exists.
        latency_s: Seconds between storing and answering.
    """

    unknown_id: Literal[400, 401, 404] = 400
    nulls: Literal["accept", "refuse"] = "refuse"
    unknown_fields: Literal["accept", "refuse"] = "refuse"
    wrong_kind: Literal["accept", "refuse"] = "accept"
    older: Literal["accept", "drop", "conflict"] = "accept"
    equal: Literal["accept", "drop", "conflict"] = "accept"
    success: Literal[200, 201, 202, 204] = 200
    success_body: str = ""
    readback: Literal["packet", "array", "epoch_ms", "utc", "extra_keys"] = "packet"
    readback_nothing: Literal["404", "200", "204", "empty_object", "epoch_zero"] = "404"
    strict_cookies: bool = False
    cookie_scope: Literal["connection", "credential"] = "connection"
    expired_session: Literal["renew", "refuse", "login"] = "renew"
    utc_route: bool = False
    partial_route: bool = False
    latency_s: float = 0.0
