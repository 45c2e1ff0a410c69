"""Bodies of every odd kind: read when they mean one thing, else an error that names the vendor."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.sources.http import exchange
from energy_platform.sources.http.bodies import Unpacker, error_object, plain_json, quoted_literals
from energy_platform.sources.http.client import Call, Transport
from energy_platform.sources.http.errors import ContractError, PermanentError, TransientError
from energy_platform.sources.socomec import SocomecClient
from energy_platform_tests.sources.http.loopback import Loopback, Reply, Seen, reply_json
from energy_platform_tests.sources.socomec.sodata import TOKEN_PATH, SoData, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

THING = {"name": "Büro é", "value": 1.5}
TEXT = json.dumps(THING, ensure_ascii=False)


class Thing(msgspec.Struct):
    name: str
    value: float | str | None


class Anything(msgspec.Struct):
    name: str | None = None


def fetched(reply: Reply, *, attempts: int = 1, kind: Any = Thing) -> Any:
    with (
        Loopback(lambda _: reply).running() as server,
        Transport(
            vendor="acme",
            base_url=server.url,
            allowed=(Call("GET", "/thing"),),
            rps=10_000,
            max_in_flight=1,
            timeout_s=5,
            attempts=attempts,
            backoff_s=0,
        ) as t,
    ):
        try:
            return t.fetch("GET", "/thing", decoder=msgspec.json.Decoder(kind), endpoint="thing")[0]
        finally:
            assert len(server.seen) <= attempts


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-8-sig", "utf-8"),
        ("utf-16", ""),
        ("utf-16-le", ""),
        ("utf-16-be", ""),
        ("utf-32", ""),
        ("iso-8859-1", "iso-8859-1"),
        ("windows-1252", '"windows-1252"'),
        # Said by frameworks of what is UTF-8 all the same.
        ("utf-8", "iso-8859-1"),
        ("utf-8", "no-such-set"),
    ],
)
def test_any_encoding_that_means_one_text_is_read(encoding: str, charset: str) -> None:
    kind = "application/json" + (f"; charset={charset}" if charset else "")
    got = fetched(Reply(body=TEXT.encode(encoding), headers={"Content-Type": kind}))
    assert (got.name, got.value) == (THING["name"], 1.5)


def test_bytes_of_an_unnamed_set_are_no_text() -> None:
    with pytest.raises(TransientError, match="do not parse"):
        fetched(Reply(body=TEXT.encode("iso-8859-1")))


@given(
    st.dictionaries(
        st.text(), st.text() | st.floats(allow_nan=False, allow_infinity=False) | st.none()
    )
)
def test_mending_never_changes_what_was_json(value: dict[str, Any]) -> None:
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert plain_json(body) == body
    mended = quoted_literals(body)
    assert mended is None or mended == body


@pytest.mark.parametrize("depth", [2_000, 100_000])
@pytest.mark.parametrize("place", ["known", "unknown", "all"])
def test_a_body_nested_beyond_reason_is_the_vendors_fault(depth: int, place: str) -> None:
    nest = b"[" * depth + b"]" * depth
    body = {
        "known": b'{"name":' + nest + b"}",
        "unknown": b'{"name":"a","value":1,"x":' + nest + b"}",
        "all": nest,
    }[place]
    with pytest.raises(ContractError, match="acme thing") as caught:
        fetched(Reply(body=body), attempts=3)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_nested_errors_and_logins_are_the_vendors_fault_too(status: int) -> None:
    nest = Reply(body=b'{"error":' + b"[" * 100_000 + b"]" * 100_000 + b"}", status=status)
    expected = TransientError if status == 500 else PermanentError
    with pytest.raises(expected):
        fetched(nest)
    sodata = SoData()
    sodata.token_faults = [nest] * 3
    with (
        Loopback(sodata).running() as server,
        SocomecClient(settings(server.url), backoff_s=0) as client,
        pytest.raises(expected, match="socomec token"),
    ):
        client.corporate_accounts()


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_costs_one_value_not_the_answer(literal: str) -> None:
    body = f'{{"name": "NaN \\" -Infinity", "value": {literal}}}'.encode()
    got = fetched(Reply(body=body))
    assert (got.name, got.value) == ('NaN " -Infinity', literal)


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a", "value": 1} trailing',
        b'{"name": "a", "value": 1}{"name": "b"}',
        b"",
        b"\xff",
    ],
    ids=["garbage", "two", "empty", "no text"],
)
def test_what_is_more_or_less_than_one_json_text_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(TransientError, match=r"do not parse \(2 attempts\)"):
        fetched(Reply(body=body), attempts=2)


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "server_error"},
        {"error": {"message": "try later"}},
        {"errors": ["one"]},
        {"success": False},
        {"statusCode": 503, "message": "busy"},
    ],
)
def test_an_error_under_a_status_that_says_all_is_well_is_an_error(answer: object) -> None:
    with pytest.raises(TransientError, match="the body reports an error"):
        fetched(reply_json(answer), kind=Anything)


@pytest.mark.parametrize(
    "answer",
    [{"error": None}, {"errors": [], "name": "a"}, {"statusCode": 200}, {"success": True}, []],
)
def test_what_only_has_the_words_of_an_error_is_none(answer: object) -> None:
    assert not error_object(json.dumps(answer).encode())


def bomb(layers: int = 1) -> bytes:
    packed = b'{"name": "' + b"x" * (64 * 1024 * 1024) + b'"}'
    for _ in range(layers):
        packed = gzip.compress(packed)
    return packed


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_stopped_before_it_fills_the_memory(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MAX_BODY_BYTES", 4 * 1024 * 1024)
    reply = Reply(body=bomb(), headers={"Content-Encoding": encoding})
    tracemalloc.start()
    try:
        with pytest.raises(ContractError, match="larger than 4194304 bytes"):
            fetched(reply)
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_body_without_an_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_BODY_BYTES", 1024)
    with pytest.raises(ContractError, match="larger than 1024 bytes"):
        fetched(Reply(body=b'"' + b"x" * 5000 + b'"'))


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip;q=1", "nonsense"])
def test_a_packing_that_was_not_asked_for_is_named(encoding: str) -> None:
    with pytest.raises(ContractError, match="packed as"):
        fetched(Reply(body=bomb(2)[:1000], headers={"Content-Encoding": encoding}))


def raw_deflate(text: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return machine.compress(text) + machine.flush()


PACKED: Mapping[str, tuple[str, bytes]] = {
    "gzip": ("gzip", gzip.compress(TEXT.encode())),
    "x-gzip": ("X-GZIP", gzip.compress(TEXT.encode())),
    "two members": (
        "gzip",
        gzip.compress(TEXT.encode()[:9]) + gzip.compress(TEXT.encode()[9:]),
    ),
    "zlib": ("deflate", zlib.compress(TEXT.encode())),
    "bare": ("deflate", raw_deflate(TEXT.encode())),
    "none": ("identity", TEXT.encode()),
}


@pytest.mark.parametrize("name", PACKED)
def test_every_packing_that_is_asked_for_is_unpacked(name: str) -> None:
    encoding, body = PACKED[name]
    assert fetched(Reply(body=body, headers={"Content-Encoding": encoding})).value == 1.5


@pytest.mark.parametrize("name", ["gzip", "zlib", "bare"])
def test_a_packed_answer_that_is_cut_is_asked_for_again(name: str) -> None:
    encoding, body = PACKED[name]
    for part in (body[:-6], body[: len(body) // 2], b"\x1f\x8b" + b"\0" * 30):
        with pytest.raises(TransientError):
            fetched(Reply(body=part, headers={"Content-Encoding": encoding}), attempts=2)


@given(st.binary(max_size=3000), st.integers(1, 50))
def test_unpacking_does_not_depend_on_how_the_bytes_came(text: bytes, step: int) -> None:
    packed = gzip.compress(text)
    unpacker = Unpacker("gzip")
    parts = [packed[at : at + step] for at in range(0, len(packed), step)]
    assert b"".join(piece for part in parts for piece in unpacker.pieces(part)) == text
    unpacker.end()


def endless(total: Any) -> Any:
    numbers = count()

    def route(seen: Seen) -> Reply:
        if seen.path == TOKEN_PATH:
            return sodata(seen)
        asked.append(seen.path)
        records = [{"uuid": f"u{next(numbers)}", "name": "a"} for _ in range(50)]
        return reply_json({"total": total(len(asked)), "results": records, "take": 50})

    sodata = SoData()
    asked: list[str] = []
    return route, asked


@pytest.mark.parametrize(
    "total",
    [lambda pages: 50 * pages + 50, lambda _: 10**9, lambda pages: 10 + 10**pages],
    ids=["always one page more", "a billion", "ever more"],
)
def test_a_listing_that_never_ends_ends(total: Any) -> None:
    route, asked = endless(total)
    with (
        Loopback(route).running() as server,
        SocomecClient(settings(server.url), backoff_s=0) as client,
        pytest.raises(ContractError, match="the listing does not end"),
    ):
        client.corporate_accounts()
    assert len(asked) < 20
