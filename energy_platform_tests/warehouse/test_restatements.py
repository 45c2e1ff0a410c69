"""What was said of final figures is kept, once each, whatever ends in between."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

from energy_platform.explain import describe_said, said_of
from energy_platform.warehouse import restatements
from energy_platform.warehouse.build_state import open_work
from energy_platform.warehouse.restatement_reasons import BasisRow, causes
from energy_platform.warehouse.restatements import MART, RESTATEMENTS, Restatements
from energy_platform_tests.restatements import Year

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

DAY: Final = date(2026, 3, 2)
POINT: Final = "socomec/M1/import"
START: Final = datetime(2026, 4, 1, tzinfo=UTC)

_TABLES: Final = f"""
create table if not exists fct_energy_daily (
    point_id text, site_id text, local_day date, energy_wh double, is_final boolean
);
create table if not exists fct_energy_monthly (
    point_id text, site_id text, local_month date, energy_wh double, is_final boolean
);
create table if not exists {MART} (
    scope text, scope_id text, site_id text, figure text, grain text, period_start date, unit text,
    old_value double, new_value double, change double, old_said_at timestamptz,
    restated_at timestamptz, why text
);
"""

Figures = dict[tuple[str, date], float | None]
"""Energy by point and day; None: not final."""


class Publications:
    """A work file whose figures are set by hand, and the journal next to it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder
        self.work = folder / "work.duckdb"
        self.count = 0

    @property
    def journal(self) -> Path:
        return self.data / restatements.FOLDER

    def opened(self) -> duckdb.DuckDBPyConnection:
        db = open_work(self.work, memory=400_000_000)
        db.execute(_TABLES)
        return db

    def build(self, figures: Figures, *, rebuilt: set[date] | None = None) -> None:
        """Finish a build that has these figures and no others on the days it rebuilds."""
        days = {day for _, day in figures} if rebuilt is None else rebuilt
        self.count += 1
        with self.opened() as db:
            for day in days:
                db.execute("delete from fct_energy_daily where local_day = ?", [day])
            rows = [
                (point, "paris", day, value or 1.0, value is not None)
                for (point, day), value in figures.items()
            ]
            if rows:
                db.executemany("insert into fct_energy_daily values (?, ?, ?, ?, ?)", rows)
            db.execute(
                """
                delete from fct_energy_monthly;
                insert into fct_energy_monthly
                select point_id, site_id, date_trunc('month', local_day), sum(energy_wh),
                    bool_and(is_final)
                from fct_energy_daily group by all
                """
            )
            journal = Restatements(db, folder=self.journal)
            journal.note_rebuilt({"Europe/Paris": days})
            journal.note_finished(now=START + timedelta(hours=self.count))

    def publish(self) -> int:
        with self.opened() as db:
            return Restatements(db, folder=self.journal).run()

    def say(self, figures: Figures, *, rebuilt: set[date] | None = None) -> int:
        self.build(figures, rebuilt=rebuilt)
        return self.publish()

    def rows(self, grain: str = "day") -> list[tuple[Any, ...]]:
        with self.opened() as db:
            return db.execute(
                f"select scope_id, period_start, old_value, new_value from {MART} "
                "where grain = ? order by restated_at, scope_id, period_start",
                [grain],
            ).fetchall()


@pytest.fixture
def publications(tmp_path: Path) -> Publications:
    return Publications(tmp_path)


def test_a_figure_that_becomes_final_is_no_restatement(publications: Publications) -> None:
    assert publications.say({(POINT, DAY): None}) == 0
    assert publications.say({(POINT, DAY): 10.0}) == 0
    assert publications.rows() == []


def test_a_final_figure_that_changes_keeps_old_new_and_when(publications: Publications) -> None:
    publications.say({(POINT, DAY): 10.0})
    assert publications.say({(POINT, DAY): 12.0}) == 2  # the day and its month
    with publications.opened() as db:
        row = db.execute(f"from {MART} where grain = 'day'").fetchone()
        month = db.execute(f"select period_start, change from {MART} where grain = 'month'")
        assert month.fetchall() == [(date(2026, 3, 1), 2.0)]
    said, restated = (START + timedelta(hours=n) for n in (1, 2))
    shown = ("point", POINT, "paris", "energy", "day", DAY, "Wh", 10.0, 12.0, 2.0)
    assert row == (*shown, said, restated, "unknown")


