"""Time limits of calls and runs: whatever a host does with its bytes, it is not waited for."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from energy_platform.sources.belimo import BelimoClient
from energy_platform.sources.belimo.settings import BelimoSettings
from energy_platform.sources.http.client import Call, Clock, Transport
from energy_platform.sources.http.errors import (
    RunLimitError,
    SourceDownError,
    TransientError,
    VendorError,
)
from energy_platform.sources.http.patience import FIRST_PROBE_S, ROUNDS, Patience
from energy_platform.sources.socomec import SocomecClient
from energy_platform.sources.socomec.settings import SocomecSettings
from energy_platform_tests.sources.http.loopback import Loopback, Reply, Seen, reply_json
from energy_platform_tests.sources.http.network import Listener, host_with, identity, request_of
from energy_platform_tests.sources.socomec.sodata import SoData, settings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

GOOD = reply_json({"ok": True})
ACCOUNT: dict[str, Any] = {
    "client_id": "c",
    "client_secret": "invented",
    "username": "u",
    "password": "invented",
}


def transport(url: str, **changes: Any) -> Transport:
    options: dict[str, Any] = {
        "vendor": "acme",
        "base_url": url,
        "allowed": (Call("GET", r"/things(/[^/]+)?"),),
        "rps": 10_000,
        "max_in_flight": 4,
        "timeout_s": 0.1,
        "attempts": 1,
        "backoff_s": 0,
        **changes,
    }
    return Transport(**options)


def ask(t: Transport) -> object:
    return t.fetch("GET", "/things", decoder=msgspec.json.Decoder(), endpoint="things")[0]


def drip(said: bytes, *, every_s: float = 0.02) -> Callable[[socket.socket, Listener], None]:
    """Send an answer byte by byte, each well within the time of one read, for ever."""

    def serve(connection: socket.socket, listener: Listener) -> None:
        with suppress(OSError):
            for byte in said:
                connection.sendall(bytes((byte,)))
                if listener.over.wait(every_s):
                    return
            while not listener.over.wait(every_s):
                connection.sendall(b"x")

    return serve


HEAD = b"HTTP/1.1 200 OK\r\n"
BODY = HEAD + b'Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"a": "'


@pytest.mark.parametrize(
    "said",
    [b"", HEAD + b"X-Slow: ", BODY, HEAD + b"Transfer-Encoding: chunked\r\n\r\n1"],
    ids=["status", "headers", "body", "chunk size"],
)
def test_bytes_that_drip_end_at_the_limit_of_a_call(said: bytes) -> None:
    with (
        Listener(drip(said)).running() as listener,
        transport(f"http://127.0.0.1:{listener.port}") as t,
    ):
        began = time.monotonic()
        with pytest.raises(TransientError, match=r"in time|cut off|without an answer"):
            ask(t)
        # Five times the time without a byte, and some for a busy machine.
        assert time.monotonic() - began < 5


def logs_in_at_keycloak(url: str) -> None:
    given = SocomecSettings(
        **ACCOUNT, keycloak_url=url, api_url=url, timeout_s=0.1, attempts=1, backoff_s=0
    )
    with SocomecClient(given) as client:
        client.corporate_accounts()


def logs_in_at_belimo(url: str) -> None:
    given = BelimoSettings(
        **ACCOUNT, api_url=url, token_url=url, timeout_s=0.1, attempts=1, backoff_s=0
    )
    with BelimoClient(given) as client:
        client.devices()


@pytest.mark.parametrize("login", [logs_in_at_keycloak, logs_in_at_belimo])
@pytest.mark.parametrize("said", [HEAD + b"X-Slow: ", BODY], ids=["headers", "body"])
def test_a_login_that_drips_ends_too(login: Callable[[str], None], said: bytes) -> None:
    with Listener(drip(said)).running() as listener:
        began = time.monotonic()
        with pytest.raises(TransientError, match="in time"):
            login(f"http://127.0.0.1:{listener.port}")
        assert time.monotonic() - began < 5


def test_a_handshake_that_never_ends_ends(tmp_path: Path) -> None:
    def serve(connection: socket.socket, listener: Listener) -> None:
        connection.recv(10)
        # The begin of a TLS record, and then single bytes of it.
        drip(b"\x16\x03\x03\x40\x00")(connection, listener)

    files = identity("authority", is_authority=True).files(tmp_path, "authority")
    with (
        Listener(serve).running() as listener,
        transport(f"https://127.0.0.1:{listener.port}", ca_file=files[0]) as t,
    ):
        began = time.monotonic()
        with pytest.raises(VendorError):
            ask(t)
        assert time.monotonic() - began < 5


def test_one_host_that_hangs_in_its_handshake_delays_no_other(tmp_path: Path) -> None:
    server = identity("host")
    files = server.files(tmp_path, "server")
    hung = threading.Event()

    def hang(connection: socket.socket, listener: Listener) -> None:
        hung.set()
        listener.over.wait(20)

    with (
        Listener(hang).running() as hanging,
        host_with(files).running() as healthy,
        transport(f"https://127.0.0.1:{hanging.port}", ca_file=files[0], timeout_s=5) as one,
        transport(f"https://127.0.0.1:{healthy.port}", ca_file=files[0], timeout_s=5) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(ask, one)
        assert hung.wait(5)
        assert ask(other) == {"ok": True}
        assert not waiting.done()
        hanging.stop()
        with pytest.raises(VendorError):
            waiting.result(20)


@pytest.fixture
def silent() -> Iterator[Listener]:
    """A host that takes every request and answers none."""

    def serve(connection: socket.socket, listener: Listener) -> None:
        listener.told.append(request_of(connection).split(b" ")[1].decode())
        listener.over.wait(10)

    with Listener(serve).running() as listener:
        yield listener


def test_a_source_that_never_answers_is_not_asked_for_every_series(silent: Listener) -> None:
    with transport(f"http://127.0.0.1:{silent.port}", attempts=3) as t:
        errors = []
        for _ in range(20):
            with pytest.raises(TransientError) as caught:
                ask(t)
            errors.append(caught.value)
        assert len(silent.told) == ROUNDS
    down = errors[-1]
    assert isinstance(down, SourceDownError)
    assert down.exhausted
    assert "not asked, since acme gave no answer" in str(down)
    assert "in time" in str(down)


def test_threads_that_fail_side_by_side_count_once(silent: Listener) -> None:
    with (
        transport(f"http://127.0.0.1:{silent.port}", max_in_flight=8, timeout_s=0.5) as t,
        ThreadPoolExecutor(8) as pool,
    ):
        for call in [pool.submit(ask, t) for _ in range(8)]:
            assert isinstance(call.exception(), TransientError)
        with pytest.raises(TransientError) as caught:
            ask(t)
        assert not isinstance(caught.value, SourceDownError)


def test_one_call_that_hangs_is_told_from_a_source_that_is_down() -> None:
    forever = threading.Event()

    def route(seen: Seen) -> Reply:
        return Reply(hang=forever) if seen.path == "/things" else GOOD

    with (
        Loopback(route).running() as server,
        transport(server.url, simple="/simple") as t,
    ):
        try:
            for _ in range(2 * ROUNDS):
                with pytest.raises(TransientError) as caught:
                    ask(t)
                assert not isinstance(caught.value, SourceDownError)
        finally:
            forever.set()
        asked = [seen.path for seen in server.seen]
        assert asked.count("/simple") == 2
        assert asked.count("/things") == 2 * ROUNDS


def test_refusals_and_broken_answers_are_answers() -> None:
    with (
        Loopback(lambda _: Reply(status=500)).running() as server,
        transport(server.url) as t,
    ):
        for _ in range(3 * ROUNDS):
            with pytest.raises(TransientError, match="busy or broken"):
                ask(t)
        assert len(server.seen) == 3 * ROUNDS


def test_a_source_that_is_down_is_probed_now_and_then_and_comes_back() -> None:
    now_s = 0.0
    clock = Clock(monotonic=lambda: now_s, sleep=lambda _: None)
    with Listener(lambda *_: None).running() as listener:
        port = listener.port
    with transport(f"http://127.0.0.1:{port}", clock=clock, timeout_s=5) as t:
        for _ in range(ROUNDS):
            with pytest.raises(TransientError, match="connection failed"):
                ask(t)
            now_s += 1
        with pytest.raises(SourceDownError):
            ask(t)
        now_s += FIRST_PROBE_S
        with pytest.raises(TransientError, match="connection failed") as caught:
            ask(t)
        assert not isinstance(caught.value, SourceDownError)
        with pytest.raises(SourceDownError):
            ask(t)
        now_s += 3 * FIRST_PROBE_S
        answer = HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
        with Listener(lambda one, _: one.sendall(answer), port=port).running():
            assert ask(t) == {}
            assert ask(t) == {}


def test_a_dead_socomec_ends_a_day_of_many_series_soon(silent: Listener) -> None:
    """The halving of what is asked for must not multiply the waiting."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from energy_platform.sources.socomec.models import SeriesKey  # noqa: PLC0415

    series = [SeriesKey("d", "Global", "0", str(n)) for n in range(64)]
    with Loopback(SoData()).running() as login:
        given = settings(
            f"http://127.0.0.1:{silent.port}",
            keycloak_url=login.url,
            timeout_s=0.1,
            attempts=3,
        )
        with SocomecClient(given, backoff_s=0) as client:
            for _ in range(10):
                with pytest.raises(VendorError):
                    list(
                        client.datapoints(
                            "ca",
                            series=series,
                            start=datetime(2026, 1, 1, tzinfo=UTC),
                            end=datetime(2026, 1, 2, tzinfo=UTC),
                        )
                    )
            # The rounds, and once the simple call.
            assert len(silent.told) == ROUNDS + 1


