"""Polls on the disk: durable before they are acknowledged, folded into their days once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from energy_platform.sources.skycentrics import Landing
from energy_platform_tests.sources.skycentrics.cloud import DATA, GATEWAY, answer, sensor

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
DAY = "2026-01-01"


def land(landing: Landing, polled_at: datetime, body: bytes, device_id: str = GATEWAY) -> None:
    landing.append(device_id=device_id, polled_at=polled_at, body=body)


def file_of(folder: Path, day: str = DAY) -> Path:
    return folder / f"day={day}" / f"{GATEWAY}.jsonl"


def test_a_poll_is_read_back_as_it_was_said(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, NOON, (DATA / "newest.json").read_bytes())
    polls = Landing(tmp_path).polls(DAY)
    assert polls.own == {GATEWAY: [NOON]}
    (line,) = polls.lines
    assert line.answer.sensors is not None
    assert [one.data for one in line.answer.sensors][:2] == [30.0, "active"]
    whole = msgspec.json.decode(file_of(tmp_path).read_bytes())
    assert whole["answer"] == msgspec.json.decode((DATA / "newest.json").read_bytes())


def test_a_poll_is_on_the_disk_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, int]] = []
    real = os.fsync

    def spy(handle: int) -> None:
        real(handle)
        synced.append((os.fstat(handle).st_ino, os.fstat(handle).st_size))

    monkeypatch.setattr(os, "fsync", spy)
    land(Landing(tmp_path), NOON, answer(sensor(NOON)))
    status = file_of(tmp_path).stat()
    assert (status.st_ino, status.st_size) in synced
    inodes = {inode for inode, _ in synced}
    assert {file_of(tmp_path).parent.stat().st_ino, tmp_path.stat().st_ino} <= inodes


def test_an_answer_over_several_lines_still_lands_as_one(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, NOON, msgspec.json.format((DATA / "newest.json").read_bytes(), indent=2))
    assert file_of(tmp_path).read_bytes().count(b"\n") == 1
    assert len(landing.polls(DAY).lines) == 1


def test_a_body_that_is_no_poll_is_not_acknowledged(tmp_path: Path) -> None:
    with pytest.raises(msgspec.DecodeError):
        land(Landing(tmp_path), NOON, b"<html>")
    assert Landing(tmp_path).days() == []


def test_a_torn_last_line_loses_no_acknowledged_poll_and_is_closed_by_the_next(
    tmp_path: Path,
) -> None:
    landing = Landing(tmp_path)
    body = answer(sensor(NOON))
    land(landing, NOON, body)
    with file_of(tmp_path).open("ab") as file:
        file.write(b'{"polled_at":"2026-01-01T12:01:00Z","device_id":"10')
    assert len(landing.polls(DAY).lines) == 1
    assert landing.polls(DAY).torn == 1
    land(Landing(tmp_path), NOON + timedelta(minutes=2), body)
    polls = Landing(tmp_path).polls(DAY)
    assert [line.polled_at for line in polls.lines] == [NOON, NOON + timedelta(minutes=2)]
    assert polls.torn == 1


def test_zeros_after_a_power_cut_hide_no_other_poll(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, NOON, answer(sensor(NOON)))
    with file_of(tmp_path).open("ab") as file:
        file.write(b"\0" * 300)
    land(Landing(tmp_path), NOON + timedelta(minutes=1), answer(sensor(NOON)))
    assert len(Landing(tmp_path).polls(DAY).lines) == 2


def test_a_sample_of_yesterday_polled_after_midnight_reaches_yesterday(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    late = datetime(2026, 1, 1, 23, 59, 50, tzinfo=UTC)
    landed = landing.append(
        device_id=GATEWAY,
        polled_at=datetime(2026, 1, 2, 0, 0, 20, tzinfo=UTC),
        body=answer(sensor(late, 7.0), sensor(late + timedelta(seconds=20), 8.0, id="Other")),
    )
    assert landed.late_days == {DAY}
    (line,) = Landing(tmp_path).polls(DAY).lines
    assert [one.data for one in line.answer.sensors or ()] == [7.0]
    assert Landing(tmp_path).polls(DAY).own == {}, "no poll was made on that day"
    assert len(Landing(tmp_path).polls("2026-01-02").lines) == 1


def test_a_stale_sensor_reaches_its_old_day_once_not_at_every_poll(tmp_path: Path) -> None:
    stale = datetime(2025, 12, 20, tzinfo=UTC)
    body = answer(sensor(stale))
    for minute in range(5):
        # A new object each time is a restarted process.
        land(Landing(tmp_path), NOON + timedelta(minutes=minute), body)
    assert len(Landing(tmp_path).polls("2025-12-20").lines) == 1


@pytest.mark.parametrize("stamp", [None, 0, -5, int(NOON.timestamp()) + 90_000, 10**14, 1000])
def test_a_time_no_sensor_can_have_makes_no_folder(tmp_path: Path, stamp: int | None) -> None:
    landing = Landing(tmp_path)
    land(landing, NOON, answer(sensor(stamp)))
    assert landing.days() == [DAY]
    assert len(landing.polls(DAY).lines) == 1, "what was said stays in the landing"


def test_the_samples_of_a_poll_are_those_whose_time_changed(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    still, moving = sensor(NOON, id="Still"), sensor(NOON, id="Moving")
    moved = sensor(NOON + timedelta(minutes=1), id="Moving")
    first = landing.append(device_id=GATEWAY, polled_at=NOON, body=answer(still, moving))
    again = landing.append(device_id=GATEWAY, polled_at=NOON, body=answer(still, moved))
    assert (first.samples, again.samples) == (2, 1)


def test_gateway_ids_that_look_like_paths_stay_in_the_folder(tmp_path: Path) -> None:
    landing = Landing(tmp_path / "landing")
    for device_id in ("../../evil", "a.late", ".", "x/y"):
        land(landing, NOON, answer(sensor(NOON)), device_id)
    polls = landing.polls(DAY)
    assert set(polls.own) == {"../../evil", "a.late", ".", "x/y"}
    assert [path.name for path in tmp_path.iterdir()] == ["landing"]


def test_threads_and_processes_at_once_lose_no_poll(tmp_path: Path) -> None:
    landings = [Landing(tmp_path) for _ in range(3)]

    def one(number: int) -> None:
        polled_at = NOON + timedelta(seconds=number)
        land(landings[number % 3], polled_at, answer(sensor(polled_at)))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(60)))
    assert len(set(Landing(tmp_path).polls(DAY).own[GATEWAY])) == 60


def test_archived_polls_are_read_like_any_others(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    for minute in range(3):
        polled_at = NOON + timedelta(minutes=minute)
        land(landing, polled_at, answer(sensor(polled_at)))
    before = landing.polls(DAY)
    assert landing.archive(today="2026-01-05").compressed == 0
    assert landing.archive(today="2026-01-20").compressed == 1
    assert not file_of(tmp_path).exists()
    assert landing.polls(DAY) == before
    # A sample that comes later still, and is archived in its turn.
    landing.append(
        device_id=GATEWAY,
        polled_at=NOON + timedelta(days=30),
        body=answer(sensor(NOON + timedelta(hours=1))),
    )
    assert len(landing.polls(DAY).lines) == 4
    landing.archive(today="2026-03-20")
    assert len(landing.polls(DAY).lines) == 4


@pytest.mark.crash
def test_a_crash_between_archiving_and_removing_loses_and_doubles_nothing(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, NOON, answer(sensor(NOON)))
    content = file_of(tmp_path).read_bytes()
    landing.archive(today="2026-02-01")
    file_of(tmp_path).write_bytes(content)
    assert landing.polls(DAY).own == {GATEWAY: [NOON]}
    landing.archive(today="2026-02-01")
    assert landing.polls(DAY).own == {GATEWAY: [NOON]}


def test_only_days_older_than_asked_for_are_removed(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    for day in range(3):
        polled_at = NOON + timedelta(days=day)
        land(landing, polled_at, answer(sensor(polled_at)))
    done = landing.archive(today="2026-01-04", after_days=1, keep_days=2)
    assert done.removed_days == ("2026-01-01",)
    assert landing.days() == ["2026-01-02", "2026-01-03"]


def test_the_newest_poll_of_each_gateway_is_known(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, NOON, answer(sensor(NOON)))
    land(landing, NOON + timedelta(days=1), answer(sensor(NOON)), "other")
    assert landing.newest_polls() == {GATEWAY: NOON, "other": NOON + timedelta(days=1)}


POLLER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from energy_platform.sources.skycentrics.landing import Landing
landing, body = Landing(Path(sys.argv[1])), Path(sys.argv[2]).read_bytes()
for number in range(100_000):
    polled_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number)
    landing.append(device_id="1000000001", polled_at=polled_at, body=body)
    print(number, flush=True)
"""


@pytest.mark.crash
def test_killed_at_any_moment_no_acknowledged_poll_is_missing(tmp_path: Path) -> None:
    for attempt, moment_s in enumerate((0.0, 0.03, 0.1)):
        folder = tmp_path / str(attempt)
        process = subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", POLLER, str(folder), str(DATA / "newest.json")],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(moment_s)
        os.kill(process.pid, signal.SIGKILL)
        acknowledged = [first, *process.stdout.read().splitlines(keepends=True)]
        process.wait()
        whole = [line for line in acknowledged if line.endswith(b"\n")]
        assert first == b"0\n"
        assert len(Landing(folder).polls(DAY).lines) >= len(whole)
        land(Landing(folder), NOON, answer(sensor(NOON)))
        assert NOON in Landing(folder).polls(DAY).own[GATEWAY]