def test_what_is_final_no_longer_and_is_again_is_told(publications: Publications) -> None:
    publications.say({(POINT, DAY): 10.0})
    publications.say({(POINT, DAY): None})
    publications.say({(POINT, DAY): 11.0})
    assert publications.rows() == [(POINT, DAY, 10.0, None), (POINT, DAY, None, 11.0)]


def test_less_than_a_rounding_is_no_other_figure(publications: Publications) -> None:
    publications.say({(POINT, DAY): 10.0})
    assert publications.say({(POINT, DAY): 10.0 + 5e-7}) == 0
    assert publications.say({(POINT, DAY): 10.00001}) == 2


def test_only_what_was_rebuilt_is_looked_at(publications: Publications) -> None:
    other = DAY + timedelta(days=40)
    publications.say({(POINT, DAY): 10.0, (POINT, other): 20.0})
    publications.build({(POINT, DAY): 11.0})
    with publications.opened() as db:
        db.execute("update fct_energy_daily set energy_wh = 99 where local_day = ?", [other])
    publications.publish()
    assert publications.rows() == [(POINT, DAY, 10.0, 11.0)]


def test_a_lost_work_file_loses_nothing_of_what_was_said(publications: Publications) -> None:
    publications.say({(POINT, DAY): 10.0})
    publications.say({(POINT, DAY): 12.0})
    publications.work.unlink()
    assert publications.say({(POINT, DAY): 12.0}) == 0
    assert publications.rows() == [(POINT, DAY, 10.0, 12.0)]
    publications.work.unlink()
    assert publications.say({(POINT, DAY): 13.0}) == 2
    assert publications.rows() == [(POINT, DAY, 10.0, 12.0), (POINT, DAY, 12.0, 13.0)]


def test_a_journal_that_was_put_back_is_what_holds(publications: Publications) -> None:
    publications.say({(POINT, DAY): 10.0})
    shutil.copytree(publications.journal, publications.data / "kept")
    publications.say({(POINT, DAY): 12.0})
    shutil.rmtree(publications.journal)
    (publications.data / "kept").rename(publications.journal)
    publications.say({(POINT, DAY): 14.0})
    assert publications.rows() == [(POINT, DAY, 10.0, 14.0)]


class DiedError(Exception):
    """The process ends here."""


def _dying(monkeypatch: pytest.MonkeyPatch, *, after: int) -> Iterator[None]:
    """Let a process end at its n-th step that leaves anything."""
    steps = iter(range(after))

    def or_die(name: str) -> None:
        own = getattr(Restatements, name)

        def stepped(self: Restatements, *args: Any, **named: Any) -> Any:
            if next(steps, None) is None:
                raise DiedError
            found = own(self, *args, **named)
            if next(steps, None) is None:
                raise DiedError
            return found

        monkeypatch.setattr(Restatements, name, stepped)

    for name in ("_write", "_keep_basis", "absorb", "_show"):
        or_die(name)
    yield
    monkeypatch.undo()


@pytest.mark.crash
@pytest.mark.parametrize("goes_on", [True, False], ids=["again", "next build"])
@pytest.mark.parametrize("after", range(11))
def test_a_publication_that_dies_is_made_good_by_the_next(
    publications: Publications, monkeypatch: pytest.MonkeyPatch, *, after: int, goes_on: bool
) -> None:
    """Nothing that was published is lost and nothing doubled; each change follows from the last."""
    other = DAY + timedelta(days=40)
    publications.say({(POINT, DAY): 10.0, (POINT, other): 20.0})
    publications.build({(POINT, DAY): 11.0, (POINT, other): None})
    died = False
    for _ in _dying(monkeypatch, after=after):
        try:
            publications.publish()
        except DiedError:
            died = True
    assert died == (after < 10)
    if goes_on:
        publications.publish()
    publications.say({(POINT, DAY): 12.0, (POINT, other): 21.0})
    rows = publications.rows()
    if goes_on or not died:
        assert rows == [
            (POINT, DAY, 10.0, 11.0),
            (POINT, other, 20.0, None),
            (POINT, DAY, 11.0, 12.0),
            (POINT, other, None, 21.0),
        ]
    for day, first, last in ((DAY, 10.0, 12.0), (other, 20.0, 21.0)):
        chain = [first, *(new for _, period, _, new in rows if period == day)]
        assert [old for _, period, old, _ in rows if period == day] == chain[:-1]
        assert chain[-1] == last


