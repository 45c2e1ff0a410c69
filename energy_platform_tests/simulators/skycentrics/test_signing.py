"""Signed requests: which the SkyCentrics simulator accepts, and how it refuses the others."""

from __future__ import annotations

import pytest

from energy_platform.simulators.skycentrics import (
    SkycentricsBehaviour,
    SkycentricsCredential,
    SkycentricsSimulator,
)
from energy_platform_tests.simulators.skycentrics.caller import (
    DATA,
    DATE,
    DEVICE,
    Caller,
    calling,
    token,
)

VECTORS = {
    f"/api/devices/{DEVICE}/": "demo-client:QrEisji8TSnYgQVoZla8MboQ7mU=",
    DATA: "demo-client:avKoigVG179NGw0S0yUBACuDi/c=",
    f"{DATA}?b=2026-01-01T00:00:00&e=2026-01-02T00:00:00&g=1": (
        "demo-client:c2h8LCfVSJxwYN+K21bm/GTyx2I="
    ),
}
"""Targets and tokens as published, for the date in ``DATE``."""


@pytest.mark.parametrize(("target", "published"), VECTORS.items(), ids=["device", "data", "query"])
def test_the_published_signatures_are_accepted(
    skycentrics: SkycentricsSimulator, caller: Caller, target: str, published: str
) -> None:
    skycentrics.behaviour = SkycentricsBehaviour(history=True)
    reply = caller.raw("GET", target, {"Date": DATE, "X-SC-API-Token": published})
    assert reply.status == 200


def test_a_signed_write_is_verified_with_its_body_and_then_refused(caller: Caller) -> None:
    published = "demo-client:LFMabE5x/vJIHeQ/IQhiCBUEYOs="
    headers = {"Date": DATE, "Content-Type": "application/json", "x-sc-api-token": published}
    assert caller.raw("PUT", DATA, headers, b'{"s":1}').status == 405
    assert caller.raw("PUT", DATA, headers, b'{"s":2}').status == 401


GOOD = token(f"GET {DATA} HTTP/1.1")


@pytest.mark.parametrize(
    "headers",
    [
        {"Date": DATE},
        {"x-sc-api-token": GOOD},
        {"Date": "Thu, 01 Jan 2026 00:00:01 GMT", "x-sc-api-token": GOOD},
        {"Date": DATE, "x-sc-api-token": GOOD, "Content-Type": "application/json"},
        {"Date": DATE, "x-sc-api-token": GOOD.removeprefix("demo-client:")},
        {"Date": DATE, "x-sc-api-token": GOOD.replace("demo-client", "someone")},
        {"Date": DATE, "x-sc-api-token": token(f"GET {DATA} HTTP/1.1", secret="other")},
        {"Date": DATE, "x-sc-api-token": token(f"GET {DATA} HTTP/1.1", client="x", secret="")},
        {"Date": DATE, "x-sc-api-token": token(f"GET {DATA}/ HTTP/1.1")},
        {"Date": DATE, "x-sc-api-token": token(f"GET {DATA}?b=1 HTTP/1.1")},
        {"Date": DATE, "x-sc-api-token": "demo-client:" + "\u00e9" * 28},
    ],
    ids=[
        "no token",
        "no date",
        "another date",
        "content type not signed",
        "no client",
        "another client",
        "another secret",
        "unknown client without secret",
        "another path",
        "another query",
        "not base64",
    ],
)
def test_a_badly_signed_request_is_rejected(caller: Caller, headers: dict[str, str]) -> None:
    reply = caller.raw("GET", DATA, headers)
    assert reply.status == 401
    assert reply.json["error"]["message"]


def test_the_query_is_signed_as_it_was_sent(caller: Caller) -> None:
    plain = f"{DATA}?b=2026-01-01T00:00:00"
    escaped = plain.replace(":", "%3A")
    headers = {"Date": DATE, "x-sc-api-token": token(f"GET {plain} HTTP/1.1")}
    assert caller.raw("GET", escaped, headers).status == 401
    assert caller.get(escaped).status == 404  # signed as sent; there is no history here


def test_any_date_text_will_do_until_dates_are_checked(
    skycentrics: SkycentricsSimulator, caller: Caller
) -> None:
    dates = {
        "Thu, 01 Jan 2026 12:10:00 GMT": 200,
        "Thu, 01 Jan 2026 12:20:00 GMT": 401,
        "Thu, 01 Jan 12:00:00 GMT": 401,
        "Thu, 01 Jan 26 12:00:00 GMT": 401,
        "yesterday": 401,
    }
    for date in dates:
        assert caller.get(DATA, date=date).status == 200
    skycentrics.faults.set("check_date")
    for date, status in dates.items():
        assert caller.get(DATA, date=date).status == status


def test_an_account_sees_its_own_devices_only() -> None:
    mine = SkycentricsCredential(
        client="demo-client", secret="demo-secret", devices=frozenset({DEVICE})
    )
    with calling(SkycentricsSimulator(credentials=(mine,))) as caller:
        assert [device["id"] for device in caller.get("/api/devices/").json] == [int(DEVICE)]
        assert caller.get("/api/devices/1000000002/data").status == 403
        assert caller.get("/api/devices/1999999999/data").status == 404
    assert "demo-secret" not in repr(mine)