def patience_of(limit_s: float, clock: Clock) -> dict[str, Any]:
    return {"patience": Patience(source="acme", limit_s=limit_s, clock=clock), "clock": clock}


def test_the_limit_of_a_run_covers_answers_pauses_and_what_the_vendor_asks_for() -> None:
    now_s = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    clock = Clock(monotonic=lambda: now_s, sleep=sleep)
    busy = Reply(status=429, headers={"Retry-After": "100"})
    with (
        Loopback(lambda _: busy).running() as server,
        transport(server.url, attempts=9, **patience_of(50, clock)) as t,
    ):
        began = time.monotonic()
        with pytest.raises(RunLimitError) as caught:
            ask(t)
        # A pause beyond the end is not even begun.
        assert time.monotonic() - began < 5
        assert len(server.seen) == 1
        assert "spent its 50 s on acme" in str(caught.value)
        assert "ACME_RUN_LIMIT_S" in str(caught.value)
        assert "busy" in str(caught.value)


def test_the_limit_of_a_run_ends_calls_between_answers_and_while_others_wait() -> None:
    now_s = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    clock = Clock(monotonic=lambda: now_s, sleep=sleep)
    with (
        Loopback(lambda _: GOOD).running() as server,
        # Ten seconds between two calls.
        transport(server.url, rps=0.1, timeout_s=100, **patience_of(35, clock)) as t,
    ):
        for _ in range(4):
            assert ask(t)
        with pytest.raises(RunLimitError):
            ask(t)
        assert len(server.seen) == 4
        assert now_s <= 35


def test_a_run_may_take_longer_for_more_days() -> None:
    now_s = 0.0
    clock = Clock(monotonic=lambda: now_s)
    patience = Patience(source="acme", limit_s=100, clock=clock)
    patience.allow_days(3)
    now_s = 250.0
    assert patience.left_s == 50


def test_an_answer_that_hangs_ends_with_the_run_not_with_its_own_limit(silent: Listener) -> None:
    clock = Clock()
    with transport(
        f"http://127.0.0.1:{silent.port}", timeout_s=60, attempts=5, **patience_of(0.3, clock)
    ) as t:
        began = time.monotonic()
        with pytest.raises(RunLimitError):
            ask(t)
        assert time.monotonic() - began < 5


def test_each_source_takes_its_limit_from_its_setting() -> None:
    with (
        Loopback(SoData()).running() as server,
        SocomecClient(settings(server.url, run_limit_s=0.001)) as client,
    ):
        time.sleep(0.01)
        with pytest.raises(RunLimitError, match="SOCOMEC_RUN_LIMIT_S"):
            client.corporate_accounts()
        assert server.seen == []