def test_every_publication_can_be_told_again(publications: Publications) -> None:
    """Current figures and the restatements since give what each publication said as final."""
    dice = random.Random(13)  # noqa: S311 (a history, not a secret)
    points = [f"socomec/M{n}/import" for n in range(4)]
    days = [DAY + timedelta(days=n) for n in range(45)]
    current: Figures = {(point, day): None for point in points for day in days}
    said: list[tuple[datetime, Figures]] = []
    for newest in range(5, 45, 2):
        changed = {(p, d) for p in points for d in days[newest - 5 : newest]}
        changed |= {(dice.choice(points), dice.choice(days[:newest])) for _ in range(3)}
        for one in changed:
            current[one] = None if dice.random() < 0.1 else dice.uniform(1, 1000)
        rebuilt = {day for _, day in changed}
        publications.say({k: v for k, v in current.items() if k[1] in rebuilt}, rebuilt=rebuilt)
        at = START + timedelta(hours=publications.count)
        said.append((at, {k: v for k, v in current.items() if v is not None}))
    with publications.opened() as db:
        rows = db.execute(
            f"select scope_id, period_start, restated_at, old_value from {MART} "
            "where grain = 'day' order by restated_at desc"
        ).fetchall()
    assert len(rows) > 50
    for at, figures in said:
        told = dict(current)
        for point, day, restated_at, old in rows:
            if restated_at > at:
                told[point, day] = old
        assert {one: told[one] for one in figures} == pytest.approx(figures)


def test_explain_tells_what_was_said_at_an_instant(publications: Publications) -> None:
    publications.say({(POINT, DAY): 10.0})
    publications.say({(POINT, DAY): 12.0})
    said = said_of(publications.data, scope_id=POINT, day=DAY.isoformat())
    first, second = (START + timedelta(hours=n) for n in (1, 2))
    (day,) = [one for one in said if one.grain == "day"]
    assert day.as_of(first - timedelta(seconds=1)) is None
    assert [day.as_of(at).value for at in (first, second)] == [10.0, 12.0]  # type: ignore[union-attr]
    assert describe_said((day,), as_of=first) == [
        "energy of the day 2026-03-02: 10 Wh, said on 2026-04-01 01:00:00Z",
        "  then on 2026-04-01 02:00:00Z: 12 Wh (unknown)",
    ]
    assert describe_said((day,), as_of=START)[0] == "energy of the day 2026-03-02: not final yet"
    assert said_of(publications.data, scope_id="socomec/M2/import", day=DAY.isoformat()) == ()


