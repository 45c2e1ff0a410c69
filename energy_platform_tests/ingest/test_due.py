"""Which days of a source are asked for, and which are not whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from energy_platform.days import DAY, day_before, day_bounds, day_range
from energy_platform.ingest.due import (
    DayFile,
    SourceDays,
    due,
    missing_days,
    newest_chunk,
    read_source_days,
)
from energy_platform.lake.catalogue import CATALOGUE_FILE, Catalogue, DayRecord
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_day
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.lake.catalogue import DayState

NOW = datetime(2026, 1, 10, 0, 20, tzinfo=UTC)
CLOSED, OPEN = DayFile(closed=True), DayFile(closed=False)


def record(
    day: str,
    state: DayState,
    *,
    at: datetime,
    next_in: timedelta | None = None,
    since: datetime | None = None,
    attempts: int = 1,
) -> DayRecord:
    return DayRecord(
        source="socomec",
        day=day,
        state=state,
        why="" if state == "whole" else "the vendor was away",
        rows=0,
        answer_id="",
        since=since or at,
        attempts=0 if state == "whole" else attempts,
        next_at=None if next_in is None else at + next_in,
        attempted_at=at,
    )


def known(files: dict[str, DayFile], *records: DayRecord) -> SourceDays:
    return SourceDays(files=files, records={one.day: one for one in records})


def days_due(of: SourceDays, *, now: datetime = NOW, late_days: int = 1) -> tuple[str, ...]:
    return due(of, start=None, late_days=late_days, now=now).days


def test_a_lake_of_the_first_version_has_only_its_late_days_due() -> None:
    of = known(dict.fromkeys(day_range("2026-01-01", "2026-01-09"), CLOSED))
    assert missing_days(of, start=None, late_days=1, now=NOW) == ()
    assert days_due(of) == ("2026-01-09", "2026-01-08")


def test_a_weeks_outage_is_due_newest_first_whatever_the_late_days_are() -> None:
    files = dict.fromkeys(["2026-01-01", "2026-01-02", "2026-01-09"], CLOSED)
    of = known(files, record("2026-01-09", "whole", at=NOW))
    assert days_due(of, late_days=0) == tuple(reversed(day_range("2026-01-03", "2026-01-08")))


def test_a_start_day_makes_every_day_since_then_due() -> None:
    of = known({"2026-01-09": CLOSED}, record("2026-01-09", "whole", at=NOW))
    found = due(of, start="2026-01-06", late_days=0, now=NOW)
    assert found.days == ("2026-01-08", "2026-01-07", "2026-01-06")
    assert due(of, start="2026-01-11", late_days=3, now=NOW).days == ()


def test_a_new_installation_begins_with_yesterday_and_the_late_days_and_has_no_holes() -> None:
    of = known({})
    assert days_due(of, late_days=2) == ("2026-01-09", "2026-01-08", "2026-01-07")
    assert missing_days(of, start=None, late_days=2, now=NOW) == ()


def test_days_that_failed_before_the_first_one_landed_are_due() -> None:
    early = record("2026-01-07", "failed", at=datetime(2026, 1, 8, 1, tzinfo=UTC))
    assert "2026-01-07" in days_due(known({"2026-01-09": CLOSED}, early))


def test_a_day_over_but_not_closed_is_due_and_today_is_not() -> None:
    of = known({"2026-01-09": OPEN, "2026-01-10": OPEN})
    assert days_due(of, late_days=0) == ("2026-01-09",)
    (missing,) = missing_days(of, start=None, late_days=0, now=NOW)
    assert (missing.kind, missing.since) == ("open", day_bounds("2026-01-09")[1])


def test_a_day_rests_until_its_next_attempt_and_is_named_meanwhile() -> None:
    at = NOW - timedelta(minutes=5)
    of = known(
        {"2026-01-06": CLOSED},
        record("2026-01-08", "failed", at=at, next_in=timedelta(minutes=10)),
        record("2026-01-07", "failed", at=at, next_in=timedelta(minutes=4)),
    )
    found = due(of, start=None, late_days=0, now=NOW)
    assert found.days == ("2026-01-09", "2026-01-07")
    (resting,) = found.waiting
    assert (resting.day, resting.kind, resting.reason) == (
        "2026-01-08",
        "missing",
        "the vendor was away",
    )
    assert found.next_at == NOW + timedelta(minutes=5)
    assert "2026-01-08" in days_due(of, now=NOW + timedelta(minutes=5))


def test_a_partial_day_is_due_until_it_is_closed_by_a_confirmed_answer() -> None:
    since = datetime(2026, 1, 7, 1, tzinfo=UTC)
    first = record("2026-01-06", "partial", at=since, next_in=timedelta(hours=1))
    of = known({"2026-01-06": OPEN}, first)
    assert missing_days(of, start=None, late_days=2, now=NOW)[-1].kind == "partial"
    again = record("2026-01-06", "partial", at=since + 2 * DAY, since=since, attempts=9)
    unconfirmed = record("2026-01-06", "partial", at=since + DAY, since=since, attempts=9)
    for latest, is_whole in ((again, True), (unconfirmed, False)):
        of = known({"2026-01-06": CLOSED}, latest)
        days = [one.day for one in missing_days(of, start=None, late_days=2, now=NOW)]
        assert ("2026-01-06" not in days) is is_whole


def test_no_late_day_lies_before_the_first_day_that_landed() -> None:
    of = known({"2026-01-09": CLOSED})
    assert days_due(of, late_days=3) == ("2026-01-09",)
    assert due(of, start="2026-01-08", late_days=3, now=NOW).days == ("2026-01-09", "2026-01-08")


def test_the_late_days_are_read_once_after_each_midnight() -> None:
    files = dict.fromkeys(day_range("2026-01-01", "2026-01-09"), CLOSED)
    read = [
        record(day, "whole", at=NOW - timedelta(hours=1)) for day in ("2026-01-08", "2026-01-09")
    ]
    assert days_due(known(files, *read), late_days=1) == ("2026-01-09", "2026-01-08")
    read = [record(day, "whole", at=NOW) for day in ("2026-01-08", "2026-01-09")]
    assert days_due(known(files, *read), late_days=1) == ()


def test_a_closed_day_that_cannot_be_read_again_is_no_hole_and_is_tried_for_a_day() -> None:
    at = NOW - timedelta(minutes=10)
    files = dict.fromkeys(day_range("2026-01-01", "2026-01-09"), CLOSED)
    whole = [
        record(day, "whole", at=at - timedelta(minutes=5)) for day in ("2026-01-08", "2026-01-09")
    ]

    def failed(attempts: int) -> DayRecord:
        return record(
            "2026-01-03",
            "failed",
            at=at,
            since=at - timedelta(days=1),
            next_in=timedelta(minutes=5),
            attempts=attempts,
        )

    assert missing_days(known(files, *whole, failed(7)), start=None, late_days=1, now=NOW) == ()
    assert days_due(known(files, *whole, failed(7))) == ("2026-01-03",)
    assert days_due(known(files, *whole, failed(8))) == ()


def test_attempts_during_an_outage_do_not_keep_a_closed_day_from_its_late_data() -> None:
    back, files = NOW - timedelta(minutes=10), {"2026-01-03": CLOSED, "2026-01-09": CLOSED}
    whole = record("2026-01-09", "whole", at=back)
    away = record(
        "2026-01-03",
        "failed",
        at=back - timedelta(hours=1),
        since=back - timedelta(days=5),
        next_in=timedelta(minutes=5),
        attempts=20,
    )
    assert days_due(known(files, whole, away), late_days=0) == _between("04", "08", "2026-01-03")
    again = replace(away, attempted_at=NOW - timedelta(minutes=6), attempts=21)
    assert days_due(known(files, whole, again), late_days=0) == _between("04", "08")


def test_days_that_rested_for_an_outage_are_due_as_soon_as_the_source_is_back() -> None:
    failing_since = NOW - timedelta(days=4)
    resting = [
        record(
            day,
            "failed",
            at=NOW - timedelta(hours=2),
            since=failing_since,
            next_in=timedelta(hours=12),
            attempts=9,
        )
        for day in ("2026-01-07", "2026-01-08")
    ]
    away = known({"2026-01-06": CLOSED}, *resting)
    assert due(away, start="2026-01-07", late_days=0, now=NOW).days == ("2026-01-09",)
    today = DayFile(closed=False, until=NOW - timedelta(hours=1))
    back = known({"2026-01-06": CLOSED, "2026-01-10": today}, *resting)
    days = ("2026-01-09", "2026-01-08", "2026-01-07")
    assert due(back, start="2026-01-07", late_days=0, now=NOW).days == days
    # It answered while this day alone failed: the pauses are the day's own.
    answers = record("2026-01-06", "whole", at=NOW - timedelta(hours=3))
    alone = known({"2026-01-06": CLOSED, "2026-01-10": today}, answers, *resting)
    assert due(alone, start="2026-01-07", late_days=0, now=NOW).days == ("2026-01-09",)


def _between(first: str, last: str, *others: str) -> tuple[str, ...]:
    return (*reversed(day_range(f"2026-01-{first}", f"2026-01-{last}")), *others)


def test_a_clock_that_was_wrong_for_a_while_puts_no_day_off() -> None:
    future = NOW + timedelta(days=400)
    of = known({"2026-01-08": CLOSED}, record("2026-01-09", "failed", at=future, next_in=DAY / 2))
    assert "2026-01-09" in days_due(of, late_days=0)


def test_before_the_daily_runs_had_their_turn_yesterday_is_not_over() -> None:
    of = known({"2026-01-08": CLOSED})
    found = due(of, start=None, late_days=0, now=NOW, after=timedelta(minutes=45))
    assert "2026-01-09" not in found.days
    later = NOW + timedelta(minutes=25)
    assert "2026-01-09" in due(of, start=None, late_days=0, now=later, after=DAY / 32).days


def test_one_run_takes_the_newest_days_without_a_hole() -> None:
    days = ["2026-01-09", "2026-01-08", "2026-01-05"]
    assert newest_chunk(days) == ["2026-01-08", "2026-01-09"]
    many = list(reversed(day_range("2025-01-01", "2025-12-31")))
    assert newest_chunk(many, most=3) == ["2025-12-29", "2025-12-30", "2025-12-31"]
    assert newest_chunk([]) == []


@given(st.sets(st.integers(0, 60)), st.integers(1, 9))
def test_blocks_taken_one_after_the_other_take_every_day_once(numbers: set[int], most: int) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    left = sorted((f"{first + n * DAY:%Y-%m-%d}" for n in numbers), reverse=True)
    taken: list[str] = []
    while left:
        chunk = newest_chunk(left, most=most)
        assert 1 <= len(chunk) <= most
        assert chunk == day_range(chunk[0], chunk[-1])
        taken += reversed(chunk)
        left = [day for day in left if day not in chunk]
    assert taken == sorted(taken, reverse=True)
    assert len(taken) == len(numbers)


def test_lake_and_catalogue_are_read_as_they_are_now_and_nothing_is_made(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    def read() -> SourceDays:
        return read_source_days(lake, data_dir=tmp_path, source="socomec")

    assert read() == SourceDays(files={}, records={})
    assert not list(tmp_path.iterdir())
    for closed in (False, True):
        land_day(
            lake,
            RAW_SOCOMEC_DATAPOINTS,
            day="2026-01-01",
            frame=RAW_SOCOMEC_DATAPOINTS.empty(),
            complete_until=NOW,
            closed=closed,
        )
        assert read().files == {
            "2026-01-01": DayFile(closed=closed, until=datetime(2026, 1, 2, tzinfo=UTC))
        }
    with Catalogue(tmp_path) as catalogue:
        catalogue.record(source="socomec", day="2026-01-02", state="failed", now=NOW, why="away")
    assert (tmp_path / CATALOGUE_FILE).exists()
    assert read().records["2026-01-02"].why == "away"
    lake.path(RAW_SOCOMEC_DATAPOINTS, day="2026-01-01").write_bytes(b"cut in half")
    (damaged,) = [one for one in _holes(read()) if one[0] == "2026-01-01"]
    assert damaged == ("2026-01-01", "damaged")


def _holes(of: SourceDays) -> list[tuple[str, str]]:
    return [(one.day, one.kind) for one in missing_days(of, start=None, late_days=1, now=NOW)]


def test_yesterday_is_the_day_before_today() -> None:
    assert days_due(known({}), late_days=0) == (day_before("2026-01-10"),)


def arrived(days: dict[str, datetime], *records: DayRecord, **files: DayFile) -> SourceDays:
    """What is known of a source whose days are due by what arrives; ``d02`` is the 2nd."""
    return SourceDays(
        files={f"2026-01-{name[1:]}": file for name, file in files.items()},
        records={one.day: one for one in records},
        arrivals=days,
    )


def test_days_that_nothing_came_of_are_no_holes_where_arrivals_tell() -> None:
    source = arrived({"2026-01-02": NOW, "2026-01-05": NOW}, d02=CLOSED)
    assert [one.day for one in missing_days(source, start=None, late_days=7, now=NOW)] == [
        "2026-01-05"
    ]
    found = due(source, start=None, late_days=7, now=NOW)
    # The 2nd has no record of an attempt: whether what came is in it is not known.
    assert found.days == ("2026-01-05", "2026-01-02")


def test_a_day_is_due_once_for_what_arrived() -> None:
    before, after = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
    read = record("2026-01-02", "whole", at=after)
    quiet = due(arrived({"2026-01-02": before}, read, d02=CLOSED), start=None, late_days=7, now=NOW)
    assert quiet.days == ()
    news = due(arrived({"2026-01-02": NOW}, read, d02=CLOSED), start=None, late_days=7, now=NOW)
    assert news.days == ("2026-01-02",)


def test_what_arrives_ends_the_pause_of_a_day_that_failed() -> None:
    failed = record("2026-01-02", "failed", at=NOW - timedelta(hours=1), next_in=timedelta(hours=9))
    resting = arrived({"2026-01-02": NOW - timedelta(hours=2)}, failed)
    assert due(resting, start=None, late_days=7, now=NOW).days == ()
    found = due(arrived({"2026-01-02": NOW}, failed), start=None, late_days=7, now=NOW)
    assert (found.days, found.waiting) == (("2026-01-02",), ())
