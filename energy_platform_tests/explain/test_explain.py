"""``energy-platform explain``: the chain must end in the day's figure, and say why."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import polars as pl
import pytest
from typer.testing import CliRunner

from energy_platform.cli.app import app
from energy_platform.days import day_range
from energy_platform.explain import ExplainError, Explanation, explain
from energy_platform.explain.descriptions import describe_reading
from energy_platform.lake.lake import Lake
from energy_platform.refresh import refresh
from energy_platform.refresh.steps import OUTSIDE_DAY
from energy_platform.schemas import (
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_INTERVALS,
    CORE_REGISTER_STATE,
)
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.world import Event, Signal, World
from energy_platform.transforms.readings import Reason
from energy_platform.transforms.units import canonical_unit
from energy_platform.warehouse.restatements import RESTATEMENTS
from energy_platform_tests.refresh.simulated import land_signals, portfolio_of

if TYPE_CHECKING:
    from energy_platform.simulators.world import EventKind

METER = "socomec/SN000001/Global|0|130101"
DAYS = day_range("2026-03-27", "2026-03-30")
SUNDAY = "2026-03-29"
"""The day the clock changes in Paris, where the meter stands."""

LEARNED = f"{{points: ['{METER}'], reason: not known, policy: {{max_power_w: none}}}}"

MORNING = datetime(2026, 3, 29, 9, 10, tzinfo=UTC)


def explained(
    folder: Path,
    *,
    kind: EventKind | None = None,
    amount: float = 0.0,
    minutes: int | None = None,
    more: str = "",
    day: str = SUNDAY,
) -> tuple[Explanation, Signal]:
    """Explain a day of the meter on which something went wrong."""
    world = World()
    meter = world.signals[METER]
    if kind is not None:
        end = None if minutes is None else MORNING + timedelta(minutes=minutes)
        world.add_event(Event(METER, kind, MORNING, end, amount))
    lake = Lake(folder / "lake")
    land_signals(lake, [meter], days=DAYS)
    portfolio = portfolio_of(world, more=more)
    refresh(lake, portfolio=portfolio)
    return explain(lake, portfolio, point_id=METER, day=day), meter


def decisions(chain: Explanation, word: str) -> list[str]:
    return [one_of for one in chain.samples for one_of in one.decisions if one_of.startswith(word)]


def test_a_reset_day_says_which_readings_were_believed_and_what_the_fall_was_worth(
    tmp_path: Path,
) -> None:
    chain, meter = explained(tmp_path, kind="reset")
    assert chain.expected_s == 23 * 3600
    assert len(decisions(chain, "unconfirmed: ")) == 2
    (reset,) = decisions(chain, "reset: ")
    (step,) = [one for one in chain.steps if one.status == "reset"]
    assert step.register_end == step.amount
    assert "what it has counted since is booked" in reset
    truth = meter.true_energy_wh(chain.starts_at.timestamp(), chain.ends_at.timestamp())
    lost = meter.true_energy_wh(step.start_at.timestamp(), MORNING.timestamp())
    assert chain.amount == pytest.approx(truth - lost, rel=1e-3)
    assert chain.closed_by is not None


def test_the_intervals_shown_add_up_to_the_figure_and_to_what_the_lake_holds(
    tmp_path: Path,
) -> None:
    chain, _ = explained(tmp_path)
    inside = pl.col("interval_start").is_between(chain.starts_at, chain.ends_at, closed="left")
    held = Lake(tmp_path / "lake").scan(CORE_ENERGY_INTERVALS).filter(inside).collect()
    assert chain.amount == pytest.approx(held["energy_wh"].sum(), abs=1e-9)
    assert chain.covered_s == chain.expected_s
    assert len(chain.intervals) == 23 * 4
    midnight = [one for one in chain.intervals if len(one.file_days) == 2]
    assert [one.start.hour for one in midnight] == [23]
    assert {one.status for one in chain.samples} == {"ok"}
    assert chain.samples[0].raw[0].value == chain.samples[0].value


@pytest.mark.parametrize("quantity", ["reactive_energy_import", "volume"])
def test_what_is_no_energy_is_explained_in_its_own_unit(tmp_path: Path, quantity: str) -> None:
    world = World()
    signal = next(
        one for one in world.signals.values() if one.quantity == quantity and one.kind == "register"
    )
    lake, portfolio = Lake(tmp_path / "lake"), portfolio_of(world)
    land_signals(lake, [signal], days=DAYS)
    refresh(lake, portfolio=portfolio)
    chain = explain(lake, portfolio, point_id=signal.key, day=SUNDAY)
    inside = pl.col("interval_start").is_between(chain.starts_at, chain.ends_at, closed="left")
    held = lake.scan(CORE_CONSUMPTION_INTERVALS).filter(inside).collect()
    assert chain.unit == canonical_unit(quantity) != "Wh"
    assert chain.amount == pytest.approx(held["consumption"].sum())
    assert chain.amount
    assert chain.steps[0].description.endswith(f" {chain.unit}")
    told = chain.as_json()
    assert told["consumption"] == chain.amount
    assert told["steps"][0]["register_end"] == chain.steps[0].register_end
    assert "energy_wh" not in json.dumps(told, default=str)


def test_the_step_over_local_midnight_is_among_the_days_steps(tmp_path: Path) -> None:
    chain, _ = explained(tmp_path)
    assert chain.steps[0].start_at < chain.starts_at < chain.steps[0].end_at
    assert chain.steps[-1].end_at >= chain.ends_at


@pytest.mark.parametrize(
    ("kind", "amount", "minutes", "word"),
    [
        ("spike", 5e9, 5, "rejected: a jump beyond the limit that did not last"),
        ("zeros", 0.0, 30, "rejected: a zero is a missing reading"),
        ("null", 0.0, 30, "quarantined: the vendor sent no value"),
        ("dip", 12_000.0, 5, "dip: a small fall is noise"),
        ("gap", 0.0, 180, "gap: the time since the reading before is a gap"),
        ("rollover", 1e9, None, "exchange: the register lasts at a level"),
    ],
)
def test_what_goes_wrong_is_told_in_words(
    tmp_path: Path, kind: EventKind, amount: float, minutes: int | None, word: str
) -> None:
    chain, _ = explained(tmp_path, kind=kind, amount=amount, minutes=minutes)
    assert decisions(chain, word)


def test_a_correction_is_told_beside_the_reading_it_changed(tmp_path: Path) -> None:
    more = (
        "corrections:\n"
        f"  - {{points: ['{METER}'], reason: read off by hand, offset: 5,\n"
        "     from: 2026-03-29T09:00:00Z, to: 2026-03-29T10:00:00Z}\n"
        f"  - {{points: ['{METER}'], reason: another clock, offset: 7, to: 2026-03-01}}\n"
    )
    chain, _ = explained(tmp_path, more=more)
    assert chain.corrections == (
        "offset 5 from 2026-03-29T09:00:00+00:00 to 2026-03-29T10:00:00+00:00: read off by hand",
    )
    assert len(decisions(chain, "corrected by the portfolio (read off by hand)")) == 12


def test_what_is_refused_is_told_with_the_step_that_refused_it(tmp_path: Path) -> None:
    world = World()
    world.add_event(Event(METER, "spike", datetime(2026, 3, 29, 9, tzinfo=UTC), None, 5e9))
    lake = Lake(tmp_path / "lake")
    land_signals(lake, [world.signals[METER]], days=DAYS)
    portfolio = portfolio_of(world)
    refresh(lake, portfolio=portfolio)
    chain = explain(lake, portfolio, point_id=METER, day=SUNDAY)
    assert chain.refused_amount == pytest.approx(5e9, rel=1e-3)
    (step,) = [one for one in chain.steps if one.refused_amount]
    assert "another meter, the jump is refused" in step.description
    assert "Wh of what it showed is refused" in step.description
    # Refused is refused until somebody says that it was energy.
    entry = f"{{points: ['{METER}'], reason: it was real, from: {SUNDAY}, to: 2026-03-30}}"
    accepting = portfolio_of(world, more=f"accept:\n  - {entry}\n")
    refresh(lake, portfolio=accepting)
    after = explain(lake, accepting, point_id=METER, day=SUNDAY)
    assert after.refused_amount == 0
    assert after.amount == pytest.approx((chain.amount or 0.0) + chain.refused_amount)
    (line,) = after.corrections
    assert line.startswith("accept from 2026-03-28T23:00:00+00:00 to 2026-03-29T22:00:00+00:00")
    assert line.endswith(": it was real")
    assert any(
        "the portfolio accepts it: the jump is booked" in one.description for one in after.steps
    )


def test_a_learned_limit_is_told_with_what_it_was_learned_from(tmp_path: Path) -> None:
    world = World()
    lake = Lake(tmp_path / "lake")
    land_signals(lake, [world.signals[METER]], days=DAYS)
    portfolio = portfolio_of(world)
    refresh(lake, portfolio=portfolio)
    stated = explain(lake, portfolio, point_id=METER, day=SUNDAY)
    assert stated.learned == ""
    none = portfolio_of(world, more=f"corrections:\n  - {LEARNED}\n")
    refresh(lake, portfolio=none)
    chain = explain(lake, none, point_id=METER, day=SUNDAY)
    (good,) = [
        one
        for one in lake.read(CORE_REGISTER_STATE, day=chain.utc_days[-1]).to_dicts()
        if one["point_id"] == METER and one["kind"] == "good"
    ]
    assert chain.learned.startswith(f"{good['limit_w']:,.0f} W: ten times ")
    assert ", seen on 2026-03-2" in chain.learned


def test_a_day_on_which_the_register_stood_shows_the_step_that_its_energy_came_with(
    tmp_path: Path,
) -> None:
    chain, meter = explained(tmp_path, kind="stuck", minutes=26 * 60)
    (caught_up,) = [one for one in chain.steps if "stood still" in one.description]
    assert timedelta(0) < caught_up.end_at - MORNING - timedelta(hours=26) < timedelta(minutes=6)
    assert chain.amount is not None
    assert chain.estimated_amount > chain.amount / 2
    used = meter.true_energy_wh(chain.starts_at.timestamp(), chain.ends_at.timestamp())
    # The rest is Monday's: nobody knows how it was spread.
    assert chain.amount == pytest.approx(used, rel=0.5)


def test_a_reading_that_nothing_settled_is_pending(tmp_path: Path) -> None:
    world = World()
    world.add_event(Event(METER, "reset", datetime(2026, 3, 30, 23, 53, tzinfo=UTC)))
    lake = Lake(tmp_path / "lake")
    land_signals(lake, [world.signals[METER]], days=DAYS)
    portfolio = portfolio_of(world)
    refresh(lake, portfolio=portfolio)
    chain = explain(lake, portfolio, point_id=METER, day="2026-03-31")
    assert decisions(chain, "pending: ")
    assert {one.kind for one in chain.after} >= {"good", "unconfirmed"}
    assert chain.closed_by is None


def test_days_that_wait_for_a_refresh_are_named(tmp_path: Path) -> None:
    world = World()
    lake = Lake(tmp_path / "lake")
    land_signals(lake, [world.signals[METER]], days=DAYS)
    chain = explain(lake, portfolio_of(world), point_id=METER, day=SUNDAY)
    assert set(chain.stale) == {"2026-03-28", "2026-03-29"}
    assert chain.intervals == ()
    assert decisions(chain, "not judged yet")


def test_an_unknown_point_and_a_wrong_day_say_what_there_is(tmp_path: Path) -> None:
    world = World()
    lake, portfolio = Lake(tmp_path / "lake"), portfolio_of(world)
    with pytest.raises(ExplainError, match=r"did you mean .*socomec/SN000001/Global\|0\|130101"):
        explain(lake, portfolio, point_id="socomec/SN00001/Global|0|130101", day=SUNDAY)
    with pytest.raises(ExplainError, match="not a local day such as"):
        explain(lake, portfolio, point_id=METER, day="yesterday")


def test_a_day_without_data_is_no_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain, _ = explained(tmp_path / "data", day="2026-03-20")
    assert chain.amount is None
    assert chain.data_from is not None
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", str(tmp_path / "portfolio.yaml"))
    (tmp_path / "portfolio.yaml").write_text(demo_portfolio(World()), encoding="utf-8")
    shown = CliRunner().invoke(app, ["explain", METER, "2026-03-20"]).stdout
    assert "Energy of 2026-03-20: no data" in shown
    assert f"from {chain.data_from:%Y-%m-%d %H:%MZ} to 2026-03-31 00:00Z" in shown
    assert "0.000" not in shown
    assert "closed by" not in shown


@pytest.mark.parametrize(
    "day", ["0001-01-01", "9999-12-31", "2026-02-30", "", "20260329", "2026-W13-7", "2026-3-29"]
)
def test_a_day_that_no_meter_has_seen_is_refused(tmp_path: Path, day: str) -> None:
    with pytest.raises(ExplainError, match="not a local day such as"):
        explain(Lake(tmp_path / "lake"), portfolio_of(World()), point_id=METER, day=day)


def test_a_point_may_be_sought_by_the_name_people_know(tmp_path: Path) -> None:
    lake, portfolio = Lake(tmp_path / "lake"), portfolio_of(World())
    name = portfolio.points[METER].device_name
    assert explain(lake, portfolio, point_id=name.upper(), day=SUNDAY).point_id == METER
    with pytest.raises(ExplainError, match=r"points fit 'paris': .*\(.*: .*\)"):
        explain(lake, portfolio, point_id="paris", day=SUNDAY)
    with pytest.raises(ExplainError, match=r"all of them: `energy-platform sql") as caught:
        explain(lake, portfolio, point_id="zzzz", day=SUNDAY)
    columns = str(caught.value).split("select ")[1].split(" from dim_point")[0].split(", ")
    root = Path(__file__).parents[2]
    model = (root / "dbt_models/models/dimensions/dim_point.sql").read_text(encoding="utf-8")
    assert all(re.search(rf"\b{column},\n", model) for column in columns)


def test_a_pipe_gets_each_decision_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, _ = explained(tmp_path / "data", kind="reset")
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", str(tmp_path / "portfolio.yaml"))
    monkeypatch.setenv("COLUMNS", "40")
    (tmp_path / "portfolio.yaml").write_text(demo_portfolio(World()), encoding="utf-8")
    lines = CliRunner().invoke(app, ["explain", METER, SUNDAY]).stdout.splitlines()
    (reset,) = decisions(chain, "reset: ")
    assert any(line.rstrip().endswith(reset) for line in lines)


def test_every_reason_to_quarantine_a_reading_is_told_in_words_and_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "energy.md").read_text(encoding="utf-8")
    for reason in (*get_args(Reason), OUTSIDE_DAY):
        assert describe_reading(status="quarantined", reason=reason) != f"quarantined: {reason}"
        assert f"`{reason}`" in page


def test_the_command_prints_the_chain_and_its_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, _ = explained(tmp_path / "data", kind="reset")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "portfolio.yaml").write_text(demo_portfolio(World()), encoding="utf-8")
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", "data")
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", "portfolio.yaml")
    shown = CliRunner().invoke(app, ["explain", METER, SUNDAY])
    assert shown.exit_code == 0
    assert "reset: the register started again" in " ".join(shown.stdout.split())
    assert f"Energy of {SUNDAY}: {chain.amount:,.6f} Wh" in shown.stdout
    told = json.loads(CliRunner().invoke(app, ["explain", METER, SUNDAY, "--json"]).stdout)
    assert told["energy_wh"] == chain.amount
    assert len(told["samples"]) == len(chain.samples)


def test_the_command_says_what_was_final_at_an_instant_and_what_became_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explained(tmp_path / "data")
    (tmp_path / "portfolio.yaml").write_text(demo_portfolio(World()), encoding="utf-8")
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", str(tmp_path / "portfolio.yaml"))

    def shown(*options: str) -> str:
        return CliRunner().invoke(app, ["explain", METER, SUNDAY, *options]).stdout

    assert "nothing of this day, its week or its month has been published as final" in shown(
        "--as-of", "2026-04-05"
    )
    first, second = (datetime(2026, 4, day, 3, tzinfo=UTC) for day in (2, 9))
    of_day: dict[str, object] = {"scope": "point", "scope_id": METER, "site_id": "paris"}
    of_day |= {"figure": "energy", "unit": "Wh"}
    of_day |= {"grain": "day", "period_start": date(2026, 3, 29)}
    said = [
        of_day | {"new_value": 1000.0, "restated_at": first},
        of_day
        | {"old_value": 1000.0, "new_value": 1200.0, "old_said_at": first}
        | {"restated_at": second, "why": "late data"},
    ]
    journal = tmp_path / "data" / "restatements" / "month=2026-03" / "said.parquet"
    journal.parent.mkdir(parents=True)
    pl.DataFrame(said, schema=RESTATEMENTS).write_parquet(journal)

    then = shown("--as-of", "2026-04-05")
    # The date is its midnight in Paris.
    assert then.startswith("as of 2026-04-04 22:00:00Z:\n")
    assert "energy of the day 2026-03-29: 1,000 Wh, said on 2026-04-02 03:00:00Z" in then
    assert "then on 2026-04-09 03:00:00Z: 1,200 Wh (late data)" in then
    assert "Energy of 2026-03-29: " in then
    assert "1,200 Wh, said on" in shown("--as-of", "2026-04-10T00:00:00+00:00")
    assert "not final yet" in shown("--as-of", "2026-04-01")
    assert shown().startswith("changed after it was final:\n")
    told = json.loads(shown("--as-of", "2026-04-05", "--json"))
    assert told["as_of"] == "2026-04-04T22:00:00+00:00"
    assert [one["value"] for one in told["final_figures"][0]["sayings"]] == [1000.0, 1200.0]
    refused = CliRunner().invoke(app, ["explain", METER, SUNDAY, "--as-of", "soon"])
    assert refused.exit_code != 0
