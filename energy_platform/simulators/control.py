"""The suite's control endpoint: what was received, and switches, for another process.

``GET /requests``, ``/truth``, ``/portfolio`` and ``/state``; ``POST /faults``, ``/events``,
``/clock`` and ``/tokens``; and what single simulators add (``control_reads``, ``control_orders``).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from energy_platform.simulators.faults import FaultError
from energy_platform.simulators.world import Event  # noqa: TC001 (msgspec reads the annotations)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from energy_platform.simulators.suite import SimulatorSuite


class FaultSwitch(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /faults``: faults to switch on, after clearing all when asked."""

    set: tuple[str, ...] = ()
    clear: bool = False


class EventSwitch(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /events``: events to add, after clearing all when asked."""

    add: tuple[Event, ...] = ()
    clear: bool = False


class ClockSwitch(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /clock``: the instant to stop at, null for real time."""

    now: datetime | None = None


class TokenSwitch(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /tokens``: all tokens of the identity servers become worthless."""

    refresh: bool = False


class Control:
    """ASGI application over a suite.

    Attributes:
        app: To be served on its own port.
    """

    def __init__(self, suite: SimulatorSuite) -> None:
        self._suite = suite
        posts: dict[str, Callable[[bytes], Any]] = {
            "/faults": self._faults,
            "/events": self._events,
            "/clock": self._clock,
            "/tokens": self._tokens,
        }
        gets: dict[str, Callable[[Request], Any]] = {
            "/requests": lambda _: self._requests(),
            "/truth": self._truth,
            "/portfolio": lambda _: suite.portfolio(),
            "/state": lambda _: self._state(),
        }
        for one in suite.simulators.values():
            gets |= one.control_reads()
            posts |= one.control_orders()
        self.app = Starlette(
            routes=[Route(path, _answer_get(serve)) for path, serve in gets.items()]
            + [Route(path, _answer_post(serve), methods=["POST"]) for path, serve in posts.items()]
        )

    def _faults(self, body: bytes) -> Any:
        switch = msgspec.json.decode(body, type=FaultSwitch)
        if switch.clear:
            self._suite.clear_faults()
        self._suite.set_faults(switch.set)
        return self._state()

    def _events(self, body: bytes) -> Any:
        switch = msgspec.json.decode(body, type=EventSwitch)
        if switch.clear:
            self._suite.world.clear_events()
        for event in switch.add:
            self._suite.world.add_event(event)
        return self._state()

    def _clock(self, body: bytes) -> Any:
        self._suite.set_clock(msgspec.json.decode(body, type=ClockSwitch).now)
        return self._state()

    def _tokens(self, body: bytes) -> Any:
        switch = msgspec.json.decode(body or b"{}", type=TokenSwitch)
        for one in self._suite.simulators.values():
            if one.identity is not None:
                one.identity.revoke(refresh=switch.refresh)
        return self._state()

    def _requests(self) -> dict[str, dict[str, int]]:
        return {
            vendor: {
                f"{endpoint} {status}": number
                for (endpoint, status), number in sorted(one.requests.items())
            }
            for vendor, one in self._suite.simulators.items()
        }

    def _truth(self, request: Request) -> dict[str, float]:
        """True electricity use per site between ``from`` and ``to``, Wh."""
        query = request.query_params
        start = msgspec.convert(query["from"], datetime)
        end = msgspec.convert(query["to"], datetime)
        world = self._suite.world
        return {site.key: world.site_energy_wh(site.key, start, end) for site in world.sites}

    def _state(self) -> dict[str, Any]:
        suite = self._suite
        return {
            "now": suite.now(),
            "faults": {
                vendor: {str(fault): faults.occurred[fault.name] for fault in faults}
                for vendor, faults in suite.faults.items()
            },
            "events": suite.world.events,
            "writes": {vendor: one.writes for vendor, one in suite.simulators.items()},
        }


def _answer_get(serve: Callable[[Request], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return _json(serve(request))
        except (KeyError, msgspec.MsgspecError) as error:
            return _refused(error)

    return answer


def _answer_post(serve: Callable[[bytes], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return _json(serve(await request.body()))
        except (KeyError, ValueError, FaultError, msgspec.MsgspecError) as error:
            return _refused(error)

    return answer


def _json(content: Any) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


def _refused(error: Exception) -> Response:
    text = str(error.args[0]) if error.args else str(error)
    return Response(
        msgspec.json.encode({"error": text}), status_code=400, media_type="application/json"
    )
