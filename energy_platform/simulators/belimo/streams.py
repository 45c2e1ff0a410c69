"""The change stream: server-sent events of devices with a new state.

Source: Belimo Cloud Client API, section 9 (change stream).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from energy_platform.simulators.belimo.inventory import record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from energy_platform.simulators.belimo.inventory import Inventory, Record

HEARTBEAT_S: Final = 5.0
LOOK_S: Final = 0.5
"""How often the world is looked at."""


class ChangeStreams:
    """Streams that were asked for, by token.

    Args:
        inventory: The devices.
        now: The cloud's clock, epoch seconds.
    """

    def __init__(self, inventory: Inventory, *, now: Callable[[], float]) -> None:
        self._inventory = inventory
        self._now = now
        self._wanted: dict[str, Record] = {}

    def open(self, body: bytes) -> str:
        """Remember what is wanted; returns the token.

        Raises:
            msgspec.MsgspecError: The body is not an object.
        """
        token = secrets.token_urlsafe(16)
        self._wanted[token] = msgspec.json.decode(body or b"{}", type=dict[str, Any])
        return token

    def events(self, token: str) -> AsyncIterator[bytes] | None:
        """The stream of that token; None when there is none."""
        wanted = self._wanted.get(token)
        return None if wanted is None else self._events(wanted)

    async def _events(self, wanted: Record) -> AsyncIterator[bytes]:
        seen: dict[str, str] = {}
        included = set(wanted.get("includedDeviceIds") or ())
        beat = time.monotonic()
        yield b":heartbeat\n\n"
        while True:
            for scope in self._inventory.current():
                if scope.device is None or (included and scope.id not in included):
                    continue
                shown = record(scope, now=self._now())
                stamp = str(shown["state"]["timestamp"])
                if seen.get(scope.id) != stamp:
                    seen[scope.id] = stamp
                    event = {"deviceId": scope.id, "device": shown}
                    yield b"data:" + msgspec.json.encode(event) + b"\n\n"
            if time.monotonic() - beat > HEARTBEAT_S:
                beat = time.monotonic()
                yield b":heartbeat\n\n"
            await asyncio.sleep(LOOK_S)
