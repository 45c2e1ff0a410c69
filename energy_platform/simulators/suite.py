"""All registered simulators over one world: servers, environment, control."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from energy_platform.simulators.base import Simulator
from energy_platform.simulators.control import Control
from energy_platform.simulators.demo_portfolio import demo_portfolio, demo_streams
from energy_platform.simulators.faults import Faults, by_vendor
from energy_platform.simulators.registry import simulators
from energy_platform.simulators.serving import LoopbackServers
from energy_platform.simulators.world import World, real_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from energy_platform.simulators.wattics import WatticsStream
    from energy_platform.simulators.world import Clock

CONTROL: Final = "control"
"""Name of the control endpoint's server."""

AnySimulator = TypeVar("AnySimulator", bound=Simulator)


def server_names() -> tuple[str, ...]:
    """Return the names of the servers, each of which has a port."""
    return (*(name for one in simulators() for name in one.servers()), CONTROL)


class SimulatorSuite:
    """The registered simulators, served on loopback while the context lasts.

    Args:
        world: What there is to see; a clean one by default.
        clock: What time it is; ``set_clock`` changes it while running.
        faults: ``VENDOR:FAULT`` texts, as on the command line.
        wattics_streams: Registered streams; the demo portfolio's by default.
        record_dir: Folder of the files that keep what was delivered over restarts.
        history: Whether accounts that may be without a history call have it.
        ports: Fixed ports by name (`server_names`); free ones otherwise.

    Attributes:
        simulators: Every simulator by its vendor.
        faults: The faults of each vendor.
        control: What another process may ask and switch.

    Raises:
        FaultError: A fault is unknown or written wrongly.
        OSError: On entering: a port is taken.
    """

    def __init__(
        self,
        *,
        world: World | None = None,
        clock: Clock | None = None,
        faults: Iterable[str] = (),
        wattics_streams: Iterable[WatticsStream] | None = None,
        record_dir: Path | None = None,
        history: bool = False,
        ports: Mapping[str, int] | None = None,
    ) -> None:
        self.world = world or World()
        self._clock = clock or real_time
        self.faults = {one.name: Faults(seed=self.world.seed) for one in simulators()}
        streams = demo_streams(self.world) if wattics_streams is None else tuple(wattics_streams)

        def options_of(one: type[Simulator]) -> dict[str, Any]:
            offered = {
                "world": self.world,
                "history": history,
                "streams": streams,
                "record": record_dir and record_dir / f"{one.name}.jsonl",
            }
            return {key: offered[key] for key in one.options}

        self.simulators: dict[str, Simulator] = {
            one.name: one(
                faults=self.faults[one.name],
                clock=self.now,
                **options_of(one),
            )
            for one in simulators()
        }
        self.set_faults(faults)
        self.control = Control(self)
        apps = {name: app for one in self.simulators.values() for name, app in one.apps().items()}
        self._servers = LoopbackServers({**apps, CONTROL: self.control.app}, ports=ports)

    def simulator(self, kind: type[AnySimulator]) -> AnySimulator:
        """Return the simulator of a class.

        Raises:
            KeyError: It is not registered.
        """
        found = self.simulators[kind.name]
        if not isinstance(found, kind):
            raise KeyError(kind.__name__)
        return found

    def __enter__(self) -> Self:
        self._servers.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._servers.__exit__(*details)
        for one in self.simulators.values():
            one.close()

    def now(self) -> datetime:
        """What time it is in the world."""
        return self._clock()

    def set_clock(self, moment: datetime | None) -> None:
        """Stop the world's clock at an instant; None lets it follow the real one.

        Raises:
            ValueError: The instant has no zone.
        """
        if moment is None:
            self._clock = real_time
            return
        if moment.tzinfo is None:
            msg = f"the clock needs an instant with its zone, came {moment.isoformat()}"
            raise ValueError(msg)
        stopped = moment.astimezone(UTC)
        self._clock = lambda: stopped

    def set_faults(self, texts: Iterable[str]) -> None:
        """Switch faults on, written ``VENDOR:FAULT``.

        Raises:
            FaultError: A fault is unknown or written wrongly.
        """
        for vendor, faults in by_vendor(texts, vendors=self.faults).items():
            self.faults[vendor].set(*faults)

    def clear_faults(self) -> None:
        """Switch every fault off."""
        for faults in self.faults.values():
            faults.clear()

    def url(self, name: str) -> str:
        """Base URL of one server by its name in `server_names`, without a final slash."""
        return self._servers.url(name)

    def portfolio(self) -> str:
        """The portfolio.yaml that fits this world."""
        return demo_portfolio(self.world)

    def environment(self) -> dict[str, str]:
        """The environment variables that point the platform at these simulators."""
        found: dict[str, str] = {}
        for one in self.simulators.values():
            found |= one.environment(self.url)
        return found

    def describe(self) -> str:
        """URLs and environment as one line of JSON, for a parent process."""
        urls = {name: self.url(name) for name in server_names()}
        return json.dumps({"urls": urls, "environment": self.environment()})
