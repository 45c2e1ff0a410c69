"""What the Belimo Cloud's answers have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.responses import Response

ROOT: Final = "/api/v3"


def endpoint(path: str) -> str:
    """The path without ids."""
    parts = [part for part in path.removeprefix(ROOT).split("/") if part]
    match parts:
        case ["devices", "stats"] | ["devices"] | ["api-info"]:
            return "/".join(parts)
        case ["devices", "change-stream", *_]:
            return "devices/change-stream"
        case ["devices", _, "data", "history", "datapoints", *_]:
            return "devices/raw"
        case ["devices", _, "data", "history", "timeseries"]:
            return "devices/timeseries"
        case ["devices", _]:
            return "devices/one"
        case ["devices", _, *rest]:
            return "devices/" + "/".join(rest)
        case ["definitions", kind, *rest]:
            return f"definitions/{kind}" + ("/one" if rest else "")
        case _:
            return "elsewhere"


def iso(at: float) -> str:
    """ISO 8601 in whole seconds with Z."""
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def body(content: bytes) -> Response:
    """A 200 with rendered JSON."""
    return Response(content, media_type="application/json")


def as_json(content: Any, *, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")


def refusal(status: int, message: str, *, headers: dict[str, str] | None = None) -> Response:
    """An error in the shape clients look for: a member ``errors``."""
    return Response(
        msgspec.json.encode({"errors": [{"message": message}]}),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )
