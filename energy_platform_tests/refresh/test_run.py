"""Which days a refresh rewrites, and which it leaves alone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import polars as pl
import pytest

from energy_platform.lake.lake import Lake, LakeError
from energy_platform.refresh import (
    RULE_VERSIONS,
    RefreshedDay,
    blocked,
    refresh,
    stale,
    steps,
    unconfirmed_readings,
)
from energy_platform.schemas import (
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_STATE,
    CORE_TABLES,
    violations,
)
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform.transforms.intervals import energy_intervals
from energy_platform_tests.refresh.world import (
    DAYS,
    METER,
    STEP,
    VALVE,
    changed,
    content_ids,
    copied,
    core_bytes,
    fresh_lake,
    land,
    portfolio,
    rewritten,
    steady,
)

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.schemas import Table

EVERY_TABLE = {table.name for table in CORE_TABLES}
ENERGY = EVERY_TABLE - {CORE_READINGS.name}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return fresh_lake(Lake(tmp_path_factory.mktemp("made") / "lake"), steady())


@pytest.fixture
def loaded(made: Lake, tmp_path: Path) -> Lake:
    return copied(made, tmp_path / "loaded")


def energy_of(lake: Lake, point_id: str) -> float:
    deltas = lake.scan(CORE_ENERGY_DELTAS).filter(pl.col("point_id") == point_id).collect()
    return float(deltas["energy_wh"].sum())


def spoil(path: Path) -> None:
    """Damage the pages of a file and leave its footer sound."""
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)


def test_nothing_is_stale_after_a_day_whose_state_is_missing_but_that_day(loaded: Lake) -> None:
    loaded.path(CORE_REGISTER_STATE, day=DAYS[4]).unlink()
    late = (METER, DAYS[6], 90, 5_000.0 + 10 * (6 * 1440 + 90))
    land(loaded, [*steady([DAYS[6]]), late])
    assert [day.day for day in stale(loaded, portfolio())] == [DAYS[4], DAYS[6]]


def test_every_derived_file_keeps_its_contract(loaded: Lake) -> None:
    for table in CORE_TABLES:
        assert loaded.days(table) == DAYS
        for day in DAYS:
            assert violations(loaded.read(table, day=day), table=table) == []


def test_midnight_loses_no_energy(loaded: Lake) -> None:
    minutes = 1440 * len(DAYS) - 60
    assert energy_of(loaded, METER) == 10 * minutes
    assert energy_of(loaded, VALVE) == 3_600 * minutes / 3_600


def test_a_refreshed_lake_is_not_stale_and_a_second_refresh_writes_nothing(loaded: Lake) -> None:
    before = core_bytes(loaded)
    assert stale(loaded, portfolio()) == ()
    again = refresh(loaded, portfolio=portfolio())
    assert (again.days, again.blocked, again.seen) == ((), (), len(DAYS))
    assert core_bytes(loaded) == before


def test_an_empty_lake_is_fresh(lake: Lake) -> None:
    assert stale(lake, portfolio()) == ()
    assert refresh(lake, portfolio=portfolio()).seen == 0
    assert unconfirmed_readings(lake).height == 0


def test_loading_in_order_writes_only_its_own_day(lake: Lake) -> None:
    for day in DAYS:
        land(lake, steady([day]))
        assert [found.day for found in stale(lake, portfolio())] == [day]
        assert rewritten(refresh(lake, portfolio=portfolio())) == {day: EVERY_TABLE}


def test_a_late_sample_rewrites_its_own_day_and_no_other(loaded: Lake) -> None:
    late = (METER, DAYS[3], 90, 5_000.0 + 10 * (3 * 1440 + 90))
    land(loaded, [*steady([DAYS[3]]), late])
    assert [found.day for found in stale(loaded, portfolio())] == [DAYS[3]]
    assert set(rewritten(refresh(loaded, portfolio=portfolio()))) == {DAYS[3]}


def test_a_late_last_sample_of_a_day_moves_the_start_of_the_next_and_no_more(loaded: Lake) -> None:
    late = (METER, DAYS[3], 1_430, 5_000.0 + 10 * (3 * 1440 + 1_430))
    land(loaded, [*steady([DAYS[3]]), late])
    assert set(rewritten(refresh(loaded, portfolio=portfolio()))) == {DAYS[3], DAYS[4]}


def test_a_late_temperature_changes_no_energy(loaded: Lake) -> None:
    before = content_ids(loaded)
    land(loaded, [*steady([DAYS[3]]), ("belimo/V1/evcloud.2", DAYS[3], 31, 290.0)])
    done = refresh(loaded, portfolio=portfolio())
    assert changed(done) == {DAYS[3]: {CORE_READINGS.name}}
    after = content_ids(loaded)
    assert {key for key in after if after[key] != before[key]} == {(CORE_READINGS.name, DAYS[3])}


def test_the_same_pull_again_wakes_nothing(loaded: Lake) -> None:
    assert not any(landed.written for landed in land(loaded, steady()))
    assert stale(loaded, portfolio()) == ()


def test_a_sample_inside_a_gap_of_days_changes_its_day_and_the_one_after_the_gap(
    lake: Lake,
) -> None:
    samples = [s for s in steady() if s[1] not in DAYS[2:6]]
    land(lake, samples)
    refresh(lake, portfolio=portfolio())
    late = [s for s in steady([DAYS[4]]) if s[0] == METER and s[2] == 600]
    land(lake, late)
    done = refresh(lake, portfolio=portfolio())
    assert set(rewritten(done)) == {DAYS[4], DAYS[6]}
    frame = lake.scan(CORE_ENERGY_DELTAS).filter(pl.col("point_id") == METER).collect()
    gap = frame.filter(pl.col("estimated"))
    assert gap["end_at"].dt.strftime("%Y-%m-%d").to_list() == [DAYS[4], DAYS[6]]
    assert energy_of(lake, METER) == 10 * (1440 * len(DAYS) - 60)


def test_a_day_without_a_file_passes_the_state_through(lake: Lake) -> None:
    land(lake, steady([DAYS[0], DAYS[5]]))
    refresh(lake, portfolio=portfolio())
    first = lake.read(CORE_ENERGY_DELTAS, day=DAYS[5]).filter(pl.col("point_id") == METER)
    assert first["status"][0] == "gap"
    assert energy_of(lake, METER) == 10 * (5 * 1440 + 1380)


def test_a_day_answered_with_nothing_carries_the_state_in_a_file(lake: Lake) -> None:
    land(lake, steady([DAYS[0], DAYS[2]]), days=[DAYS[1]])
    refresh(lake, portfolio=portfolio())
    assert lake.read(CORE_READINGS, day=DAYS[1]).height == 0
    assert lake.read(CORE_REGISTER_STATE, day=DAYS[1]).equals(
        lake.read(CORE_REGISTER_STATE, day=DAYS[0])
    )
    assert energy_of(lake, METER) == 10 * (2 * 1440 + 1380)


def test_energy_changed_in_the_past_moves_later_totals_and_nothing_else(loaded: Lake) -> None:
    """A correction of one old day must not make the marts of all later days again."""
    corrected = portfolio(
        more=(
            "corrections:\n"
            f"  - {{points: ['{STEP}'], reason: read off by hand, factor: 2,\n"
            f"     from: 2026-03-02T10:30:00Z, to: 2026-03-02T12:30:00Z}}\n"
        )
    )
    before = energy_of(loaded, STEP)
    done = refresh(loaded, portfolio=corrected)
    assert energy_of(loaded, STEP) == before + 120
    written = rewritten(done)
    assert EVERY_TABLE - {"core_register_rejects", "core_consumption_intervals"} <= written.pop(
        DAYS[1]
    )
    assert written == {day: {CORE_REGISTER_STATE.name} for day in DAYS[2:]}


def test_new_rules_remake_every_day_and_the_same_figures_stay(loaded: Lake) -> None:
    before = content_ids(loaded)
    newer = RULE_VERSIONS._replace(energy="energy-next")
    why = {found.why for found in stale(loaded, portfolio(), versions=newer)}
    assert why == {tuple(f"rules of {name} changed" for name in _in_order(ENERGY_ONLY))}
    done = refresh(loaded, portfolio=portfolio(), versions=newer)
    assert rewritten(done) == dict.fromkeys(DAYS, ENERGY_ONLY)
    assert changed(done) == {}
    assert content_ids(loaded) == before
    assert stale(loaded, portfolio(), versions=newer) == ()


ENERGY_ONLY = ENERGY - {CORE_ENERGY_INTERVALS.name, CORE_CONSUMPTION_INTERVALS.name}


def _in_order(names: set[str]) -> list[str]:
    order = [
        "core_energy_deltas",
        "core_consumption_deltas",
        "core_register_rejects",
        "core_register_state",
    ]
    return [name for name in order if name in names]


def test_a_day_is_told_with_rows_bounds_and_counts(lake: Lake) -> None:
    told: list[RefreshedDay] = []
    land(lake, [*steady([DAYS[0]]), ("belimo/V9/evcloud.1", DAYS[0], 5, 1.0)])
    done = refresh(lake, portfolio=portfolio(), on_day=told.append)
    assert told == list(done.days)
    readings = told[0].tables[CORE_READINGS.name]
    frame = lake.read(CORE_READINGS, day=DAYS[0])
    assert readings.rows == frame.height
    assert (readings.first_at, readings.last_at) == (frame["at"].min(), frame["at"].max())
    assert readings.statuses == {"ok": frame.height - 1, "quarantined": 1}
    assert readings.reasons == {"unknown_point": 1}
    assert told[0].tables[CORE_ENERGY_DELTAS.name].statuses["first"] >= 3


def test_footers_carry_the_bounds_the_warehouse_needs(loaded: Lake) -> None:
    intervals = loaded.read(CORE_ENERGY_INTERVALS, day=DAYS[2])["interval_start"]
    footer = loaded.footer(CORE_ENERGY_INTERVALS, day=DAYS[2])
    assert footer is not None
    assert intervals.min() is not None
    assert pl.Series([footer.meta["bucket_min"], footer.meta["bucket_max"]]).str.to_datetime(
        time_zone="UTC", time_unit="us"
    ).to_list() == [intervals.min(), intervals.max()]
    readings = loaded.footer(CORE_READINGS, day=DAYS[2])
    assert readings is not None
    assert readings.meta["first_at"].startswith(DAYS[2])


def test_a_pull_that_lands_during_a_refresh_is_fingerprinted_as_what_was_read(loaded: Lake) -> None:
    """Else a day would look made of samples that its readings do not hold."""
    land(loaded, [*steady(DAYS[:1]), (METER, DAYS[0], 90, 5_900.0)])
    late = [*steady([DAYS[1]]), (METER, DAYS[1], 90, 20_300.0)]
    land(loaded, late)

    def land_more(day: RefreshedDay) -> None:
        if day.day == DAYS[0]:
            land(loaded, [*late, (METER, DAYS[1], 95, 20_350.0)])

    def has_it() -> bool:
        readings = loaded.read(CORE_READINGS, day=DAYS[1]).filter(pl.col("point_id") == METER)
        return 20_350.0 in readings["value"].to_list()

    refresh(loaded, portfolio=portfolio(), on_day=land_more)
    # The day's readings may have been judged before, while the day before became energy.
    assert has_it() or DAYS[1] in {one.day for one in stale(loaded, portfolio())}
    refresh(loaded, portfolio=portfolio())
    assert has_it()
    assert stale(loaded, portfolio()) == ()


def test_days_come_out_the_same_with_or_without_the_next_one_judged_ahead(tmp_path: Path) -> None:
    judged_ahead, one_by_one = Lake(tmp_path / "ahead"), Lake(tmp_path / "alone")
    for lake in (judged_ahead, one_by_one):
        land(lake, steady())
    raw = [judged_ahead.footers(table) for table in (RAW_SOCOMEC_DATAPOINTS, RAW_BELIMO_SAMPLES)]
    of_a_day = max(sum(one[day].rows for one in raw if day in one) for day in DAYS)
    said = refresh(judged_ahead, portfolio=portfolio())
    assert refresh(one_by_one, portfolio=portfolio(), most_rows=of_a_day) == said
    assert content_ids(one_by_one) == content_ids(judged_ahead)


@pytest.mark.parametrize("met", [DAYS[0], DAYS[2], DAYS[-1]])
def test_an_error_of_a_rule_says_which_day_it_met(
    loaded: Lake, met: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other days are worked on at the same time: they are not the one that is named."""

    def fail(deltas: pl.DataFrame) -> pl.DataFrame:
        if met in deltas["end_at"].dt.strftime("%Y-%m-%d").to_list():
            raise ValueError("beyond 2^53")
        return energy_intervals(deltas)

    newer = RULE_VERSIONS._replace(intervals="next")
    monkeypatch.setattr(steps, "energy_intervals", fail)
    with pytest.raises(ValueError, match="beyond") as raised:
        refresh(loaded, portfolio=portfolio(), versions=newer)
    assert raised.value.__notes__ == [f"while rebuilding {met}"]


def test_refreshes_at_the_same_time_take_turns(lake: Lake) -> None:
    samples = steady(DAYS[:3])
    land(lake, samples)
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(refresh, Lake(lake.root), portfolio=portfolio()) for _ in range(3)]
        made = sorted(len(run.result().days) for run in runs)
    assert made == [0, 0, 3]
    assert stale(lake, portfolio()) == ()


def test_unconfirmed_readings_are_listed_until_they_are_settled(lake: Lake) -> None:
    steep = [s for s in steady(DAYS[:2]) if s[0] == METER]
    spike = (METER, DAYS[1], 1_400, 900_000_000.0)
    land(lake, [*steep, spike])
    refresh(lake, portfolio=portfolio())
    assert unconfirmed_readings(lake).select("point_id", "value_wh", "good_wh").rows() == [
        (METER, 900_000_000.0, steep[-1][3])
    ]
    land(lake, [s for s in steady([DAYS[2]]) if s[0] == METER])
    refresh(lake, portfolio=portfolio())
    assert unconfirmed_readings(lake).height == 0


def test_a_vanished_raw_file_keeps_its_readings_and_is_named(loaded: Lake) -> None:
    before = core_bytes(loaded)
    path = loaded.path(RAW_SOCOMEC_DATAPOINTS, day=DAYS[3])
    kept = path.read_bytes()
    path.unlink()
    assert stale(loaded, portfolio()) == ()
    done = refresh(loaded, portfolio=portfolio())
    assert done.days == ()
    assert [(day.day, "raw_socomec__datapoints" in day.why) for day in done.blocked] == [
        (DAYS[3], True)
    ]
    assert blocked(loaded, portfolio()) == done.blocked
    assert core_bytes(loaded) == before
    path.write_bytes(kept)
    assert refresh(loaded, portfolio=portfolio()).blocked == ()
    assert core_bytes(loaded) == before


def test_other_days_are_refreshed_while_one_is_blocked(loaded: Lake) -> None:
    loaded.path(RAW_SOCOMEC_DATAPOINTS, day=DAYS[3]).unlink()
    land(loaded, [*steady([DAYS[5]]), (METER, DAYS[5], 90, 5_000.0 + 10 * (5 * 1440 + 90))])
    done = refresh(loaded, portfolio=portfolio())
    assert set(rewritten(done)) == {DAYS[5]}
    assert [day.day for day in done.blocked] == [DAYS[3]]


def test_readings_are_given_up_when_their_file_is_removed_too(loaded: Lake) -> None:
    loaded.path(RAW_SOCOMEC_DATAPOINTS, day=DAYS[3]).unlink()
    loaded.path(CORE_READINGS, day=DAYS[3]).unlink()
    done = refresh(loaded, portfolio=portfolio())
    assert done.blocked == ()
    readings = loaded.read(CORE_READINGS, day=DAYS[3])
    assert METER not in readings["point_id"].to_list()
    assert energy_of(loaded, METER) == 10 * (1440 * len(DAYS) - 60)


def test_a_damaged_raw_file_blocks_its_day_with_the_remedy(loaded: Lake) -> None:
    before = core_bytes(loaded)
    path = loaded.path(RAW_BELIMO_SAMPLES, day=DAYS[2])
    path.write_bytes(path.read_bytes()[:100])
    done = refresh(loaded, portfolio=portfolio())
    assert [day.day for day in done.blocked] == [DAYS[2]]
    assert "run its day again" in done.blocked[0].why
    assert core_bytes(loaded) == before


def test_a_day_that_never_could_be_made_passes_the_state_through(lake: Lake) -> None:
    land(lake, [sample for sample in steady(DAYS[:3]) if sample[0] == METER])
    path = lake.path(RAW_SOCOMEC_DATAPOINTS, day=DAYS[1])
    path.write_bytes(b"torn")
    done = refresh(lake, portfolio=portfolio())
    assert set(rewritten(done)) == {DAYS[0], DAYS[2]}
    assert [day.day for day in done.blocked] == [DAYS[1]]
    assert energy_of(lake, METER) == 10 * (2 * 1440 + 1380)


@pytest.mark.parametrize("table", CORE_TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("size", [None, 0, 60])
def test_a_derived_file_that_is_gone_or_cut_is_made_again(
    loaded: Lake, table: Table, size: int | None
) -> None:
    before = core_bytes(loaded)
    path = loaded.path(table, day=DAYS[4])
    if size is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:size])
    assert [day.day for day in stale(loaded, portfolio())] == [DAYS[4]]
    done = refresh(loaded, portfolio=portfolio())
    assert rewritten(done) == {DAYS[4]: {table.name}}
    assert core_bytes(loaded) == before


@pytest.mark.parametrize(
    ("table", "needed_by"),
    [
        (CORE_READINGS, (CORE_ENERGY_DELTAS, DAYS[4])),
        (CORE_ENERGY_DELTAS, (CORE_ENERGY_INTERVALS, DAYS[4])),
        (CORE_REGISTER_STATE, (CORE_ENERGY_DELTAS, DAYS[5])),
    ],
    ids=["readings", "deltas", "state"],
)
def test_pages_that_cannot_be_read_are_made_again_when_they_are_needed(
    loaded: Lake, table: Table, needed_by: tuple[Table, str]
) -> None:
    before = core_bytes(loaded)
    spoil(loaded.path(table, day=DAYS[4]))
    needing, day = needed_by
    loaded.path(needing, day=day).unlink()
    refresh(loaded, portfolio=portfolio())
    assert core_bytes(loaded) == before


def test_an_unreadable_reading_whose_raw_file_is_gone_is_an_error_with_the_remedy(
    loaded: Lake,
) -> None:
    path = loaded.path(CORE_READINGS, day=DAYS[4])
    spoil(path)
    loaded.path(RAW_SOCOMEC_DATAPOINTS, day=DAYS[4]).unlink()
    loaded.path(CORE_ENERGY_DELTAS, day=DAYS[4]).unlink()
    with pytest.raises(LakeError, match=rf"core_readings.*{DAYS[4]}.*cannot be made again"):
        refresh(loaded, portfolio=portfolio())
    assert path.exists()


def test_no_file_holds_a_clock_or_a_path(loaded: Lake, tmp_path: Path) -> None:
    for table in CORE_TABLES:
        footer = loaded.footer(table, day=DAYS[0])
        assert footer is not None
        text = json.dumps(dict(footer.meta))
        assert str(tmp_path) not in text
        assert "2026-11" not in text
