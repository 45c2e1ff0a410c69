"""What the core step says of implausible days, in metadata and as warnings."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
import pytest

from energy_platform.defs.assets.core import core
from energy_platform.defs.resources import Platform
from energy_platform.lake.lake import Lake
from energy_platform.refresh import Refreshed, refresh
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_REGISTER_STATE
from energy_platform.settings import PlatformSettings
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.world import Event, World
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.refresh.simulated import land_signals

if TYPE_CHECKING:
    from pathlib import Path

DAY = "2026-03-02"
DAY_BEFORE = "2026-03-01"
METER = "socomec/SN000001/Global|0|130101"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EARLY = datetime(2026, 3, 2, 0, 5, tzinfo=UTC)


def materialized(
    folder: Path, world: World, *keys: str, text: str = ""
) -> dg.ExecuteInProcessResult:
    """Run the core step on a day of some signals."""
    land_signals(Lake(folder / "lake"), [world.signals[key] for key in keys], days=[DAY])
    (folder / "portfolio.yaml").write_text(text or demo_portfolio(world), encoding="utf-8")
    return core_run(folder)


def core_run(folder: Path, *, must_succeed: bool = True) -> dg.ExecuteInProcessResult:
    """Run the core step on what a folder holds."""
    platform = Platform.of(
        PlatformSettings(
            data_dir=folder, portfolio=folder / "portfolio.yaml", dbt_project_dir=folder
        )
    )
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [core],
            partition_key=DAY,
            resources={"platform": platform},
            instance=instance,
            raise_on_error=must_succeed,
        )


def evaluation(result: dg.ExecuteInProcessResult, name: str) -> dg.AssetCheckEvaluation:
    return next(one for one in result.get_asset_check_evaluations() if one.check_name == name)


def warned(result: dg.ExecuteInProcessResult) -> set[str]:
    # Only some signals land in these tests: the others are silent, and rightly named.
    return {one.check_name for one in result.get_asset_check_evaluations() if not one.passed} - {
        "completeness"
    }


def test_swapped_words_are_told_with_the_factor_that_would_repair_them(tmp_path: Path) -> None:
    world = World()
    swapped = next(key for key, one in world.signals.items() if "word_swapped" in one.traits)
    result = materialized(tmp_path, world, swapped)
    (event,) = [
        one
        for one in result.asset_materializations_for_node("core")
        if one.asset_key == dg.AssetKey("core_readings")
    ]
    table = event.metadata["word_swap"]
    assert isinstance(table, dg.TableMetadataValue)
    row = table.records[0].data
    assert row["point"] == swapped
    assert row["factor"] == "1.52587890625e-05 (1/65536)"
    said, repaired = (float(str(row[name]).split()[0]) for name in ("raw_value", "repaired"))
    assert repaired == said / 65_536
    assert "nothing_quarantined" in warned(result)
    decided = demo_portfolio(world, reviewed=True)
    (tmp_path / "portfolio.yaml").write_text(decided, encoding="utf-8")
    assert "nothing_quarantined" not in warned(core_run(tmp_path))


def test_a_clean_day_warns_of_nothing(tmp_path: Path) -> None:
    world = World()
    assert warned(materialized(tmp_path, world, METER, _power(world))) == set()


@pytest.mark.parametrize(
    ("events", "check"),
    [
        (
            # Before the third rise nothing says what the register can count.
            [Event(METER, "spike", EARLY, EARLY + timedelta(minutes=5), 5e9)],
            "no_spike_reversals",
        ),
        ([Event(METER, "spike", NOON, None, 5e9)], "nothing_refused"),
        ([Event(METER, "unit_change", NOON, None, 2.0)], "registers_agree_with_power"),
        (
            [
                Event(METER, "dip", at, at + timedelta(minutes=5), 90_000.0)
                for at in (NOON + n * timedelta(minutes=30) for n in range(4))
            ],
            "no_frequent_resets",
        ),
    ],
)
def test_a_register_that_cannot_be_right_is_warned_of(
    tmp_path: Path, events: list[Event], check: str
) -> None:
    world = World(events=events)
    result = materialized(tmp_path, world, METER, _power(world), text=_limited(world, "none"))
    assert check in warned(result)


def _limited(world: World, limit: str) -> str:
    return "\n".join(
        line for line in demo_portfolio(world).splitlines() if "max_power_w" not in line
    ).replace("  serial: ", f"  max_power_w: {limit}\n  serial: ")


def _said(result: dg.ExecuteInProcessResult, check: str) -> str:
    days = evaluation(result, check).metadata["days"]
    assert isinstance(days, dg.TableMetadataValue)
    (record,) = days.records
    return str(record.data["what"])


def test_refused_energy_is_told_with_the_limit_that_would_have_let_it_pass(tmp_path: Path) -> None:
    world = World(events=[Event(METER, "spike", NOON, None, 5e9)])
    said = _said(materialized(tmp_path, world, METER), "nothing_refused")
    found = re.fullmatch(
        rf"{re.escape(METER)}: ([\d,]+) Wh refused at 12:\d\d UTC, a max_power_w of ([\d,]+) would "
        "have let it pass; another meter: a reset_marker; real for once: an accept entry",
        said,
    )
    assert found is not None, said
    refused, needed = (float(number.replace(",", "")) for number in found.groups())
    assert refused == pytest.approx(5e9, rel=1e-3)
    text = _limited(world, f"{needed:.0f}")
    assert "nothing_refused" not in warned(materialized(tmp_path, world, METER, text=text))


@pytest.mark.parametrize(
    ("jump", "limit", "name"), [(5e9, "100000000", "refused_wh"), (0.0, "250", "over_limit_wh")]
)
def test_the_day_says_in_its_metadata_what_is_refused_and_what_was_beyond_a_limit(
    tmp_path: Path, jump: float, limit: str, name: str
) -> None:
    world = World(events=[Event(METER, "spike", NOON, None, jump)] if jump else [])
    result = materialized(tmp_path, world, METER, text=_limited(world, limit))
    (event,) = [
        one
        for one in result.asset_materializations_for_node("core")
        if one.asset_key == dg.AssetKey("core_energy_deltas")
    ]
    deltas = Lake(tmp_path / "lake").read(CORE_ENERGY_DELTAS, day=DAY)
    figures = {
        "refused_wh": deltas["refused_wh"].abs().sum(),
        "over_limit_wh": deltas.filter(pl.col("status") == "over_limit")["energy_wh"].sum(),
    }
    assert figures[name] > 0
    for one, figure in figures.items():
        assert event.metadata[one].value == figure


def test_a_limit_typed_in_kilowatts_is_told_with_the_one_it_needs(tmp_path: Path) -> None:
    world = World()
    result = materialized(tmp_path, world, METER, text=_limited(world, "250"))
    said = _said(result, "limits_fit")
    assert re.search(
        r"max_power_w 250 W is stated, it needs [\d,]+ W or more\. Were they kW\?$", said
    )


def test_a_gauge_that_moved_and_shows_one_value_all_day_is_warned_of(tmp_path: Path) -> None:
    world = World()
    power = _power(world)
    world.add_event(Event(power, "stuck", NOON - timedelta(hours=13)))
    lake = Lake(tmp_path / "lake")
    land_signals(lake, [world.signals[METER], world.signals[power]], days=[DAY_BEFORE])
    result = materialized(tmp_path, world, METER, power)
    assert warned(result) == {"no_stuck_gauges", "registers_agree_with_power"}
    days = evaluation(result, "no_stuck_gauges").metadata["days"]
    assert isinstance(days, dg.TableMetadataValue)
    assert [record.data for record in days.records] == [{"day": DAY, "what": power}]


def test_a_setpoint_that_always_shows_one_value_is_no_alarm(tmp_path: Path) -> None:
    world = World()
    power = _power(world)
    world.add_event(Event(power, "stuck", NOON - timedelta(days=9)))
    lake = Lake(tmp_path / "lake")
    land_signals(lake, [world.signals[power]], days=[DAY_BEFORE])
    assert "no_stuck_gauges" not in warned(materialized(tmp_path, world, power))


def test_a_run_with_other_days_neither_hides_a_warning_nor_repeats_it_for_ever(
    tmp_path: Path,
) -> None:
    world = World()
    swapped = next(key for key, one in world.signals.items() if "word_swapped" in one.traits)
    first = materialized(tmp_path, world, swapped)
    assert "nothing_quarantined" in warned(first)
    assert "nothing_quarantined" in warned(core_run(tmp_path)), "hidden by a run without days"
    lake = Lake(tmp_path / "lake")
    later = [f"2026-03-{day:02d}" for day in range(3, 12)]
    land_signals(lake, [world.signals[METER]], days=later)
    assert "nothing_quarantined" not in warned(core_run(tmp_path))


def test_completeness_goes_by_what_a_point_usually_brings(tmp_path: Path) -> None:
    world = World()
    world.add_event(
        Event(METER, "gap", NOON - timedelta(hours=6), NOON + timedelta(hours=6)),
    )
    stated = demo_portfolio(world).splitlines()
    text = "\n".join(line for line in stated if not line.strip().startswith("every:"))
    lake = Lake(tmp_path / "lake")
    signals = [world.signals[METER], world.signals[_power(world)]]
    land_signals(lake, signals, days=[DAY_BEFORE])
    result = materialized(tmp_path, world, METER, _power(world), text=text)
    days = evaluation(result, "completeness").metadata["days"]
    assert isinstance(days, dg.TableMetadataValue)
    assert [record.data["day"] for record in days.records] == [DAY]
    assert METER in str(days.records[0].data["what"])


def test_a_serial_number_under_two_ids_is_warned_of_with_both_and_what_to_do(
    tmp_path: Path,
) -> None:
    world, lake = World(), Lake(tmp_path / "lake")
    first = materialized(tmp_path, world, METER)
    assert "one_id_per_serial" not in warned(first)
    rows = lake.read(RAW_SOCOMEC_DATAPOINTS, day=DAY)
    is_late = pl.col("at") >= NOON
    uuid = pl.when(is_late).then(pl.lit("uuid-new")).otherwise("device_uuid").alias("device_uuid")
    moved = rows.with_columns(uuid).sort(RAW_SOCOMEC_DATAPOINTS.sort_key)
    footer = lake.footer(RAW_SOCOMEC_DATAPOINTS, day=DAY)
    assert footer is not None
    lake.write(RAW_SOCOMEC_DATAPOINTS, moved, day=DAY, meta=footer.meta)
    check = evaluation(core_run(tmp_path), "one_id_per_serial")
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    days = check.metadata["days"]
    assert isinstance(days, dg.TableMetadataValue)
    said = str(days.records[0].data["what"])
    assert "serial SN000001 came under the ids uuid-SN000001, uuid-new" in said
    assert "nothing to do" in said
    assert "materialize the inventory" in said
    assert "backfill" in said


def test_a_total_that_moved_by_another_energy_than_the_steps_brought_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(lake: Lake, **given: Any) -> Refreshed:
        done = refresh(lake, **given)
        state = lake.read(CORE_REGISTER_STATE, day=DAY)
        lake.write(CORE_REGISTER_STATE, state.with_columns(pl.col("total_wh") + 1.0), day=DAY)
        return done

    assert evaluation(materialized(tmp_path, World(), METER), "conservation_of_energy").passed
    monkeypatch.setattr("energy_platform.defs.assets.core.refresh", careless)
    for day in (tmp_path / "lake" / CORE_REGISTER_STATE.name).iterdir():
        (day / "part.parquet").unlink()
    check = evaluation(core_run(tmp_path, must_succeed=False), "conservation_of_energy")
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.ERROR
    days = check.metadata["days"]
    assert isinstance(days, dg.TableMetadataValue)
    said = str(days.records[0].data["what"])
    assert "in the carried totals" in said
    assert METER in said
    assert "intervals" not in said


def _power(world: World) -> str:
    return next(
        key
        for key, one in world.signals.items()
        if one.device == "SN000001" and one.quantity == "active_power" and one.phase == 0
    )
