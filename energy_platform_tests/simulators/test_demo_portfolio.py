"""The demo's portfolio fits the platform's reader, the world and what Wattics registered."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from energy_platform.portfolio import load_portfolio, parse_portfolio
from energy_platform.simulators.demo_portfolio import demo_portfolio, demo_streams
from energy_platform.simulators.world import World
from energy_platform.transforms.units import conversion

if TYPE_CHECKING:
    from pathlib import Path

WORLD = World()
TEXT = demo_portfolio(WORLD)
PORTFOLIO = parse_portfolio(TEXT)


def test_the_platform_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "portfolio.yaml"
    path.write_text(TEXT, encoding="utf-8")
    assert load_portfolio(path).points.keys() == PORTFOLIO.points.keys()


def test_every_point_is_a_signal_of_the_world_with_the_same_meaning() -> None:
    for point_id, point in PORTFOLIO.points.items():
        if point.is_virtual:
            assert {leaf.point_id for leaf in point.leaves} <= WORLD.signals.keys()
            continue
        signal = WORLD.signals[point_id]
        assert (point.quantity, point.kind, point.site_id) == (
            signal.quantity,
            signal.kind,
            signal.site,
        )


def test_every_register_of_energy_is_in_it_with_a_limit_the_world_never_reaches() -> None:
    for signal in WORLD.signals.values():
        if signal.kind == "register" and signal.quantity.endswith(("_energy", "_charge")):
            point = PORTFOLIO.points[signal.key]
            curve = signal.curve
            assert curve is not None
            assert point.policy.max_power_w is not None
            hours = [1_767_225_600 + 3_600 * hour for hour in range(8_760)]
            assert curve.power_w(hours).max() * 1.2 <= point.policy.max_power_w * 1.2


def test_each_site_has_the_points_of_its_balance_exactly_once() -> None:
    for site in WORLD.sites:
        found = sorted(
            (point.role, point.quantity)
            for point in PORTFOLIO.points.values()
            if point.site_id == site.key
            and point.is_energy
            and point.role in {"main", "generation", "storage"}
        )
        # The plants behind the SkyCentrics gateways have two inverters, each with its register.
        inverters = 1 if site.key == "paris" else 2
        assert found == [
            *[("generation", "generation_energy")] * inverters,
            ("main", "active_energy_export"),
            ("main", "active_energy_import"),
            ("storage", "battery_energy_charge"),
            ("storage", "battery_energy_discharge"),
        ]


def test_every_unit_is_one_the_platform_converts() -> None:
    for point in PORTFOLIO.points.values():
        if not point.states and not point.is_virtual:
            assert conversion(point.unit, quantity=point.quantity) is not None, point.point_id


def test_each_site_says_what_its_meters_behind_the_main_one_leave() -> None:
    rests = {point.site_id: point for point in PORTFOLIO.virtual_points}
    assert rests.keys() == {site.key for site in WORLD.sites}
    for rest in rests.values():
        factors = {PORTFOLIO.points[leaf.point_id].role: leaf.factor for leaf in rest.leaves}
        assert factors == {"main": 1.0, "sub": -1.0}


def test_the_registered_streams_are_those_of_the_portfolio() -> None:
    registered = {stream.id: stream for stream in demo_streams(WORLD)}
    assert registered.keys() == PORTFOLIO.streams.keys()
    assert len(registered) >= 12
    for identity, stream in PORTFOLIO.streams.items():
        agreed = registered[identity]
        assert stream.kind == agreed.kind
        assert stream.interval == timedelta(seconds=agreed.interval_s)
        assert stream.reading == agreed.reading
        assert PORTFOLIO.zone_of(stream) == agreed.timezone


def test_all_kinds_of_streams_occur_in_all_zones() -> None:
    streams = PORTFOLIO.streams.values()
    assert {stream.reading for stream in streams} == {"cumulative", "average", "per_interval"}
    assert {PORTFOLIO.zone_of(stream) for stream in streams} == {
        "Europe/Paris",
        "America/Los_Angeles",
        "Asia/Kolkata",
    }
    hourly = [one for one in streams if one.interval == timedelta(hours=1)]
    assert {PORTFOLIO.zone_of(stream) for stream in hourly} == {"Asia/Kolkata"}
    assert any({"pC_1", "aP_1", "v_3"} <= stream.fields.keys() for stream in streams)


def test_a_device_that_is_not_reviewed_yet_is_left_out() -> None:
    vanished = [one.key for one in WORLD.signals.values() if "vanished" in one.traits]
    assert vanished
    assert not set(vanished) & PORTFOLIO.points.keys()
