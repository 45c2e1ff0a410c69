"""``discover --limits``: numbers in the place of ``none``, and nothing else changed."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from energy_platform.cli import app
from energy_platform.cli.discover_from_lake import run_discover_from_lake
from energy_platform.discovery import DiscoveryError
from energy_platform.discovery.limits import propose_limits
from energy_platform.lake.lake import Lake
from energy_platform.limits_seen import SeenPower, kilowatts, rating, seen_power
from energy_platform.portfolio import load_portfolio, parse_portfolio
from energy_platform.refresh import refresh
from energy_platform.schemas import CORE_REGISTER_STATE
from energy_platform.transforms.register_rule import LEARNED_FACTOR, power_of_two
from energy_platform_tests.refresh.world import DAYS, METER, PORTFOLIO, land, steady

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
version: 1
sites:
  - {id: mill, name: Mill, timezone: Europe/Paris}
device_types:
  meter:
    points:
      - key: a
        name: A
        quantity: active_energy_import
        unit: Wh
      - key: b
        name: B
        quantity: active_energy_import
        unit: Wh
        max_power_w: none  # TO CONFIRM: rated power in W
devices:
  - vendor: socomec
    serial: M1
    site: mill
    name: One
    type: meter
    max_power_w: none
  - vendor: socomec
    serial: M2
    site: mill
    name: Two
    type: meter
    max_power_w: 50000
  - {vendor: socomec, serial: M3, site: mill, name: Three, type: meter, max_power_w: none}
"""


def seen(point_id: str, power_w: float, *, rises: int = 5000) -> SeenPower:
    policy = parse_portfolio(TEXT).points[point_id].policy
    return SeenPower(
        point_id=point_id,
        power_w=power_w,
        at=datetime(2026, 3, 4, 9, 30, tzinfo=UTC),
        rises=rises,
        max_power_w=policy.max_power_w,
    )


def test_each_none_gets_the_limit_of_the_register_that_needs_most() -> None:
    found = propose_limits(
        TEXT,
        [
            seen("socomec/M1/a", 12_100),
            seen("socomec/M1/b", 1_000),
            seen("socomec/M2/a", 90_000),
            seen("socomec/M2/b", 4_000),
            seen("socomec/M3/a", 70),
        ],
        name="p.yaml",
    )
    limits = {
        point_id: point.policy.max_power_w
        for point_id, point in parse_portfolio(found.after).points.items()
    }
    assert limits == {
        "socomec/M1/a": 40_000,
        "socomec/M1/b": 10_000,
        "socomec/M2/a": 50_000,
        "socomec/M2/b": 10_000,
        "socomec/M3/a": 200,
        "socomec/M3/b": 10_000,
    }
    flow = "{vendor: socomec, serial: M3, site: mill, name: Three, type: meter, max_power_w: 200}"
    behind = (
        "  # highest mean power 4 kW, seen on 2026-03-04 09:30 UTC; TO CONFIRM: rated power in W"
    )
    changed = [line for line in found.diff(name="p.yaml") if line.startswith("+ ")]
    assert changed == [
        f"+        max_power_w: 10000{behind}",
        "+    max_power_w: 40000  # highest mean power 12.1 kW, seen on 2026-03-04 09:30 UTC",
        f"+  - {flow}",
    ]
    assert "socomec/M2/a: 90 kW" in found.remarks[2]
    assert found.remarks[2].endswith("; 50,000 W is stated")


def test_what_counts_no_energy_keeps_out_of_the_limit_of_its_device() -> None:
    other = """\
    points:
      - {key: hours, name: Hours, quantity: operating_time, unit: h, kind: register}
      - {key: net, name: Net, quantity: active_energy_net, unit: Wh}
"""
    text = TEXT.replace(
        "    max_power_w: none\n  - vendor", f"    max_power_w: none\n{other}  - vendor", 1
    )
    found = propose_limits(text, [seen("socomec/M1/a", 12_100)], name="portfolio.yaml")
    points = parse_portfolio(found.after).points
    assert points["socomec/M1/a"].policy.max_power_w == rating(2.5 * 12_100)
    assert points["socomec/M1/hours"].policy.max_power_w is None
    assert points["socomec/M1/net"].policy.max_power_w is None


