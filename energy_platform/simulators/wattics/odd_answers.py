"""Answers with status 200 that do not come from the collector, or say that something is wrong."""

from __future__ import annotations

import gzip
from typing import Final

from energy_platform.simulators.wattics.exchange import Answer, Header

_HTML: Final[Header] = (b"content-type", b"text/html;charset=utf-8")
_JSON: Final[Header] = (b"content-type", b"application/json;charset=utf-8")
_FORM: Final = b"<form action='/login' method='post'><input name='user'></form>"


def _page(body: bytes, *headers: Header) -> Answer:
    return Answer(200, body, (_HTML, *headers))


def _json(body: bytes) -> Answer:
    return Answer(200, body, (_JSON,))


ODD_ANSWERS: Final = {
    "page_head": _page(b"<head><title>Sign in</title></head><body>" + _FORM + b"</body>"),
    "page_script": _page(b"<script>location='/login'</script>"),
    "page_words": _page(b"Please sign in to continue"),
    "page_refresh": _page(b"<meta http-equiv='refresh' content='0;url=/login'>"),
    "page_login": _page(b"<title>Log in</title>" + _FORM),
    "page_gzip": _page(
        gzip.compress(b"<!doctype html><title>Log in</title>" + _FORM, mtime=0),
        (b"content-encoding", b"gzip"),
    ),
    "page_untyped": Answer(200, b"  <div>Session expired</div>"),
    "page_empty": _page(b""),
    "header_refresh": Answer(200, b"", ((b"refresh", b"0; url=/login"),)),
    "error_object": _json(b'{"error":"could not write the measurement"}'),
    "success_false": _json(b'{"success":false}'),
    "status_code_500": _json(b'{"statusCode":500,"message":"Internal server error"}'),
    "status_error": _json(b'{"status":"error"}'),
    "problem_object": Answer(
        200,
        b'{"title":"Too many requests","status":429}',
        ((b"content-type", b"application/problem+json"),),
    ),
    "error_words": Answer(200, b"Error: queue is full", ((b"content-type", b"text/plain"),)),
}
"""By the name of the fault; none of them says that a packet is stored."""
