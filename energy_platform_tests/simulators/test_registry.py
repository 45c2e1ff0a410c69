"""A simulated source is one folder and one registration; everything else follows."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import yaml
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from energy_platform.simulators import registry
from energy_platform.simulators.base import PortfolioRules, Simulator
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.suite import SimulatorSuite, server_names
from energy_platform.simulators.world import Cadence, Device, Signal, World
from energy_platform.simulators.world.curves import Curve
from energy_platform.simulators.world.signals import RegisterModel
from energy_platform_tests.simulators.web import HTTP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from energy_platform.simulators.faults import Faults
    from energy_platform.simulators.world import Clock, Site

KEY = "acme/77/import"


class AcmeSimulator(Simulator):
    """A cloud that only greets, with one meter behind it."""

    name = "acme"
    own_faults = frozenset({"rude"})
    portfolio = PortfolioRules(device_type=lambda _: "acme_meter", has_device_role=True)

    def __init__(self, *, world: World, faults: Faults, clock: Clock) -> None:
        super().__init__(faults=faults, clock=clock)
        self.world = world
        greet = Route("/hello", lambda _: PlainTextResponse("hello"))
        self.app = self.with_faults(
            Starlette(routes=[greet]), endpoint=lambda path: path.strip("/")
        )

    @classmethod
    def devices(cls, sites: Sequence[Site], *, seed: int) -> tuple[Device, ...]:
        site = sites[0].key
        signal = Signal(
            key=KEY,
            vendor="acme",
            device="77",
            site=site,
            address="import",
            name="Import",
            quantity="active_energy_import",
            kind="register",
            unit="kWh",
            model=RegisterModel(curve=Curve(constant_w=1_000.0), step_j=3.6e6),
            cadence=Cadence(period_s=900, spread_s=1, key=seed),
        )
        return (Device("acme", "77", "Acme meter", site, "A1", signals=(signal,)),)

    def environment(self, url: Callable[[str], str]) -> dict[str, str]:
        return {"ACME_API_URL": url("acme")}


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[object], None]]:
    """Register what a module of the name ``acme_simulator`` calls SIMULATOR."""

    def registered(simulator: object) -> None:
        module = ModuleType("acme_simulator")
        vars(module)["SIMULATOR"] = simulator
        monkeypatch.setitem(sys.modules, "acme_simulator", module)
        monkeypatch.setattr(registry, "_MODULES", (*registry._MODULES, "acme_simulator"))  # noqa: SLF001
        registry.simulators.cache_clear()

    yield registered
    monkeypatch.undo()
    registry.simulators.cache_clear()


def test_suite_control_world_and_portfolio_follow_from_the_registration(
    register: Callable[[object], None],
) -> None:
    register(AcmeSimulator)
    assert "acme" in server_names()
    with SimulatorSuite(faults=["acme:http_503=1"]) as suite:
        address = suite.environment()["ACME_API_URL"] + "/hello"
        assert [HTTP.get(address).status_code for _ in range(2)] == [503, 200]
        requests = HTTP.get(suite.url("control") + "/requests").json()
        assert requests["acme"] == {"GET hello 200": 1, "GET hello 503": 1}
    world = World()
    assert KEY in world.signals
    devices = yaml.safe_load(demo_portfolio(world))["devices"]
    assert [one["type"] for one in devices if one["vendor"] == "acme"] == ["acme_meter"]


def test_a_simulator_that_lacks_a_part_is_refused_when_it_is_registered(
    register: Callable[[object], None],
) -> None:
    class Unreachable(Simulator):
        name = "unreachable"
        own_faults = frozenset()

    register(Unreachable)
    with pytest.raises(TypeError, match="acme_simulator: SIMULATOR must define environment"):
        registry.simulators()