READINGS = "core_readings"
RAW = "raw_socomec__datapoints"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (
            BasisRow("file", READINGS, "2026-03-02", f'{{"{RAW}": "a", "rules": "1"}}'),
            BasisRow("file", READINGS, "2026-03-02", f'{{"{RAW}": "b", "rules": "1"}}'),
            {"late data"},
        ),
        (
            BasisRow("file", READINGS, "2026-03-02", f'{{"{RAW}": "a", "rules": "1"}}'),
            BasisRow("file", READINGS, "2026-03-02", f'{{"{RAW}": "a", "rules": "2"}}'),
            {"rule"},
        ),
        (
            BasisRow("file", READINGS, "2026-03-02", '{"portfolio": "a", "rules": "1"}'),
            BasisRow("file", READINGS, "2026-03-02", '{"portfolio": "b", "rules": "1"}'),
            set(),
        ),
        (BasisRow("rules", "marts", "", "a"), BasisRow("rules", "marts", "", "b"), {"rule"}),
        (BasisRow("point", POINT, "paris", "a"), BasisRow("point", POINT, "paris", "b"),
         {"portfolio"}),
        (BasisRow("final_before", "socomec", "", "2026-03-09T00:00:00+00:00"),
         BasisRow("final_before", "socomec", "", "2026-03-02T00:00:00+00:00"), {"setting"}),
        (BasisRow("final_before", "socomec", "", "2026-03-02T00:00:00+00:00"),
         BasisRow("final_before", "socomec", "", "2026-03-09T00:00:00+00:00"), set()),
        (BasisRow("correction", POINT, "|", "a"), BasisRow("correction", POINT, "|", "b"),
         {"correction"}),
    ],
)  # fmt: skip
def test_a_reason_is_what_differs(old: BasisRow, new: BasisRow, why: set[str]) -> None:
    assert {one.why for one in causes({old}, {new})} == why
    assert causes({old}, {old}) == []


def test_the_reasons_of_a_figure_are_those_that_touch_its_period(
    publications: Publications,
) -> None:
    """A site's are its points'; what a correction does not touch did not change by it."""
    later = DAY + timedelta(days=10)
    correction = "2026-03-12T00:00:00+00:00|2026-03-13T00:00:00+00:00"
    late = BasisRow("file", READINGS, DAY.isoformat(), f'{{"{RAW}": "a"}}')
    publications.build({(POINT, DAY): 10.0, (POINT, later): 20.0})
    _rest_on(publications, [late])
    publications.publish()
    publications.build({(POINT, DAY): 11.0, (POINT, later): 21.0})
    _rest_on(
        publications,
        [late._replace(digest=f'{{"{RAW}": "b"}}'), BasisRow("correction", POINT, correction, "x")],
    )
    publications.publish()
    with publications.opened() as db:
        found = dict(db.execute(f"select (grain, period_start), why from {MART}").fetchall())
    assert found == {
        ("day", DAY): "late data",
        ("day", later): "correction",
        ("month", date(2026, 3, 1)): "correction, late data",
    }


def test_a_point_that_counts_no_longer_is_why_its_site_used_another_amount(
    publications: Publications,
) -> None:
    other = "socomec/M2/import"
    for site_use, role in ((30.0, "main"), (10.0, "sub")):
        publications.build({(POINT, DAY): 10.0, (other, DAY): 20.0})
        with publications.opened() as db:
            db.execute(
                "create or replace table mart_site_energy as select 'paris' as site_id, "
                "?::date as local_day, ?::double as site_use_wh, true as is_final",
                [DAY, site_use],
            )
        _rest_on(publications, [BasisRow("point", other, "paris", role)])
        publications.publish()
    with publications.opened() as db:
        rows = db.execute(f"select scope, scope_id, old_value, new_value, why from {MART}")
        assert rows.fetchall() == [("site", "paris", 30.0, 10.0, "portfolio")]


def _rest_on(publications: Publications, rows: list[BasisRow]) -> None:
    with publications.opened() as db:
        Restatements(db, folder=publications.journal)
        frame = pl.DataFrame(rows, schema=list(BasisRow._fields), orient="row")
        db.register("basis_rows", frame.to_arrow())
        db.execute("create or replace table state.basis as from basis_rows")


def test_the_journal_holds_the_columns_that_are_published() -> None:
    assert {"old_value", "new_value", "restated_at", "why"} <= RESTATEMENTS.keys()


@pytest.mark.long
def test_a_month_of_corrections_and_late_days_is_told_again_with_its_reasons(
    tmp_path: Path,
) -> None:
    """The program ``energy_platform_tests.restatements`` takes a year; here are weeks of it."""
    year = Year(tmp_path, events=24, publications=4, days=40)
    year.run()
    told, reasons = year.told_again(), year.reasons()
    assert told.told > 400
    assert told.differences == []
    assert reasons.told > 10
    assert reasons.differences == []
