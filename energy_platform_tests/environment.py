"""An installation on simulated vendors, as the tests set one up: variables, portfolio, few devices.

Here belongs what several rooms of the tests need to point a platform at simulators; how they then
run it (in this process, by its command, on a fast clock) is theirs.
"""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import yaml

from energy_platform.cli.simulated import PACE
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.world import World

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from energy_platform.simulators.process import SimulatorProcess


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Have these variables, and after the context those of before."""
    kept = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


@contextmanager
def no_trust_store() -> Iterator[None]:
    """Load the trust store once: it costs 60 ms a client, and nothing here speaks TLS."""
    empty = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with mock.patch("ssl.create_default_context", return_value=empty):
        yield


def simulated(data: Path, suite: SimulatorProcess, *, start: datetime) -> dict[str, str]:
    """Write the demo's portfolio into a data folder; return the variables of its installation.

    Args:
        data: The data folder.
        suite: The vendors.
        start: When the streams go live.
    """
    portfolio = data / "portfolio.yaml"
    portfolio.write_text(demo_portfolio(World(), start=start), encoding="utf-8")
    return {
        **PACE,
        **suite.environment(),
        "ENERGY_PLATFORM_DATA_DIR": str(data),
        "ENERGY_PLATFORM_PORTFOLIO": str(portfolio),
        "SKYCENTRICS_HISTORY_GAP": "15",
    }


def small_world(serials: Collection[str], *, seed: int = 7) -> World:
    """Return a world with a few devices only."""
    world = World(seed)
    world.devices = tuple(one for one in world.devices if one.serial in serials)
    world.signals = {signal.key: signal for one in world.devices for signal in one.signals}
    return world


def small_portfolio(
    serials: Collection[str],
    *,
    streams: Collection[str] = (),
    valve_points: Collection[str],
    seed: int = 7,
    start: datetime | None = None,
) -> str:
    """Return the demo's portfolio of a small world.

    Args:
        serials: Its devices.
        streams: Its streams.
        valve_points: Datapoints of a valve that are read.
        seed: Of the world.
        start: When the streams go live.
    """
    content: dict[str, Any] = yaml.safe_load(
        demo_portfolio(World(seed), start=start, reviewed=True)
    )
    for one in content["corrections"]:
        one["points"] = [name for name in one["points"] if name.split("/")[1] in serials]
    content["corrections"] = [one for one in content["corrections"] if one["points"]]
    content["devices"] = [one for one in content["devices"] if one["serial"] in serials]
    for one in (
        found for device in content["devices"] for found in (device, *device.get("points", ()))
    ):
        for link in ("parent", "same_as"):
            if one.get(link, "//").split("/")[1] not in serials:
                one.pop(link, None)
    content["streams"] = [one for one in content["streams"] if one["id"] in streams]
    valves = {one["type"] for one in content["devices"] if one["vendor"] == "belimo"}
    for name in valves:
        described = content["device_types"][name]
        described["points"] = [one for one in described["points"] if one["key"] in valve_points]
    return yaml.safe_dump(content, allow_unicode=True)
