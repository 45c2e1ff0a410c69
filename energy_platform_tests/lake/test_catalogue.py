"""The catalogue of days."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from energy_platform.lake.catalogue import (
    CATALOGUE_FILE,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Catalogue,
    CatalogueError,
    pause_after,
)
from energy_platform.lake.catalogue_database import damaged_catalogues
from energy_platform.sources.coverage import DeviceDay

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 2, 0, 20, tzinfo=UTC)


def test_pauses_grow_survive_a_restart_and_end_with_a_whole_day(tmp_path: Path) -> None:
    waits = []
    now = NOW
    for _ in range(10):
        with Catalogue(tmp_path) as catalogue:
            record = catalogue.record(
                source="socomec", day="2026-03-01", state="failed", why="HTTP 503", now=now
            )
        assert record.next_at is not None
        waits.append(record.next_at - now)
        now = record.next_at
    assert waits[0] == FIRST_PAUSE
    assert waits[-1] == LONGEST_PAUSE
    assert all(b == min(2 * a, LONGEST_PAUSE) for a, b in pairwise(waits))
    assert record.since == NOW
    with Catalogue(tmp_path) as catalogue:
        whole = catalogue.record(source="socomec", day="2026-03-01", state="whole", now=now)
        assert whole.attempts == 0
        assert whole.next_at is None
        assert catalogue.days("socomec") == {"2026-03-01": whole}
    assert pause_after(10_000) == LONGEST_PAUSE


def test_a_day_says_since_when_its_answer_is_the_same(tmp_path: Path) -> None:
    later = NOW + timedelta(days=1)
    with Catalogue(tmp_path) as catalogue:

        def record(answer: str, now: datetime) -> datetime:
            return catalogue.record(
                source="belimo", day="2026-03-01", state="partial", answer_id=answer, now=now
            ).since

        assert record("a", NOW) == NOW
        assert record("a", later) == NOW
        assert record("b", later) == later


def test_devices_are_replaced_as_a_whole(tmp_path: Path) -> None:
    one = DeviceDay("SN1", 3, 2, 10, NOW, NOW + timedelta(hours=1), "a series is missing")
    two = DeviceDay("SN2", 1, 0, 0, None, None)
    with Catalogue(tmp_path) as catalogue:
        for devices in ((two, one), (one,)):
            catalogue.record(
                source="belimo", day="2026-03-01", state="partial", now=NOW, devices=devices
            )
            assert catalogue.devices("belimo", "2026-03-01") == tuple(sorted(devices))
        catalogue.record(source="belimo", day="2026-03-01", state="failed", now=NOW)
        assert catalogue.devices("belimo", "2026-03-01") == (one,)
        assert catalogue.devices("socomec", "2026-03-01") == ()


def test_attempts_of_several_writers_are_all_counted(tmp_path: Path) -> None:
    def write() -> None:
        with Catalogue(tmp_path) as catalogue:
            for _ in range(10):
                catalogue.record(source="socomec", day="2026-03-01", state="failed", now=NOW)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Catalogue(tmp_path) as catalogue:
        assert catalogue.days("socomec")["2026-03-01"].attempts == 40


def test_a_file_that_is_no_database_is_set_aside_and_a_new_one_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / CATALOGUE_FILE).write_text("x" * 2000, encoding="utf-8")
    with Catalogue(tmp_path) as catalogue:
        assert catalogue.days("socomec") == {}
    (aside,) = damaged_catalogues(tmp_path)
    assert aside.read_text(encoding="utf-8") == "x" * 2000
    assert f"set aside as {aside.name}" in caplog.text


def test_what_cannot_be_opened_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / CATALOGUE_FILE).mkdir()
    with pytest.raises(CatalogueError, match=r"catalogue\.sqlite: cannot be used.*remove it"):
        Catalogue(tmp_path)
