"""The transport that all sources share: calls allowed, retries, what an error names."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from energy_platform.sources.http.client import Auth, Call, Clock, Transport
from energy_platform.sources.http.errors import (
    AuthenticationError,
    ContractError,
    PermanentError,
    TransientError,
)
from energy_platform.sources.http.masking import error_summary, mask
from energy_platform.sources.http.rate_limit import RateLimiter, retry_after_s
from energy_platform_tests.sources.http.loopback import Loopback, Reply, Seen, reply_json, scripted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

SECRET = "s3cr3t-Token-4711-abcdefgh"
GOOD = reply_json({"ok": True})


def transport(server: Loopback, **changes: Any) -> Transport:
    options: dict[str, Any] = {
        "vendor": "acme",
        "base_url": server.url,
        "allowed": (Call("GET", r"/things(/[^/]+)?"), Call("PUT", r"/query")),
        "rps": 10_000,
        "max_in_flight": 4,
        "timeout_s": 2,
        "attempts": 3,
        "backoff_s": 0.001,
        "max_retry_after_s": 0.05,
        **changes,
    }
    return Transport(**options)


class Bearer(Auth):
    """Hands out token-1, token-2, …; a refused token is replaced once."""

    def __init__(self) -> None:
        self.number = 1
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer token-{self.number}"}

    def renew(self, rejected: Mapping[str, str]) -> bool:
        with self._lock:
            if rejected == self.headers():
                self.number += 1
        return True


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_fault_that_heals_does_not_fail_the_run(status: int) -> None:
    with Loopback(scripted(Reply(status=status), GOOD)).running() as server, transport(server) as t:
        answer = t.request("GET", "/things", endpoint="things")
        assert (answer.status, answer.content) == (200, b'{"ok": true}')
        assert t.stats == (2, 1, len(b"{}") + len(answer.content))


@pytest.mark.parametrize(
    "bad",
    [
        Reply(body=b'{"ok": true, "more": 1}', cut=9),
        Reply(body=b'{"ok": tr'),
        Reply(body=b"<html>busy</html>", headers={"Content-Type": "text/html"}),
    ],
    ids=["cut on the wire", "cut behind a proxy", "html"],
)
def test_a_body_cut_or_replaced_by_html_is_fetched_again(bad: Reply) -> None:
    with Loopback(scripted(bad, GOOD)).running() as server, transport(server) as t:
        value, _ = t.fetch("GET", "/things", decoder=msgspec.json.Decoder(), endpoint="things")
        assert value == {"ok": True}
        assert t.request("GET", "/things", endpoint="things").status == 200


def test_no_answer_in_time_is_tried_again_and_then_named() -> None:
    forever = threading.Event()
    route = scripted(Reply(hang=forever))
    with Loopback(route).running() as server, transport(server, timeout_s=0.05, attempts=2) as t:
        with pytest.raises(TransientError, match=r"in time.*2 attempts") as caught:
            t.request("GET", "/things", endpoint="things", day="2026-01-01", subject="SN1")
        forever.set()
        assert caught.value.kind == "timeout"
        assert str(caught.value).startswith("acme things, SN1, day 2026-01-01: ")


def test_an_answer_that_drips_for_ever_ends() -> None:
    ticks = count()
    clock = Clock(monotonic=lambda: next(ticks) * 10.0)
    body = b'{"a": "' + b"x" * 3_000_000 + b'"}'
    with (
        Loopback(scripted(Reply(body=body))).running() as server,
        transport(server, clock=clock, attempts=1) as t,
        pytest.raises(TransientError, match="in time"),
    ):
        t.request("GET", "/things", endpoint="things")


def test_an_unreachable_host_says_so() -> None:
    with Loopback(scripted(GOOD)).running() as server:
        closed = transport(server, attempts=1)
    with closed, pytest.raises(TransientError, match="connection failed") as caught:
        closed.request("GET", "/things", endpoint="things")
    assert caught.value.kind == "connection"


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_a_refusal_is_asked_once_and_names_what_to_do(status: int) -> None:
    body = reply_json({"statusCode": status, "message": ["from must be a date"]}, status=status)
    with Loopback(scripted(body)).running() as server, transport(server) as t:
        with pytest.raises(PermanentError) as caught:
            t.request("GET", "/things", endpoint="things", day="2026-01-01")
        assert len(server.seen) == 1
        assert f"day 2026-01-01, HTTP {status}: " in str(caught.value)
        assert "from must be a date" in str(caught.value)
        assert not isinstance(caught.value, AuthenticationError)


def test_a_redirect_is_not_followed_and_is_named_without_its_query() -> None:
    moved = Reply(status=302, headers={"Location": f"https://login.test/in?token={SECRET}"})
    with Loopback(scripted(moved)).running() as server, transport(server) as t:
        with pytest.raises(PermanentError, match=r"login\.test/in") as caught:
            t.request("GET", "/things", endpoint="things")
        assert SECRET not in repr(caught.value)
        assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/things"),
        ("POST", "/query"),
        ("GET", "/other"),
        ("GET", "/things/.."),
        ("GET", "/things/%2e%2e"),
        ("GET", "/things?x=1"),
        ("GET", "//things"),
        ("GET", "/things/a/b"),
    ],
)
def test_a_call_that_is_not_a_listed_read_never_leaves(method: str, path: str) -> None:
    with Loopback(scripted(GOOD)).running() as server, transport(server) as t:
        with pytest.raises(PermanentError, match="nothing was sent"):
            t.request(method, path, endpoint="things")
        assert server.seen == []


def test_plain_http_to_another_machine_is_refused() -> None:
    with pytest.raises(ValueError, match="https"):
        Transport(
            vendor="acme",
            base_url="http://198.51.100.1",
            allowed=(),
            rps=1,
            max_in_flight=1,
            timeout_s=1,
            attempts=1,
        )


def test_a_refused_token_is_renewed_once_for_all_threads() -> None:
    gate = threading.Barrier(4)

    def route(seen: Seen) -> Reply:
        if seen.headers["authorization"] == "Bearer token-1":
            gate.wait(5)
            return Reply(status=401)
        return GOOD

    auth = Bearer()
    with Loopback(route).running() as server, transport(server, auth=auth) as t:
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(t.request, "GET", "/things", endpoint="x") for _ in range(4)]
            assert [call.result().status for call in calls] == [200] * 4
        assert auth.number == 2
        assert t.stats.requests == 8


def test_credentials_refused_after_a_renewal_are_an_authentication_error() -> None:
    no = reply_json({"error": "invalid_token"}, status=401)
    with Loopback(scripted(no)).running() as server, transport(server, auth=Bearer()) as t:
        with pytest.raises(AuthenticationError, match=r"even after a renewal.*ACME_") as caught:
            t.request("GET", "/things", endpoint="things")
        assert len(server.seen) == 2
        assert (caught.value.status, caught.value.code) == (401, "invalid_token")


def test_every_attempt_is_signed_anew_over_the_final_request() -> None:
    class Signer(Auth):
        def __init__(self) -> None:
            self.number = count()

        def sign(self, request: httpx.Request) -> None:
            target = request.url.raw_path.decode()
            request.headers["X-Signed"] = f"{next(self.number)} {request.method} {target}"

    route = scripted(Reply(status=500), GOOD)
    with Loopback(route).running() as server, transport(server, auth=Signer()) as t:
        t.request("GET", "/things", endpoint="things", params={"q": "a b", "all": True})
        assert [seen.headers["x-signed"] for seen in server.seen] == [
            f"{n} GET {server.seen[0].target}" for n in range(2)
        ]
        assert server.seen[0].query == {"q": "a b", "all": "true"}


def test_the_caller_can_heal_a_fault_by_asking_for_less() -> None:
    with Loopback(scripted(Reply(status=504))).running() as server, transport(server) as t:
        with pytest.raises(TransientError):
            t.request(
                "GET", "/things", endpoint="x", retry_filter=lambda error: error.status == 504
            )
        assert len(server.seen) == 1


def test_another_shape_than_documented_fails_loudly_without_the_value() -> None:
    class Thing(msgspec.Struct):
        name: str

    wrong = reply_json({"name": {"secret": SECRET}})
    with Loopback(scripted(wrong)).running() as server, transport(server) as t:
        with pytest.raises(ContractError, match=r"\$\.name") as caught:
            t.fetch("GET", "/things", decoder=msgspec.json.Decoder(Thing), endpoint="things")
        assert len(server.seen) == 1
        assert SECRET not in repr(caught.value)


def test_secrets_and_queries_reach_neither_logs_nor_errors(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Token(Auth):
        def headers(self) -> Mapping[str, str]:
            return {"Authorization": f"Bearer {SECRET}"}

    echo = {"error": SECRET, "message": f"bad token {SECRET} at https://x.test/a?key=pin of a@b.fr"}
    replies = [reply_json(echo, status=status) for status in (500, 429, 400)]
    caplog.set_level(logging.DEBUG)
    with Loopback(scripted(*replies)).running() as server, transport(server, auth=Token()) as t:
        with pytest.raises(PermanentError) as caught:
            t.request("GET", "/things", endpoint="things", params={"user": "pin-4711"})
        assert server.seen[0].query == {"user": "pin-4711"}
    told = caplog.text + repr(caught.value) + str(caught.value) + repr(vars(caught.value))
    for secret in (SECRET, "pin", "a@b.fr", "Bearer"):
        assert secret not in told
    assert "acme things" in caplog.text


def test_wire_logs_turned_up_by_hand_still_lose_their_queries(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Loopback(scripted(GOOD)).running() as server, transport(server) as t:
        caplog.set_level(logging.DEBUG, logger="httpx")
        t.request("GET", "/things", endpoint="things", params={"key": SECRET})
        assert SECRET not in caplog.text
        assert "/things" in caplog.text


def test_no_more_requests_are_in_flight_than_agreed() -> None:
    def slow(seen: Seen) -> Reply:
        threading.Event().wait(0.02)
        return GOOD

    with Loopback(slow).running() as server, transport(server, max_in_flight=2) as t:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: t.request("GET", "/things", endpoint="x"), range(12)))
        assert server.most_in_flight == 2


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now_s, sleep=self.sleep)


def test_calls_are_spaced_to_the_agreed_rate_and_all_wait_when_told_to() -> None:
    time = Time()
    rate_limiter = RateLimiter(rps=2, clock=time.clock)
    starts = []
    for turn in range(5):
        if turn == 3:
            rate_limiter.hold(30)
        rate_limiter.wait()
        starts.append(time.now_s)
    assert starts == [100, 100.5, 101, 131, 131.5]


def test_the_pause_a_vendor_asks_for_is_kept_but_clamped() -> None:
    asked = [Reply(status=429, headers={"Retry-After": text}) for text in ("0.03", "86400")]
    time = Time()
    with (
        Loopback(scripted(*asked, GOOD)).running() as server,
        transport(server, clock=time.clock) as t,
    ):
        t.request("GET", "/things", endpoint="things")
    assert time.now_s - 100 == pytest.approx(0.08, abs=0.001)


def test_retry_after_reads_seconds_and_dates_and_nothing_else() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    date = format_datetime(now + timedelta(seconds=90), usegmt=True)
    past = format_datetime(now - timedelta(seconds=90), usegmt=True)
    read = [retry_after_s(text, now=now) for text in ("7", " 1.5 ", date, past, "0", "-3", "soon")]
    assert read == [7, 1.5, 90, None, None, None, None]
    assert retry_after_s(None, now=now) is None


def test_messages_of_any_body_are_survived_and_masked() -> None:
    assert error_summary(b"<html>") == (None, "")
    assert error_summary(b"\xff\xfe") == (None, "")
    assert error_summary(b'["a"]') == (None, "")
    assert error_summary(
        b'{"error": "invalid_grant", "error_description": "Token is not active"}'
    ) == (
        "invalid_grant",
        "Token is not active",
    )
    assert error_summary(b'{"message": "user bob has no right"}', hidden=("bob",)).words == (
        "user *** has no right"
    )
    assert mask("eyJhbGciOiJIUzI1NiJ9.e30.abc123 refused") == "*** refused"