def test_what_was_hardly_seen_is_said_and_left() -> None:
    found = propose_limits(TEXT, [seen("socomec/M1/a", 12_100, rises=95)], name="p.yaml")
    assert found.after == TEXT
    assert found.remarks[0].endswith("95 rises: too few to propose a limit")


def test_a_limit_that_another_entry_refers_to_is_left_with_what_to_do() -> None:
    behind = "max_power_w: none  # TO CONFIRM: rated power in W"
    shared = TEXT.replace(behind, "max_power_w: &x none")
    shared = shared.replace("    max_power_w: none\n", "    max_power_w: *x\n", 1)
    assert parse_portfolio(shared).points["socomec/M1/a"].policy.max_power_w is None
    with pytest.raises(DiscoveryError, match="limits could not be written"):
        propose_limits(shared, [seen("socomec/M1/b", 12_100)], name="p.yaml")


@pytest.mark.parametrize(
    ("watts", "rounded"), [(0.7, 1), (1, 1), (100, 100), (101, 120), (26_000, 30_000), (9e9, 1e10)]
)
def test_a_rating_is_never_below_the_power(watts: float, rounded: float) -> None:
    assert rating(watts) == rounded


def test_a_power_is_said_as_people_say_it() -> None:
    assert [kilowatts(w) for w in (70, 12_100, 1_250_000)] == ["0.07 kW", "12.1 kW", "1,250 kW"]


def meter_lake(root: Path) -> Lake:
    lake = Lake(root / "data" / "lake")
    land(
        lake,
        [
            # Twice as fast from the fifth day on.
            (point_id, day, minute, value + max(0.0, value - steady_at_fifth()))
            for point_id, day, minute, value in steady()
            if point_id == METER
        ],
    )
    return lake


def steady_at_fifth() -> float:
    return min(v for point_id, day, _, v in steady() if point_id == METER and day == DAYS[4])


def test_the_power_seen_is_the_one_the_limit_was_learned_from(tmp_path: Path) -> None:
    plan = parse_portfolio(PORTFOLIO.replace("max_power_w: 100000", "max_power_w: none"))
    lake = meter_lake(tmp_path)
    refresh(lake, portfolio=plan)
    (one,) = seen_power(lake, plan)
    assert f"{one.at:%Y-%m-%d}" == DAYS[4]
    state = lake.read(CORE_REGISTER_STATE, day=DAYS[-1])
    assert power_of_two(LEARNED_FACTOR * one.power_w) == state["limit_w"].max()


def test_the_command_writes_with_yes_and_only_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "portfolio.yaml"
    text = PORTFOLIO.replace("max_power_w: 100000", "max_power_w: none")
    path.write_text(text, encoding="utf-8")
    refresh(meter_lake(tmp_path), portfolio=load_portfolio(path))
    out = io.StringIO()
    assert run_discover_from_lake(Console(file=out), "limits", dry_run=True) == 0
    assert path.read_text(encoding="utf-8") == text
    assert run_discover_from_lake(Console(file=out), "limits", ask=lambda _: False) == 1
    assert path.read_text(encoding="utf-8") == text
    assert run_discover_from_lake(Console(file=out), "limits", yes=True) == 0
    (one,) = seen_power(Lake(tmp_path / "data" / "lake"), load_portfolio(path))
    assert one.max_power_w == one.proposed_w
    assert f"{METER}: {one.description}" in out.getvalue()


def test_limits_and_tree_at_once_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert app.run(["discover", "--limits", "--tree"]) == 2
    assert "choose one" in capfd.readouterr().err
