"""What ``doctor`` says of days that are not whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.days import day_bounds
from energy_platform.doctor.days import check_days
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_day
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.doctor import CheckResult

MISSING = "2026-01-03"
OVER = day_bounds(MISSING)[1]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOCOMEC_CLIENT_ID", "client")
    monkeypatch.delenv("SOCOMEC_START_DAY", raising=False)
    for day in ("2026-01-02", "2026-01-04", "2026-01-05"):
        land(tmp_path, day)
    return tmp_path


def land(data: Path, day: str) -> None:
    land_day(
        Lake(data / "lake"),
        RAW_SOCOMEC_DATAPOINTS,
        day=day,
        frame=RAW_SOCOMEC_DATAPOINTS.empty(),
        complete_until=datetime(2026, 1, 8, tzinfo=UTC),
        closed=True,
    )


def found(data: Path, *, now: datetime) -> CheckResult:
    (finding,) = check_days(["socomec"], lake=Lake(data / "lake"), now=now)
    return finding


def test_a_hole_is_nothing_while_it_heals_then_a_warning_then_a_failure(data: Path) -> None:
    assert found(data, now=OVER + timedelta(hours=2)).level == "ok"
    warned = found(data, now=OVER + timedelta(hours=4))
    assert warned.level == "warn"
    assert f"newest {MISSING}: missing since 2026-01-04 00:00 UTC" in warned.message
    assert "energy-platform status" in warned.advice
    assert found(data, now=OVER + timedelta(hours=49)).level == "fail"
    land(data, MISSING)
    assert found(data, now=OVER + timedelta(hours=49)).level == "ok"


def test_why_a_day_failed_and_when_it_is_asked_for_again_is_said(data: Path) -> None:
    now = OVER + timedelta(hours=5)
    with Catalogue(data) as catalogue:
        catalogue.record(source="socomec", day=MISSING, state="failed", now=now, why="HTTP 503")
    said = found(data, now=now)
    assert said.message.endswith("HTTP 503")
    assert "from 05:10 UTC" in said.advice


def test_a_damaged_catalogue_is_begun_again_and_the_old_one_named(data: Path) -> None:
    for path in data.glob("catalogue.sqlite*"):
        path.unlink()
    (data / "catalogue.sqlite").write_bytes(b"no database " * 1000)
    assert found(data, now=OVER).level == "ok", "the days are known from their files"
    aside, days = check_days(["socomec"], lake=Lake(data / "lake"), now=OVER)
    assert (aside.level, days.level) == ("warn", "ok")
    assert aside.message.startswith("catalogue.sqlite.damaged-")


def test_a_catalogue_that_cannot_be_opened_fails_with_what_to_do(data: Path) -> None:
    for path in data.glob("catalogue.sqlite*"):
        path.unlink()
    (data / "catalogue.sqlite").mkdir()
    said = found(data, now=OVER)
    assert said.level == "fail"
    assert "catalogue.sqlite" in said.message
