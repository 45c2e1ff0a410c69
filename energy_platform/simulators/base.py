"""What every simulator is: a vendor's cloud as local servers, with its faults and credentials.

Here belongs what the suite, the control endpoint and the demo's portfolio ask of each simulator
alike. What one vendor's protocol needs belongs in its own folder.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from starlette.applications import Starlette

from energy_platform.simulators.faults import Faults
from energy_platform.simulators.middleware import IDENTITY_PREFIX, FaultMiddleware, identity_faults
from energy_platform.simulators.world import real_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from energy_platform.simulators.middleware import App, Requests
    from energy_platform.simulators.oauth import OAuthServer
    from energy_platform.simulators.world import Bulk, Clock, Device, Signal, Site

SIMULATED_RPS: Final = "500"
"""Requests per second a simulator may be asked: it is on this machine, so the pace that spares a
real vendor would only be waiting."""

IDENTITY: Final = "identity"
"""Suffix of the name of a vendor's identity server."""


@dataclass(frozen=True, kw_only=True)
class PortfolioRules:
    """How the demo's reviewed portfolio describes the devices of a vendor.

    Attributes:
        device_type: Name of the type of a device; a number is added where several differ.
        every_at_least_s: Shortest cadence to expect; 0: that of the device.
        has_device_role: Whether carrier and role stand at the device rather than at its points.
        hourly_points: Whether points that come by the hour say so beside their device's cadence.
        full_devices: How many devices have all their points; None: all of them.
        main_points: Addresses that the other devices have.
        code_of_state: Number of a text state, by its position and text.
    """

    device_type: Callable[[Device], str]
    every_at_least_s: int = 0
    has_device_role: bool = False
    hourly_points: bool = False
    full_devices: int | None = None
    main_points: frozenset[str] = frozenset()
    code_of_state: Callable[[int, str], float] = lambda position, _: float(position)

    def points(self, device: Device, *, number: int) -> list[Signal]:
        """Return the signals of a vendor's device that are worth a point; ``number`` is from 0."""
        signals = [signal for signal in device.signals if "vanished" not in signal.traits]
        if self.full_devices is not None and number >= self.full_devices:
            signals = [signal for signal in signals if signal.address in self.main_points]
        return signals


class Simulator:
    """A vendor's cloud as one or two ASGI applications.

    A subclass is registered in ``registry`` and gives the parts below; the base has what is the
    same everywhere.

    Args:
        faults: Switched while running; the simulator declares its own names on them.
        clock: Nothing later than its time is served.

    Attributes:
        name: The vendor, as in fault texts and environment variables.
        own_faults: Names of faults beside the general ones.
        portfolio: How the demo's portfolio describes its devices; None: it has no devices.
        options: What it takes of a suite besides faults and clock: ``world``, ``history``,
            ``streams``, ``record``.
        app: The cloud; set by the subclass.
        identity: Its identity server; None: it has none.
        requests: Answers by ``"METHOD endpoint"`` and status; status 0 stands for no answer.
        writes: Calls a reader must never make, as ``"METHOD path"``.
    """

    name: ClassVar[str]
    own_faults: ClassVar[frozenset[str]]
    portfolio: ClassVar[PortfolioRules | None] = None
    has_identity: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ("world",)

    app: App
    identity_app: App
    identity: OAuthServer | None = None

    def __init__(self, *, faults: Faults | None = None, clock: Clock = real_time) -> None:
        declared = self.own_faults | (identity_faults() if self.has_identity else frozenset())
        self.faults = (faults or Faults()).knowing(declared)
        self.clock = clock
        self.requests: Requests = Counter()
        self.writes: list[str] = []

    @classmethod
    def devices(cls, sites: Sequence[Site], *, seed: int) -> tuple[Device, ...]:
        """Return the devices of the world that this vendor lists; none by default."""
        del sites, seed
        return ()

    @classmethod
    def bulk_devices(cls, site: Site, *, bulk: Bulk, seed: int) -> tuple[Device, ...]:
        """Return further devices of the vendor for benchmarks; none by default."""
        del site, bulk, seed
        return ()

    @classmethod
    def servers(cls) -> tuple[str, ...]:
        """Return the names of its servers, each of which has a port."""
        return (cls.name, f"{cls.name}_{IDENTITY}") if cls.has_identity else (cls.name,)

    def apps(self) -> dict[str, App]:
        """Return its applications by the names of ``servers``."""
        applications = (self.app, self.identity_app) if self.has_identity else (self.app,)
        return dict(zip(self.servers(), applications, strict=True))

    def environment(self, url: Callable[[str], str]) -> dict[str, str]:
        """Return the variables that point the platform at it; ``url`` gives a server's base URL."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is reached")

    def control_reads(self) -> Mapping[str, Callable[[Request], Any]]:
        """Return paths of the control endpoint that only this simulator answers to GET."""
        return {}

    def control_orders(self) -> Mapping[str, Callable[[bytes], Any]]:
        """Return paths of the control endpoint that only this simulator answers to POST."""
        return {}

    def close(self) -> None:
        """Release what it holds."""

    def now_s(self) -> float:
        """Return what time its cloud says it is, epoch seconds: ``clock_skew`` moves it."""
        skew = self.faults.active("clock_skew")
        return self.clock().timestamp() + (0.0 if skew is None else skew.seconds)

    def with_faults(self, app: App, *, endpoint: Callable[[str], str]) -> App:
        """Return the cloud's application behind the general faults and the counter."""
        return FaultMiddleware(app, faults=self.faults, requests=self.requests, endpoint=endpoint)

    def identity_with_faults(
        self, routes: Sequence[BaseRoute], *, endpoint: Callable[[str], str]
    ) -> App:
        """Return the identity server's application; its faults begin with ``identity_``."""
        return FaultMiddleware(
            Starlette(routes=routes),
            faults=self.faults,
            requests=self.requests,
            endpoint=endpoint,
            prefix=IDENTITY_PREFIX,
        )
