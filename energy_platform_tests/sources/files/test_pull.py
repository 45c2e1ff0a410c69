"""Days folded from files: the newer file counts, equal rows stay, holes by the stated pace."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest

from energy_platform.sources.files import pull
from energy_platform.sources.files.tables import (
    RAW_FILES_LOGGERS,
    RAW_FILES_POINTS,
    RAW_FILES_SAMPLES,
)
from energy_platform_tests.sources.files.test_intake import Inbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.sources.base import DayPull

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = "2026-02-02"


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(tmp_path)
    yield made
    made.store.close()


def export(*rows: tuple[str, float]) -> str:
    """Return a file of one column."""
    return "\n".join(["Time;kWh", *(f"{stamp};{value}" for stamp, value in rows)]) + "\n"


def day(inbox: Inbox, name: str = DAY, *, until: datetime = NOW) -> DayPull:
    """Fold one day."""
    loggers = pull.loggers_of(inbox.folder)
    return next(pull.days(inbox.store, [name], until=until, loggers=loggers))


def rows(pulled: DayPull) -> list[tuple[str, float, str]]:
    assert pulled.frame is not None
    return [
        (f"{at:%H:%M}", value, file)
        for at, value, file in pulled.frame.select("at", "value", "file").rows()
    ]


def test_the_newer_of_two_files_counts_and_the_change_is_said(inbox: Inbox) -> None:
    inbox.drop("m/a.csv", export((f"{DAY} 00:00", 1), (f"{DAY} 01:00", 2)))
    inbox.look()
    inbox.drop("m/b.csv", export((f"{DAY} 00:00", 1), (f"{DAY} 01:00", 5), (f"{DAY} 02:00", 6)))
    inbox.look()
    pulled = day(inbox)
    assert rows(pulled) == [("00:00", 1, "a.csv"), ("01:00", 5, "b.csv"), ("02:00", 6, "b.csv")]
    assert (pulled.duplicates, pulled.conflicts) == (1, 1)
    assert "the newer file counts" in pulled.warnings[0]


def test_files_of_one_look_count_in_the_order_they_were_written(inbox: Inbox) -> None:
    inbox.drop("m/a.csv", export((f"{DAY} 00:00", 9)), modified=2_000_000)
    inbox.drop("m/b.csv", export((f"{DAY} 00:00", 1)), modified=1_000_000)
    inbox.look()
    assert rows(day(inbox)) == [("00:00", 9, "a.csv")]


def test_a_day_keeps_to_the_table_and_to_the_present(inbox: Inbox) -> None:
    inbox.drop("m/a.csv", export((f"{DAY} 00:00", 1), (f"{DAY} 23:00", 2)))
    inbox.look()
    pulled = day(inbox, until=datetime(2026, 2, 2, 12, tzinfo=UTC))
    assert rows(pulled) == [("00:00", 1, "a.csv")]
    assert pulled.frame is not None
    assert pulled.frame.schema == RAW_FILES_SAMPLES.schema


def test_bad_lines_come_with_their_day_file_line_and_reason(inbox: Inbox) -> None:
    inbox.drop("m/a.csv", f"Time;kWh\n{DAY} 00:00;1\n{DAY} 01:00;x\n2026-02-03 00:00;2\n?;3\n")
    inbox.look()
    assert [(one.device, one.series, one.reason) for one in day(inbox).rejects] == [
        ("m", "kWh", "a.csv, line 3: x is not a number")
    ]
    assert [one.reason for one in day(inbox, "2026-02-03").rejects] == [
        "a.csv, line 5: no time can be read"
    ]


def hourly(first: str, hours: int, *, without: tuple[int, ...] = ()) -> str:
    start = datetime.fromisoformat(first)
    return export(
        *(
            (f"{start + n * timedelta(hours=1):%Y-%m-%d %H:%M}", n)
            for n in range(hours)
            if n not in without
        )
    )


def test_a_logger_without_a_stated_pace_has_no_holes(inbox: Inbox) -> None:
    inbox.drop("m/a.csv", hourly("2026-02-01", 96, without=tuple(range(24, 60))))
    inbox.look()
    assert day(inbox).devices[0].why_partial == ""
    assert pull.missing_days(inbox.store, pull.loggers_of(inbox.folder)) == {}


def test_a_stated_pace_makes_missing_hours_and_days_holes(inbox: Inbox) -> None:
    inbox.drop("m/mapping.yaml", "every: 1h\n")
    inbox.drop("m/a.csv", hourly("2026-02-01", 96, without=(*range(30, 40), *range(48, 72))))
    inbox.look()
    loggers = pull.loggers_of(inbox.folder)
    assert "no file has (UTC) kWh 05:00 to 16:00" in day(inbox).devices[0].why_partial
    assert pull.missing_days(inbox.store, loggers) == {"2026-02-03": NOW}
    assert "no file has samples of the day" in day(inbox, "2026-02-03").devices[0].why_partial
    assert day(inbox, "2026-02-01").devices[0].why_partial == ""


def test_the_newest_day_of_a_logger_waits_for_its_next_file(inbox: Inbox) -> None:
    inbox.drop("m/mapping.yaml", "every: 1h\n")
    inbox.drop("m/a.csv", hourly("2026-02-02", 14))
    inbox.look()
    assert day(inbox).devices[0].why_partial == ""


def test_a_day_whose_samples_are_gone_fails_and_names_the_file(inbox: Inbox) -> None:
    inbox.drop("m/a.csv", export((f"{DAY} 00:00", 1)))
    inbox.look()
    shutil.rmtree(inbox.landing / "parsed")
    pulled = day(inbox)
    assert pulled.frame is None
    assert "a.csv" in str(pulled.error)


def test_the_inventory_says_how_points_behave(inbox: Inbox) -> None:
    inbox.drop("m/mapping.yaml", "name: Main\npoints:\n  kWh: {unit: kWh, kind: register}\n")
    inbox.drop("m/a.csv", export(*((f"{DAY} {n:02}:00", n % 20) for n in range(24))))
    inbox.look()
    frames = pull.inventory(inbox.store, pull.loggers_of(inbox.folder))
    logger = frames[RAW_FILES_LOGGERS.name].row(0, named=True)
    assert (logger["id"], logger["name"], logger["files"]) == ("m", "Main", 1)
    point = frames[RAW_FILES_POINTS.name].row(0, named=True)
    assert (point["unit"], point["kind"], point["step_s"]) == ("kWh", "register", 3600)
    assert (point["rises"], point["falls"], point["highest"]) == (22, 1, 19)
    assert frames[RAW_FILES_POINTS.name].schema == pl.Schema(RAW_FILES_POINTS.schema)
