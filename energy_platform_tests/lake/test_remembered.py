"""What a code server keeps of the lake between ticks, and when it looks again."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.catalogue_database import CATALOGUE_FILE
from energy_platform.lake.lake import Lake
from energy_platform.lake.remembered import remembering
from energy_platform.schemas import CORE_READINGS, CORE_REGISTER_REJECTS

if TYPE_CHECKING:
    from pathlib import Path

TABLE = CORE_REGISTER_REJECTS
OTHER = CORE_READINGS
ALWAYS = timedelta(0)
NEVER = timedelta(days=1)
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path / "lake")
    for day in ("2026-03-01", "2026-03-02"):
        made.write(TABLE, TABLE.empty(), day=day)
        made.write(OTHER, OTHER.empty(), day=day)
    return made


def days(lake: Lake, *, since: str | None = None) -> list[str]:
    return [one.day for one in lake.day_files(TABLE, since=since)]


def test_a_file_that_was_written_is_seen_at_once(lake: Lake) -> None:
    with remembering(look_every=NEVER):
        before = lake.version()
        assert days(lake) == ["2026-03-01", "2026-03-02"]
        Lake(lake.root).write(TABLE, TABLE.empty(), day="2026-03-03")
        assert lake.version() > before
        assert days(lake) == lake.days(TABLE) == ["2026-03-01", "2026-03-02", "2026-03-03"]
        assert days(lake, since="2026-03-02") == ["2026-03-02", "2026-03-03"]


def test_what_was_removed_by_hand_is_seen_at_the_next_look(lake: Lake) -> None:
    with remembering(look_every=NEVER):
        lake.version()
        shutil.rmtree(lake.path(TABLE, day="2026-03-01").parent)
        assert days(lake) == ["2026-03-01", "2026-03-02"]
    with remembering(look_every=ALWAYS):
        assert days(lake) == lake.days(TABLE) == ["2026-03-02"]


def test_a_run_looks_for_itself_whatever_is_remembered(lake: Lake) -> None:
    with remembering(look_every=NEVER):
        lake.version()
    shutil.rmtree(lake.path(TABLE, day="2026-03-01").parent)
    assert days(lake) == ["2026-03-02"]


def test_what_went_with_a_lost_catalogue_is_not_remembered(lake: Lake) -> None:
    with remembering(look_every=ALWAYS):
        assert len(days(lake)) == 2
        shutil.rmtree(lake.path(TABLE, day="2026-03-01").parent)
        for path in lake.root.parent.glob(f"{CATALOGUE_FILE}*"):
            path.unlink()
        assert days(lake) == ["2026-03-02"]


def test_a_change_of_rows_is_what_is_remembered_afterwards(lake: Lake) -> None:
    with remembering(look_every=NEVER):
        (before,) = lake.day_files(TABLE, since="2026-03-02")
        lake.write(TABLE, TABLE.empty(), day="2026-03-02", meta={"closed": "true"})
        (after,) = lake.day_files(TABLE, since="2026-03-02")
        assert after.version > before.version
        assert after.footer is not None
        assert after.footer.meta == {"closed": "true"}


def test_days_of_a_source_are_read_again_when_one_was_noted(lake: Lake) -> None:
    with remembering(look_every=NEVER), Catalogue.of(lake) as catalogue:
        for number, day in enumerate(("2026-03-01", "2026-03-02")):
            at = NOW + timedelta(minutes=number)
            catalogue.record(source="socomec", day=day, state="whole", now=at)
        first = catalogue.days("socomec")
        assert list(first) == ["2026-03-01", "2026-03-02"]
        assert catalogue.days("socomec") is first
        later = NOW + timedelta(hours=1)
        catalogue.record(source="socomec", day="2026-03-01", state="failed", now=later, why="no")
        assert catalogue.days("socomec")["2026-03-01"].why == "no"
        assert catalogue.days("belimo") == {}
