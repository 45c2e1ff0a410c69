"""The bytes of a packet."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from energy_platform.destinations.wattics.packets import encode, stamp
from energy_platform.destinations.wattics.stream import WatticsStream


def test_a_stamp_has_three_decimals_and_the_sites_offset() -> None:
    at = datetime(2026, 1, 1, 9, 15, tzinfo=UTC)
    assert stamp(at.astimezone(ZoneInfo("Europe/Paris"))) == "2026-01-01T10:15:00.000+01:00"
    assert stamp(at + timedelta(microseconds=7_999)) == "2026-01-01T09:15:00.007+00:00"


def test_the_hour_repeated_in_autumn_is_told_apart_by_its_offset() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    zone = ZoneInfo("Europe/Paris")
    assert [stamp((first + timedelta(hours=n)).astimezone(zone)) for n in (0, 1)] == [
        "2026-10-25T02:30:00.000+02:00",
        "2026-10-25T02:30:00.000+01:00",
    ]


def test_a_packet_is_one_ascii_line_that_reads_back() -> None:
    stream = WatticsStream(
        id="Z\u00e4hler-1",
        kind="electricity",
        site="s",
        credential="default",
        interval=timedelta(minutes=15),
        reading="cumulative",
        fields={"aP_1": "a/b/c", "pC_1": "a/b/d"},
    )
    at = datetime(2026, 1, 1, 9, 15, tzinfo=UTC).astimezone(ZoneInfo("Europe/Paris"))
    body = encode(stream, at, [("aP_1", "1800.5"), ("pC_1", "8423692")])
    assert body == (
        b'{"id":"Z\\u00e4hler-1","tsISO8601":"2026-01-01T10:15:00.000+01:00",'
        b'"aP_1":1800.5,"pC_1":8423692}'
    )
    assert json.loads(body)["id"] == stream.id
