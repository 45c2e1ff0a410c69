"""The forecast of the disk: from what the folder held days ago to when it is full."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.doctor.disk import forecast
from energy_platform.lake.usage import USAGE_FILE, growth_a_day, note_usage

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MIB = 1024**2


def test_growth_is_taken_from_the_oldest_sample_of_the_last_fortnight(tmp_path: Path) -> None:
    for day, size in ((40, 1), (10, 10), (5, 40)):
        (tmp_path / "file").write_bytes(b"x" * size * MIB)
        note_usage(tmp_path, now=NOW - timedelta(days=day))
    (tmp_path / "file").write_bytes(b"x" * 60 * MIB)
    grows = growth_a_day(tmp_path, now=NOW)
    assert grows == pytest.approx(5 * MIB, rel=0.01)


def test_a_day_is_needed_and_a_torn_line_does_no_harm(tmp_path: Path) -> None:
    assert growth_a_day(tmp_path, now=NOW) is None
    note_usage(tmp_path, now=NOW - timedelta(hours=2))
    assert growth_a_day(tmp_path, now=NOW) is None
    with (tmp_path / USAGE_FILE).open("a") as file:
        file.write('{"at": "2026-')
    assert growth_a_day(tmp_path, now=NOW + timedelta(days=2)) is not None


@pytest.mark.parametrize(
    ("free", "grows", "level", "said"),
    [
        (29 * MIB, 1 * MIB, "warn", "the disk is full in 29 days"),
        (31 * MIB, 1 * MIB, "ok", "lasts for 31 days"),
        (10_000 * MIB, 1 * MIB, "ok", "lasts for years"),
        (1, 0.0, "ok", "does not grow"),
        (1, None, "ok", "is known after a day"),
    ],
)
def test_a_disk_that_is_full_within_a_month_is_warned_of(
    free: int, grows: float | None, level: str, said: str
) -> None:
    finding = forecast(free, grows=grows)
    assert finding.level == level
    assert said in finding.message
