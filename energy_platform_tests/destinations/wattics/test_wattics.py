"""The client of Wattics on the wire: connections, cookies, answers, read-back."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import socket
import ssl
import subprocess
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from energy_platform.destinations.base import AnswerKind, RedirectedError
from energy_platform.destinations.wattics import WatticsClient, WatticsSettings
from energy_platform.destinations.wattics.answers import classify
from energy_platform.destinations.wattics.bodies import judge_body
from energy_platform.destinations.wattics.readback import packet_of
from energy_platform.settings import BasicCredential, SettingsError
from energy_platform.sources.http.errors import (
    AuthenticationError,
    ContractError,
    PermanentError,
    TransientError,
)
from energy_platform_tests.sources.http.loopback import Loopback, Reply, Seen, reply_json, scripted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

USER, PASSWORD = "demo-user", "invented-Password-1"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
PATH = "/measurements/v2/unifiedjson/"
STREAM = "demo-stream-01"
PACKET = (
    b'{"id":"demo-stream-01","tsISO8601":"2026-01-01T10:15:00.000+01:00",'
    b'"aP_1":1800.5,"pC_1":8423692}'
)
LOGIN_PAGE = (
    b"<html><head><style>h1 {color:red}</style></head><body><h1>HTTP Status 401 - Full "
    b"authentication is required to access this resource</h1></body></html>"
)


class Collector(Loopback):
    """Counts the connections and remembers the last packet of each stream."""

    def __init__(self) -> None:
        super().__init__(self.reply)
        self.connections: set[object] = set()
        self.stored: dict[str, bytes] = {}

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        self.connections.add(handler.client_address)
        super().serve(handler)

    def reply(self, seen: Seen) -> Reply:
        cookie = {"Set-Cookie": "JSESSIONID=abc123session; Path=/; HttpOnly"}
        if seen.headers.get("authorization") != f"Basic {BASIC}":
            return Reply(status=401, body=LOGIN_PAGE, headers={"Content-Type": "text/html"})
        if seen.method == "POST":
            self.stored[seen.json["id"]] = seen.body
            return Reply(body=b"", headers={} if "cookie" in seen.headers else cookie)
        body = self.stored.get(seen.query["stream"])
        return Reply(status=404) if body is None else Reply(body=body)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector().running() as server:
        assert isinstance(server, Collector)
        yield server


def client(server: Loopback, *, password: str = PASSWORD, **changes: Any) -> WatticsClient:
    options: dict[str, Any] = {
        "base_url": server.url + PATH,
        "connect_timeout_s": 2,
        "read_timeout_s": 2,
        **changes,
    }
    credential = BasicCredential(username=USER, password=SecretStr(password))
    return WatticsClient(WatticsSettings(**options), credential=credential)


def test_a_packet_leaves_byte_for_byte_with_the_credential_unasked(collector: Collector) -> None:
    with client(collector) as wattics:
        answer = wattics.push(PACKET)
    assert (answer.kind, answer.status, answer.in_doubt) == ("stored", 200, False)
    (seen,) = collector.seen
    assert (seen.method, seen.target, seen.body) == ("POST", PATH, PACKET)
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept"] == "application/json"


def test_a_sender_keeps_its_one_connection_and_its_cookie(collector: Collector) -> None:
    with client(collector) as wattics:
        for _ in range(5):
            assert wattics.push(PACKET).kind == "stored"
        wattics.last_packet(STREAM)
    assert len(collector.connections) == 1
    assert [seen.headers.get("cookie") for seen in collector.seen] == [
        None,
        *["JSESSIONID=abc123session"] * 5,
    ]


def test_two_senders_share_no_cookie(collector: Collector) -> None:
    with client(collector) as one, client(collector) as other:
        one.push(PACKET)
        other.push(PACKET)
    assert [seen.headers.get("cookie") for seen in collector.seen] == [None, None]


def test_the_address_gets_its_final_slash(collector: Collector) -> None:
    with client(collector, base_url=collector.url + PATH.rstrip("/")) as wattics:
        assert wattics.push(PACKET).kind == "stored"
    assert collector.seen[0].path == PATH


def test_nothing_is_pushed_without_a_configured_address() -> None:
    credential = BasicCredential(username=USER, password=SecretStr(PASSWORD))
    with pytest.raises(SettingsError, match="WATTICS_BASE_URL"):
        WatticsClient(WatticsSettings(base_url=None), credential=credential)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *[(status, "stored") for status in (200, 201, 202, 204)],
        *[(status, "redirect") for status in (301, 302, 303, 307, 308)],
        *[(status, "refused") for status in (400, 404, 405, 406, 409, 413, 415, 422)],
        *[(status, "authentication") for status in (401, 403)],
        *[(status, "transient") for status in (408, 425, 429, 500, 502, 503, 504)],
        # Never told to mean stored, hence not believed to.
        (203, "refused"),
        (206, "refused"),
    ],
)
def test_each_status_means_what_was_agreed(status: int, kind: AnswerKind) -> None:
    assert classify(status) == kind


@given(st.integers(100, 599), st.sets(st.integers(200, 299)))
def test_only_agreed_codes_advance_a_cursor(status: int, codes: set[int]) -> None:
    assert (classify(status, success_codes=codes) == "stored") == (status in codes)


def test_a_redirect_to_a_login_page_is_an_error_and_is_not_followed(collector: Collector) -> None:
    place = f"{collector.url}/login?token=s3cret"
    collector.route = scripted(Reply(status=302, headers={"Location": place}))
    with client(collector) as wattics:
        answer = wattics.push(PACKET)
    assert answer.kind == "redirect"
    assert "/login" in answer.reason
    assert "s3cret" not in answer.reason
    assert len(collector.seen) == 1


def test_a_refused_credential_shows_the_words_of_the_page_not_its_markup(
    collector: Collector,
) -> None:
    with client(collector, password="wrong-Password-9") as wattics:
        answer = wattics.push(PACKET)
    assert answer.kind == "authentication"
    assert answer.excerpt.startswith("HTTP Status 401 - Full authentication is required")
    assert len(collector.seen) == 1, "the client does not knock again by itself"


def test_an_answer_that_echoes_the_request_shows_no_secret(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"refused {PASSWORD} Basic {BASIC} JSESSIONID=abc123session".encode()
    good = Reply(headers={"Set-Cookie": "JSESSIONID=abc123session; Path=/"})
    collector.route = scripted(good, Reply(status=400, body=echo))
    with client(collector) as wattics:
        wattics.push(PACKET)
        answer = wattics.push(PACKET)
    assert answer.excerpt.startswith("refused")
    for secret in (PASSWORD, BASIC, "abc123session"):
        assert secret not in f"{answer} {caplog.text} {wattics!r}"


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("Thu, 01 Jan 1970 00:00:00 GMT", None), (None, None)]
)
def test_the_pause_wattics_asks_for_is_handed_on(
    collector: Collector, header: str | None, seconds: float | None
) -> None:
    headers = {"Retry-After": header} if header else {}
    collector.route = scripted(Reply(status=429, headers=headers))
    with client(collector) as wattics:
        answer = wattics.push(PACKET)
    assert (answer.kind, answer.retry_after_s) == ("transient", seconds)


def test_an_answer_that_never_comes_leaves_it_unclear_whether_the_packet_is_stored(
    collector: Collector,
) -> None:
    stop = threading.Event()
    collector.route = scripted(Reply(hang=stop))
    with client(collector, read_timeout_s=0.2) as wattics:
        answer = wattics.push(PACKET)
        stop.set()
    assert (answer.kind, answer.status, answer.in_doubt) == ("transient", None, True)


def test_an_answer_that_trickles_in_without_end_is_given_up(collector: Collector) -> None:

    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}"

        def trickle() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                for _ in range(200):
                    connection.sendall(b"H")
                    time.sleep(0.05)

        threading.Thread(target=trickle, daemon=True).start()
        began = time.monotonic()
        with client(collector, base_url=url, read_timeout_s=0.4) as wattics:
            answer = wattics.push(PACKET)
    assert (answer.kind, answer.in_doubt) == ("transient", True)
    assert time.monotonic() - began < 3


def test_an_abort_from_elsewhere_ends_the_request_and_nothing_more_is_sent(
    collector: Collector,
) -> None:
    stop = threading.Event()
    collector.route = scripted(Reply(), Reply(hang=stop))
    with client(collector, read_timeout_s=60) as wattics:
        assert wattics.push(PACKET).kind == "stored"
        timer = threading.Timer(0.3, wattics.abort)
        timer.start()
        answer = wattics.push(PACKET)
        stop.set()
        assert (answer.kind, answer.in_doubt) == ("transient", True)
        assert wattics.push(PACKET).kind == "transient"
    assert len(collector.seen) == 2


@contextlib.contextmanager
def answered_once(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Take one connection; yield the server's URL and what is heard in the first piece."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        heard: list[bytes] = []

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
        thread.join()


def test_header_and_body_leave_in_one_piece(collector: Collector) -> None:
    with (
        answered_once(b"HTTP/1.1 204 No Content\r\n\r\n") as (url, pieces),
        client(collector, base_url=f"{url}{PATH}") as wattics,
    ):
        assert wattics.push(PACKET).kind == "stored"
    assert pieces[0].startswith(b"POST ")
    assert pieces[0].endswith(PACKET)


def test_a_connection_the_server_closed_is_opened_anew_and_no_packet_is_in_doubt(
    collector: Collector,
) -> None:
    with client(collector) as wattics:
        for _ in range(3):
            collector.route = scripted(Reply(headers={"Connection": "close"}))
            answer = wattics.push(PACKET)
            assert (answer.kind, answer.in_doubt) == ("stored", False)
    assert len(collector.connections) == 3


def test_a_cookie_that_has_run_out_or_belongs_elsewhere_is_not_sent_back(
    collector: Collector,
) -> None:
    cookies = [
        "short=1; Max-Age=1; Path=/",
        "JSESSIONID=abc; Path=/",
        "other=2; Path=/elsewhere",
        "secure=3; Path=/; Secure",
    ]
    collector.route = scripted(*[Reply(headers={"Set-Cookie": text}) for text in cookies], Reply())
    with client(collector) as wattics:
        for _ in cookies:
            wattics.push(PACKET)
        threading.Event().wait(1.1)
        wattics.push(PACKET)
    sent = [seen.headers.get("cookie", "") for seen in collector.seen]
    assert sent[1] == "short=1"
    assert sent[-1] == "JSESSIONID=abc"


HTML = "text/html; charset=utf-8"
JSON = "application/json"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (None, b""),
        (JSON, b""),
        ("text/plain;charset=UTF-8", b" \r\n"),
        (JSON, b"{}"),
        (JSON, b"\xef\xbb\xbf{}"),
        ("application/vnd.wattics+json", b'{"status":"OK"}'),
        (JSON, b'{"success":true,"error":null,"errors":[]}'),
        (JSON, b'{"statusCode":200,"message":"thank you"}'),
        (JSON, b'{"code":0}'),
        (JSON, b'{"result":{"status":"accepted","count":1}}'),
        (JSON, b'{"success":true,"inserted":1,"updated":0,"ignored":0,"dropped":[]}'),
        (JSON, b'{"authenticated":true,"stored":true}'),
        (JSON, b'{"message":"successfully added","success":true}'),
        (JSON, b'[{"stored":1}]'),
        (JSON, PACKET),
        (JSON, b'"OK"'),
        (JSON, b"true"),
        ("text/plain", b"OK\n"),
        (None, b"stored"),
    ],
)
def test_what_this_api_may_say_counts_as_stored(
    collector: Collector, content_type: str | None, body: bytes
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    collector.route = scripted(Reply(body=body, headers=headers))
    with client(collector) as wattics:
        answer = wattics.push(PACKET)
    assert (answer.kind, answer.in_doubt) == ("stored", False)


NO_PROOF = [
    (None, LOGIN_PAGE),
    (None, b"<!-- x --> <!DOCTYPE HTML>"),
    (None, b"<head><title>Sign in</title></head>"),
    (HTML, b"<script>location='/login'</script>"),
    (HTML, b"Welcome"),
    (HTML, b"OK"),
    (HTML, b""),
    (HTML, b"{}"),
    ("application/xhtml+xml", b""),
    ("text/css", b""),
    ("application/problem+json", b'{"title":"slow down"}'),
    (JSON, b"<meta http-equiv=refresh content=0>"),
    (None, b"\xef\xbb\xbf <div>"),
    (None, "<html>".encode("utf-16")),
    (JSON, b'{"error":"queue full"}'),
    (JSON, b'{"Error":{"code":7}}'),
    (JSON, b'{"errorCode":"E7"}'),
    (JSON, b'{"exception":"java.lang.IllegalStateException"}'),
    (JSON, b'{"success":false}'),
    (JSON, b'{"success":"false"}'),
    (JSON, b'{"stored":0}'),
    (JSON, b'{"persisted":false}'),
    (JSON, b'{"statusCode":500}'),
    (JSON, b'{"status":"error"}'),
    (JSON, b'{"status":"KO"}'),
    (JSON, b'{"status":"503"}'),
    (JSON, b'{"code":401,"id":"demo-stream-01"}'),
    (JSON, b'{"message":"Internal server error"}'),
    (JSON, b'{"message":"Forbidden"}'),
    (JSON, b'{"status":"ok","errors":["late"]}'),
    (JSON, b'{"data":{"result":{"success":false}}}'),
    (JSON, b'{"success":true,"message":"Queue full"}'),
    (JSON, b'{"success":true,"warning":"timestamp in the future, discarded"}'),
    (JSON, b'{"success":true,"ignored":true}'),
    (JSON, b'{"success":true,"discarded":1}'),
    (JSON, b'{"accepted":1,"dropped":1}'),
    (JSON, b'{"success":true,"skipped":1}'),
    (JSON, b'{"success":true,"inserted":0}'),
    (JSON, b'{"status":"ok","rowsWritten":0}'),
    (JSON, b'{"authenticated":true}'),
    (JSON, b'{"valid":true}'),
    (JSON, b'{"message":"Quota exceeded"}'),
    (JSON, b'{"message":"stream disabled"}'),
    (JSON, b"0"),
    ("text/plain", b"OK - ignored"),
    ("text/plain", b"KO"),
    ("text/plain", b"Service is down"),
    ("text/plain", b"Rate limit reached"),
    (JSON, b'[{"status":"failed"}]'),
    (JSON, b'{"redirect":"/login"}'),
    (JSON, b"false"),
    (JSON, b"null"),
    (JSON, b'{"a":' * 100_000),
    (JSON, b"[" * 100_000 + b"]" * 100_000),
    ("text/plain", b"Error: queue full"),
    ("text/plain", b"Please log in"),
    (None, b"who are you?"),
    (JSON, b'{"id":"another","tsISO8601":"2026-01-01T10:15:00.000+01:00"}'),
]


@pytest.mark.parametrize(("content_type", "body"), NO_PROOF)
def test_a_good_status_alone_is_no_proof_of_storing(
    collector: Collector, content_type: str | None, body: bytes
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    collector.route = scripted(Reply(body=body, headers=headers))
    with client(collector) as wattics:
        answer = wattics.push(PACKET)
    assert (answer.kind, answer.status, answer.in_doubt) == ("in_doubt", 200, True)


@pytest.mark.parametrize("stream", ["full-load", "session-7", "limit", "error-rate", "KO"])
def test_a_packet_repeated_is_stored_whatever_words_its_ids_hold(stream: str) -> None:
    packet = json.dumps({"id": stream, "tsISO8601": "2026-01-01T10:15:00.000+01:00", "value": 1})
    judged = judge_body(
        [(b"content-type", b"application/json")], packet.encode(), sent=packet.encode()
    )
    assert judged.verdict == "stored"


def test_an_unclear_answer_shows_its_words(collector: Collector) -> None:
    collector.route = scripted(Reply(body=LOGIN_PAGE))
    with client(collector) as wattics:
        assert "Full authentication" in wattics.push(PACKET).excerpt


@pytest.mark.parametrize(
    "headers",
    [
        {"Refresh": "0; url=/login"},
        {"Location": "/login"},
        {"Content-Encoding": "gzip", "Content-Type": JSON},
    ],
)
def test_a_header_may_say_that_this_is_no_answer(
    collector: Collector, headers: dict[str, str]
) -> None:
    collector.route = scripted(Reply(body=b"", headers=headers))
    with client(collector) as wattics:
        assert wattics.push(PACKET).kind == "in_doubt"


def test_what_was_created_may_have_a_place_and_no_content_needs_no_type(
    collector: Collector,
) -> None:
    collector.route = scripted(
        Reply(status=201, headers={"Location": "/m/1"}),
        Reply(status=204, headers={"Content-Type": HTML}),
    )
    with client(collector) as wattics:
        assert [wattics.push(PACKET).kind for _ in range(2)] == ["stored", "stored"]


@given(st.binary(max_size=60), st.sampled_from([b"text/html", b"TEXT/HTML; a=b", b"text/xml"]))
def test_whatever_is_typed_as_a_page_never_means_stored(body: bytes, media: bytes) -> None:
    judged = judge_body([(b"Content-Type", media)], body)
    assert (judged.verdict, judged.shape) == ("not_stored", "")


@given(st.text(max_size=40), st.sampled_from(["", "application/json", "text/plain"]))
def test_whatever_begins_with_markup_never_means_stored(text: str, media: str) -> None:
    judged = judge_body([(b"content-type", media.encode())], f" <{text}".encode())
    assert judged.verdict == "not_stored"


@given(
    st.dictionaries(
        st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    ),
    st.sampled_from(["error", "Error", "errors", "error_message", "exception", "failure"]),
    st.text(min_size=1).filter(lambda text: text.lower() not in {"none", "0"}) | st.just(True),
)
def test_an_object_that_says_error_never_means_stored(
    others: dict[str, object], key: str, value: object
) -> None:
    said = json.dumps({**others, key: value}).encode()
    assert judge_body([], said).verdict == "not_stored"


def test_answers_that_differ_in_numbers_and_instants_only_have_one_shape() -> None:
    def shape(text: str) -> str:
        return judge_body([(b"content-type", b"application/json")], text.encode()).shape

    first = shape('{"row":8123456,"at":"2026-01-01T10:15:00.000+01:00"}')
    assert first
    assert first == shape('{"row":9999999999,"at":"2026-03-01T10:30:00Z"}')
    assert first != shape('{"row":1,"at":"2026-03-01T10:30:00Z"}')


def test_https_goes_through_the_proxy_of_the_environment_and_plain_loopback_never(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    with answered_once(refusal) as (proxy, heard):
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with client(collector) as wattics:
            assert wattics.push(PACKET).kind == "stored"
        assert not heard
        with client(collector, base_url=f"https://collector.invalid{PATH}") as wattics:
            answer = wattics.push(PACKET)
    assert heard[0].startswith(b"CONNECT collector.invalid:443 ")
    assert BASIC.encode() not in heard[0]
    assert (answer.kind, answer.in_doubt) == ("transient", False)


def test_a_certificate_nobody_vouches_for_is_refused_before_anything_is_sent(
    collector: Collector, tmp_path: Path
) -> None:

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    subprocess.run(  # noqa: S603 - our own words
        ["openssl", "req", *options, "-keyout", str(key), "-out", str(certificate)],  # noqa: S607
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    failed: list[Exception] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            connection, _ = listening.accept()
            try:
                context.wrap_socket(connection, server_side=True).recv(10)
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}{PATH}"
        with client(collector, base_url=url) as wattics:
            answer = wattics.push(PACKET)
        thread.join()
    assert failed
    assert (answer.kind, answer.in_doubt) == ("transient", False)


def test_stored_but_cut_before_the_answer_is_unclear(collector: Collector) -> None:
    def route(seen: Seen) -> Reply:
        collector.reply(seen)
        raise BrokenPipeError

    collector.route = route
    with client(collector) as wattics:
        answer = wattics.push(PACKET)
    assert (answer.kind, answer.in_doubt) == ("transient", True)
    assert STREAM in collector.stored


def test_a_good_status_whose_body_was_cut_is_unclear(collector: Collector) -> None:
    collector.route = scripted(Reply(body=b"stored, thank you", cut=3))
    with client(collector) as wattics:
        answer = wattics.push(PACKET)
    assert (answer.kind, answer.in_doubt) == ("in_doubt", True)


def test_no_connection_means_surely_not_stored() -> None:
    with Loopback(scripted(Reply())).running() as server:
        url = server.url
    gone = WatticsSettings(base_url=url + PATH, connect_timeout_s=1)
    credential = BasicCredential(username=USER, password=SecretStr(PASSWORD))
    with WatticsClient(gone, credential=credential) as wattics:
        answer = wattics.push(PACKET)
    assert (answer.kind, answer.in_doubt) == ("transient", False)
    assert url not in answer.reason


@pytest.mark.parametrize("body", [b"", b"[{}]", b'{"a":1}\n', b'{"a":\n1}', b'{"a":\r1}'])
def test_what_is_not_one_line_with_one_packet_is_never_sent(
    collector: Collector, body: bytes
) -> None:
    with client(collector) as wattics, pytest.raises(ValueError, match="one line"):
        wattics.push(body)
    assert not collector.seen


def test_the_last_packet_comes_back_as_an_instant_and_numbers(collector: Collector) -> None:
    with client(collector) as wattics:
        assert wattics.last_packet(STREAM) is None
        wattics.push(PACKET)
        last = wattics.last_packet(STREAM)
    assert last is not None
    assert last.at == datetime(2026, 1, 1, 9, 15, tzinfo=UTC)
    assert last.fields == {"aP_1": 1800.5, "pC_1": 8_423_692.0}


def test_a_stream_id_with_odd_characters_is_asked_for_as_it_is(collector: Collector) -> None:
    stream = "a&b=c d/é#1"
    with client(collector) as wattics:
        assert wattics.last_packet(stream) is None
    assert collector.seen[0].query == {"stream": stream}


STAMP = datetime(2026, 1, 1, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"demo-stream-01","tsISO8601":"2026-01-01T10:15:00.000+01:00","value":5}',
        b'[{"id":"demo-stream-01","tsISO8601":"2026-01-01T09:15:00Z","value":5,"other":{"a":[1]}}]',
        b'{"timestamp":1767258900000,"value":5}',
        b'{"ts":1767258900,"value":5}',
        b'{"ts":"1767258900000","value":5,"name":"x","flag":true,"gone":null}',
        b'\xef\xbb\xbf{"ts":1767258900,"value":5,"error":"late","alarm":false}',
    ],
)
def test_any_plausible_shape_of_the_last_packet_is_read(body: bytes) -> None:
    last = packet_of(body, stream_id=STREAM)
    assert last is not None
    assert (last.at, last.fields) == (STAMP, {"value": 5.0})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{}",
        b"[]",
        b"null",
        b'{"id":"demo-stream-01","tsISO8601":0}',
        b'{"tsISO8601":"1970-01-01T00:00:00.000+00:00"}',
    ],
)
def test_every_form_of_nothing_stored_is_nothing(body: bytes) -> None:
    assert packet_of(body, stream_id=STREAM) is None


@pytest.mark.parametrize(
    "body",
    [
        b"[{},{}]",
        b"5",
        b'{"value":5}',
        b'{"tsISO8601":"yesterday"}',
        b'{"ts":1e300}',
        b'{"tsISO8601":"2026-01-01T10:15:00"}',
        b'{"id":"another","tsISO8601":"2026-01-01T10:15:00Z"}',
    ],
)
def test_a_last_packet_that_cannot_be_understood_is_loud_not_nothing(
    collector: Collector, body: bytes
) -> None:
    collector.route = scripted(Reply(body=body))
    with client(collector) as wattics, pytest.raises(ContractError, match=STREAM):
        wattics.last_packet(STREAM)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(status=401), AuthenticationError),
        (Reply(status=503), TransientError),
        (Reply(status=302, headers={"Location": "/login"}), RedirectedError),
        (Reply(body=LOGIN_PAGE, headers={"Content-Type": "text/html"}), RedirectedError),
        (Reply(status=400), PermanentError),
        (Reply(body=b"<p>"), RedirectedError),
        (Reply(body=b"", headers={"Content-Type": "text/html"}), RedirectedError),
        (Reply(body=b"{}", headers={"Content-Type": "text/html"}), TransientError),
        (Reply(body=b"", headers={"Refresh": "0; url=/login"}), RedirectedError),
        (reply_json({"error": "busy"}), TransientError),
        (reply_json({"success": False}), TransientError),
        (Reply(body=b'{"tsISO8601":"2026', cut=5), TransientError),
        (Reply(status=204, body=b""), None),
        (reply_json({}), None),
    ],
)
def test_a_read_back_that_fails_is_never_taken_for_nothing_stored(
    collector: Collector, reply: Reply, error: type[Exception] | None
) -> None:
    collector.route = scripted(reply)
    with client(collector) as wattics:
        if error is None:
            assert wattics.last_packet(STREAM) is None
        else:
            with pytest.raises(error):
                wattics.last_packet(STREAM)


@given(st.binary(max_size=60))
def test_reading_garbage_back_is_an_error_of_one_kind(body: bytes) -> None:
    try:
        packet_of(body, stream_id=STREAM)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either outcome is right, another class is not
