"""Web sessions: who was given a cookie and who brings it back.

Source: Wattics data collection API, sections 2 and 15.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Final, Literal, NamedTuple, TypeVar

COOKIE: Final = b"JSESSIONID="
"""What a Java servlet container usually calls its session cookie."""

MAX_REMEMBERED: Final = 50_000
"""Sessions and connections remembered; the oldest are forgotten first."""

CookieScope = Literal["connection", "credential"]

Arrival = Literal["kept", "first", "expired", "missing", "foreign"]
"""A live cookie; the permitted absence; a dead cookie; a culpable absence; another's cookie."""


K = TypeVar("K")
V = TypeVar("V")


class Visit(NamedTuple):
    """How a request stands towards sessions, and the cookie its answer has to set."""

    arrival: Arrival
    set_cookie: bytes | None


class _Session:
    __slots__ = ("credential", "used")

    def __init__(self, credential: str) -> None:
        self.credential = credential
        self.used = 1


class Sessions:
    """Hands out session cookies and recognises them."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()
        # The key alone could be a port used again; the tuple's identity tells connections apart.
        self._connections: OrderedDict[object, object] = OrderedDict()
        self._credentials: set[str] = set()
        self.connections = 0
        """Connections seen so far."""
        self.expire_after: int | None = None
        """Requests a session lives for; ``None`` for ever."""

    def visit(
        self, cookie: bytes | None, *, credential: str, client: object, scope: CookieScope
    ) -> Visit:
        """Judge the cookies of one request.

        Args:
            cookie: Raw ``Cookie`` header.
            credential: User of the request; empty when it was not authenticated.
            client: The connection's address object, the same one for each of its requests.
            scope: Whose first request may come without a cookie.
        """
        known_connection = self._connections.get(client) is client
        if not known_connection:
            self.connections += 1
            _remember(self._connections, client, client)
        token = _token(cookie)
        if token is not None:
            session = self._sessions.get(token)
            if session is None or (
                self.expire_after is not None and session.used >= self.expire_after
            ):
                self._sessions.pop(token, None)
                return Visit("expired", self._begin(credential))
            session.used += 1
            if credential and not session.credential:
                session.credential = credential
                self._credentials.add(credential)
            elif credential and session.credential != credential:
                return Visit("foreign", None)
            return Visit("kept", None)
        had_one = known_connection if scope == "connection" else credential in self._credentials
        return Visit("missing" if had_one else "first", self._begin(credential))

    def _begin(self, credential: str) -> bytes:
        token = secrets.token_hex(16).upper().encode()
        _remember(self._sessions, token, _Session(credential))
        if credential:
            self._credentials.add(credential)
        return COOKIE + token + b"; Path=/; HttpOnly"


def _token(cookie: bytes | None) -> bytes | None:
    if cookie is None:
        return None
    for part in cookie.split(b";"):
        name_value = part.strip()
        if name_value.startswith(COOKIE):
            return name_value[len(COOKIE) :]
    return None


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    if len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)
