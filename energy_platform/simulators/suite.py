"""All four vendors over one world: servers, environment, control."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from energy_platform.simulators.belimo import BelimoSimulator
from energy_platform.simulators.belimo.identity import TOKEN_PATH
from energy_platform.simulators.control import Control
from energy_platform.simulators.credentials import BELIMO, SOCOMEC
from energy_platform.simulators.demo_portfolio import demo_portfolio, demo_streams
from energy_platform.simulators.faults import Faults, by_vendor
from energy_platform.simulators.serving import LoopbackServers
from energy_platform.simulators.skycentrics import DEMO_CREDENTIAL as SKYCENTRICS
from energy_platform.simulators.skycentrics import SkycentricsSimulator
from energy_platform.simulators.socomec import SocomecSimulator
from energy_platform.simulators.wattics import DEMO_CREDENTIAL as WATTICS
from energy_platform.simulators.wattics import PUSH_PATH, WatticsSimulator, WatticsStream
from energy_platform.simulators.world import World, real_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from energy_platform.simulators.middleware import App
    from energy_platform.simulators.world import Clock

VENDORS: Final = ("socomec", "belimo", "skycentrics", "wattics")

PORTS: Final = (
    "socomec",
    "socomec_identity",
    "belimo",
    "belimo_identity",
    "skycentrics",
    "wattics",
    "control",
)
"""Names of the servers; each has a port."""

SIMULATED_RPS: Final = "500"
"""Requests per second that the simulators may be asked."""


class SimulatorSuite:
    """The simulators of all vendors, served on loopback while the context lasts.

    Args:
        world: What there is to see; a clean one by default.
        clock: What time it is; ``set_clock`` changes it while running.
        faults: ``VENDOR:FAULT`` texts, as on the command line.
        wattics_streams: Registered streams; the demo portfolio's by default.
        wattics_record: File that keeps what Wattics received over restarts.
        skycentrics_history: Whether the SkyCentrics account has the history call.
        ports: Fixed ports by name (`PORTS`); free ones otherwise.

    Attributes:
        socomec: SoData and Keycloak.
        belimo: Belimo Cloud and BelimoID.
        skycentrics: SkyCentrics.
        wattics: Wattics.
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
        wattics_record: Path | None = None,
        skycentrics_history: bool = False,
        ports: Mapping[str, int] | None = None,
    ) -> None:
        self.world = world or World()
        self._clock = clock or real_time
        switches = {vendor: Faults(seed=self.world.seed) for vendor in VENDORS}
        self.socomec = SocomecSimulator(
            world=self.world, faults=switches["socomec"], clock=self.now
        )
        self.belimo = BelimoSimulator(world=self.world, faults=switches["belimo"], clock=self.now)
        self.skycentrics = SkycentricsSimulator(
            world=self.world,
            faults=switches["skycentrics"],
            clock=self.now,
            history=skycentrics_history,
        )
        streams = demo_streams(self.world) if wattics_streams is None else tuple(wattics_streams)
        self.wattics = WatticsSimulator(
            streams=streams, faults=switches["wattics"], clock=self.now, record=wattics_record
        )
        self.faults: dict[str, Faults] = switches
        self.set_faults(faults)
        self.control = Control(self)
        self._servers = LoopbackServers(self._apps(), ports=ports)

    def _apps(self) -> dict[str, App]:
        return {
            "socomec": self.socomec.app,
            "socomec_identity": self.socomec.identity_app,
            "belimo": self.belimo.app,
            "belimo_identity": self.belimo.identity_app,
            "skycentrics": self.skycentrics.app,
            "wattics": self.wattics.app,
            "control": self.control.app,
        }

    def __enter__(self) -> Self:
        self._servers.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._servers.__exit__(*details)
        self.wattics.close()

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
        for vendor, faults in by_vendor(texts, vendors=VENDORS).items():
            self.faults[vendor].set(*faults)

    def clear_faults(self) -> None:
        """Switch every fault off."""
        for faults in self.faults.values():
            faults.clear()

    def url(self, name: str) -> str:
        """Base URL of one server by its name in `PORTS`, without a final slash."""
        return self._servers.url(name)

    def portfolio(self) -> str:
        """The portfolio.yaml that fits this world."""
        return demo_portfolio(self.world)

    def environment(self) -> dict[str, str]:
        """The environment variables that point the platform at these simulators."""
        return {
            "SOCOMEC_API_URL": self.url("socomec") + "/",
            "SOCOMEC_KEYCLOAK_URL": self.url("socomec_identity") + "/",
            "SOCOMEC_REALM": "Socomec",
            "SOCOMEC_CLIENT_ID": SOCOMEC.client_id,
            "SOCOMEC_CLIENT_SECRET": SOCOMEC.client_secret,
            "SOCOMEC_USERNAME": SOCOMEC.username,
            "SOCOMEC_PASSWORD": SOCOMEC.password,
            "BELIMO_API_URL": self.url("belimo") + "/api/v3",
            "BELIMO_TOKEN_URL": self.url("belimo_identity") + TOKEN_PATH,
            "BELIMO_CLIENT_ID": BELIMO.client_id,
            "BELIMO_CLIENT_SECRET": BELIMO.client_secret,
            "BELIMO_USERNAME": BELIMO.username,
            "BELIMO_PASSWORD": BELIMO.password,
            "SKYCENTRICS_API_URL": self.url("skycentrics") + "/api",
            "SKYCENTRICS_CLIENT_ID": SKYCENTRICS.client,
            "SKYCENTRICS_CLIENT_SECRET": SKYCENTRICS.secret,
            "WATTICS_BASE_URL": self.url("wattics") + PUSH_PATH,
            "WATTICS_USERNAME": WATTICS.username,
            "WATTICS_PASSWORD": WATTICS.password,
            # They are on this machine: the pace that spares a real vendor would only be waiting.
            "SOCOMEC_RPS": SIMULATED_RPS,
            "BELIMO_RPS": SIMULATED_RPS,
            "SKYCENTRICS_RPS": SIMULATED_RPS,
        }

    def describe(self) -> str:
        """URLs and environment as one line of JSON, for a parent process."""
        urls = {name: self.url(name) for name in PORTS}
        return json.dumps({"urls": urls, "environment": self.environment()})
