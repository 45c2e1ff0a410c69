"""One deterministic world behind all simulators, with known true energy at any date.

A world is a pure function of its seed: sites with closed-form power curves, devices of three
vendors, and signals that sample those curves as real sensors do (irregular stamps, whole counts).
The same instant always has the same value, whatever window is asked for. It misbehaves only where
an ``Event`` says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from energy_platform.simulators.registry import simulators
from energy_platform.simulators.world.bulk import Bulk
from energy_platform.simulators.world.curves import ORIGIN_S, Curve
from energy_platform.simulators.world.devices import Device
from energy_platform.simulators.world.events import EVENT_KINDS, Event, EventKind, parse_event
from energy_platform.simulators.world.signals import Cadence, Samples, Signal, jitter
from energy_platform.simulators.world.sites import Site, build_sites

__all__ = [
    "EVENT_KINDS",
    "ORIGIN_S",
    "Bulk",
    "Cadence",
    "Clock",
    "Curve",
    "Device",
    "Event",
    "EventKind",
    "Samples",
    "Signal",
    "Site",
    "World",
    "jitter",
    "parse_event",
    "real_time",
]

Clock = Callable[[], datetime]
"""What time it is in the world; must be aware of its zone."""


def real_time() -> datetime:
    """The default clock: now, UTC."""
    return datetime.now(tz=UTC)


class World:
    """Sites, devices and signals of all vendors.

    Args:
        seed: Changes the irregularity of the stamps and the valves' serial numbers; the sites and
            their power curves stay the same.
        events: What goes wrong; nothing by default.
        bulk: Extra meters for benchmarks.
    """

    def __init__(
        self, seed: int = 7, *, events: Iterable[Event] = (), bulk: Bulk | None = None
    ) -> None:
        self.seed = seed
        self.sites: tuple[Site, ...] = build_sites()
        devices = tuple(
            device for one in simulators() for device in one.devices(self.sites, seed=seed)
        )
        if bulk is not None:
            devices += tuple(
                device
                for one in simulators()
                for device in one.bulk_devices(self.sites[0], bulk=bulk, seed=seed)
            )
        self.devices: tuple[Device, ...] = devices
        self.signals: dict[str, Signal] = {
            signal.key: signal for device in devices for signal in device.signals
        }
        self._sites = {site.key: site for site in self.sites}
        self._lock = threading.Lock()
        for event in events:
            self.add_event(event)

    def site(self, key: str) -> Site:
        """The site of that key.

        Raises:
            KeyError: No such site.
        """
        return self._sites[key]

    def of_vendor(self, vendor: str) -> tuple[Device, ...]:
        """All devices a vendor lists, gateways included."""
        return tuple(device for device in self.devices if device.vendor == vendor)

    @property
    def events(self) -> tuple[Event, ...]:
        """Everything that goes wrong, signal by signal."""
        return tuple(event for signal in self.signals.values() for event in signal.events)

    def add_event(self, event: Event) -> None:
        """Let something go wrong; events of one signal apply in the order they were added.

        Raises:
            KeyError: The event names an unknown signal.
        """
        with self._lock:
            if event.signal not in self.signals:
                msg = f"event {event.kind}: no signal {event.signal!r} in the world"
                raise KeyError(msg)
            signal = self.signals[event.signal]
            signal.events = (*signal.events, event)

    def clear_events(self) -> None:
        """Make every signal healthy again."""
        with self._lock:
            for signal in self.signals.values():
                signal.events = ()

    def site_energy_wh(self, site: str, start: float | datetime, end: float | datetime) -> float:
        """True electricity use of a site in [start, end), Wh.

        Equals import - export + generation + discharge - charge of its main meters, plant and
        battery, and the sum of its loads.
        """
        return self._sites[site].use.energy_wh(_seconds(start), _seconds(end))


def _seconds(instant: float | datetime) -> float:
    return instant.timestamp() if isinstance(instant, datetime) else float(instant)
