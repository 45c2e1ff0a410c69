"""A backup is whole or none, whatever is written or killed meanwhile."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from energy_platform.backup import (
    BackupError,
    manifests,
    newest_backup,
    restore,
    take_backup,
    verify,
)
from energy_platform.backup.objects import Objects
from energy_platform_tests.backup.installed import NOW, SECRET, install, settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.settings import Settings


@pytest.fixture
def installed(tmp_path: Path) -> Settings:
    return install(tmp_path / "home")


def stored(folder: Path) -> int:
    return len([*Objects(folder).names()])


def test_a_backup_holds_what_cannot_be_made_again_and_no_secret(
    installed: Settings, tmp_path: Path
) -> None:
    taken = take_backup(installed, tmp_path / "backups")
    names = {one.name for one in taken.manifest.files}
    assert {
        "data/ORIGIN",
        "data/ledger.sqlite",
        "data/catalogue.sqlite",
        "data/landing/skycentrics/gateway/0000.jsonl",
        "data/lake/raw_socomec__datapoints/day=2026-03-01/part.parquet",
        "portfolio/portfolio.yaml",
        "portfolio/portfolio.d/more.yaml",
    } <= names
    assert not [name for name in names if "core_" in name or "marts" in name or ".env" in name]
    assert "data/energy.duckdb" not in names
    derived = take_backup(installed, tmp_path / "derived", derived=True).manifest
    assert {one.name for one in derived.files} - names == {
        "data/energy.duckdb",
        "data/marts/made.parquet",
        *(f"data/lake/core_readings/day=2026-03-0{day}/part.parquet" for day in range(1, 5)),
    }


def test_a_second_backup_copies_only_what_is_new(installed: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    first = take_backup(installed, folder)
    assert first.new_objects == stored(folder)
    landing = installed.platform.data_dir / "landing" / "skycentrics" / "gateway"
    old = time.time() - 60
    for path in installed.platform.data_dir.rglob("*"):
        os.utime(path, (old, old))
    take_backup(installed, folder)
    (landing / "0003.jsonl").write_text("a poll more\n", encoding="utf-8")
    third = take_backup(installed, folder)
    assert (third.new_objects, third.new_bytes) == (1, 12)
    # What did not change is not read again, but for databases and what is a moment old.
    read = [one for one in third.manifest.files if not one.name.startswith("data/l")]
    assert third.unread >= len(third.manifest.files) - len(read) - 2


def test_old_backups_go_with_what_only_they_hold(installed: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    first = take_backup(installed, folder)
    poll = installed.platform.data_dir / "landing" / "skycentrics" / "gateway" / "0000.jsonl"
    poll.write_text("another\n", encoding="utf-8")
    second = take_backup(installed, folder, keep=2)
    assert second.pruned is not None
    assert (second.pruned.backups, second.pruned.objects) == (0, 0)
    third = take_backup(installed, folder, keep=2)
    assert third.pruned is not None
    assert (third.pruned.backups, third.pruned.objects) == (1, 1)
    assert manifests(folder) == [second.path, third.path]
    assert first.path not in manifests(folder)
    assert verify(folder).problems == ()
    second.path.write_bytes(b"{")
    with pytest.raises(BackupError, match="manifest is damaged"):
        take_backup(installed, folder, keep=3)
    assert stored(folder) == third.new_objects + len({one.digest for one in third.manifest.files})


def test_files_that_are_replaced_meanwhile_are_copied_whole(
    installed: Settings, tmp_path: Path
) -> None:
    target = installed.platform.data_dir / "lake" / "raw_socomec__sites" / "part.parquet"
    target.parent.mkdir()
    ended = threading.Event()

    def replace_for_ever() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            staged = target.with_name(f".{number}.staged")
            staged.write_bytes(bytes([number % 251]) * 3_000_000)
            staged.replace(target)

    writer = threading.Thread(target=replace_for_ever)
    writer.start()
    try:
        while not target.exists():
            time.sleep(0.01)
        for number in range(5):
            take_backup(installed, tmp_path / "backups")
            home = tmp_path / f"restored-{number}"
            restored = restore(
                tmp_path / "backups",
                manifests(tmp_path / "backups")[-1],
                settings_of(home).platform.model_copy(),
                now=NOW,
            )
            found = (
                restored.data_dir / "lake" / "raw_socomec__sites" / "part.parquet"
            ).read_bytes()
            assert len(found) == 3_000_000
            assert found == found[:1] * len(found)
    finally:
        ended.set()
        writer.join()


def test_a_file_that_goes_while_another_takes_over_is_looked_up_again(
    installed: Settings, tmp_path: Path
) -> None:
    gateway = installed.platform.data_dir / "landing" / "skycentrics" / "gateway"

    def compress(number: int, _of: int) -> None:
        # As housekeeping does, after the files were listed.
        if number == 1:
            (gateway / "0002.jsonl").rename(gateway / "0002.jsonl.gz")

    taken = take_backup(installed, tmp_path / "backups", on_progress=compress)
    polls = [one.name.rpartition("/")[2] for one in taken.manifest.files if "gateway" in one.name]
    assert polls == ["0000.jsonl", "0001.jsonl", "0002.jsonl.gz"]


def test_a_ledger_that_is_written_to_is_copied_as_it_is_at_one_moment(
    installed: Settings, tmp_path: Path
) -> None:
    path = installed.platform.data_dir / "ledger.sqlite"
    ended = threading.Event()

    def write_for_ever() -> None:
        with closing(sqlite3.connect(path, timeout=30)) as database:
            database.execute("pragma journal_mode = wal")
            number = 0
            while not ended.is_set():
                number += 1
                with database:
                    for stream in ("el-1", "el-2"):
                        database.execute(
                            "update streams set acknowledged = ? where stream_id = ?",
                            [number, stream],
                        )
                    database.execute(
                        "insert into events (at_us, kind, detail) values (?, 'hold', '{}')",
                        [number],
                    )

    writer = threading.Thread(target=write_for_ever)
    writer.start()
    try:
        for number in range(5):
            taken = take_backup(installed, tmp_path / "backups")
            (ledger,) = (one for one in taken.manifest.files if one.name == "data/ledger.sqlite")
            copy = tmp_path / f"ledger-{number}.sqlite"
            shutil.copy(Objects(tmp_path / "backups").path(ledger.digest), copy)
            with closing(sqlite3.connect(copy)) as database:
                counts = {row[0] for row in database.execute("select acknowledged from streams")}
                events = database.execute("select count(*) from events").fetchone()[0]
                assert database.execute("pragma integrity_check").fetchone() == ("ok",)
            assert counts == {events}
    finally:
        ended.set()
        writer.join()


@pytest.mark.crash
@pytest.mark.long
def test_a_backup_that_is_killed_is_none_and_the_next_one_goes_on(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "backups"
    install(home, polls=1500)
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    words = [sys.executable, "-m", "energy_platform_tests.backup.installed", str(home), str(folder)]
    killed = 0
    for _ in range(5):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603
        before = stored(folder) if folder.exists() else 0
        while process.poll() is None and (stored(folder) if folder.exists() else 0) == before:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.6))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        assert verify(folder).problems == ()
    assert killed >= 3
    taken = take_backup(settings_of(home), folder, keep=1)
    assert manifests(folder) == [taken.path]
    assert stored(folder) == len({one.digest for one in taken.manifest.files})
    assert not [*(folder / "objects").glob(".new-*")]
    assert verify(folder).problems == ()


@pytest.mark.long
def test_a_full_disk_leaves_no_backup_and_the_ones_before(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "backups"
    install(home, polls=3)
    first = take_backup(settings_of(home), folder)
    (home / "data" / "landing" / "big.bin").write_bytes(os.urandom(8_000_000))
    python = f"{sys.executable} -m energy_platform_tests.backup.installed {home} {folder}"
    in_namespace = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=4m tmpfs {folder}/objects"
    can_mount = (
        shutil.which("unshare") is not None
        and subprocess.run([*in_namespace, mount], check=False, capture_output=True).returncode == 0  # noqa: S603
    )
    if can_mount:
        words = [*in_namespace, f"{mount} && exec {python}"]
    else:  # no right to mount: the largest file the process may write is smaller than this one
        words = ["sh", "-c", f"ulimit -f 4000 && exec {python}"]
    found = subprocess.run(words, check=False, capture_output=True, text=True)  # noqa: S603
    assert found.returncode != 0
    said = "No space left on device" if can_mount else "File too large"
    assert said in found.stderr
    assert manifests(folder) == [first.path]
    assert verify(folder).problems == ()
    assert take_backup(settings_of(home), folder).new_objects >= 1


def test_a_ledger_on_a_server_is_named_without_its_password_and_not_forgotten_in_silence(
    tmp_path: Path,
) -> None:
    install(tmp_path / "home")
    settings = settings_of(
        tmp_path / "home",
        ENERGY_PLATFORM_LEDGER_URL=f"postgresql://user:{SECRET}@db.example:5433/energy",
        SOCOMEC_PASSWORD=SECRET,
    )
    taken = take_backup(settings, tmp_path / "backups")
    assert taken.manifest.ledger == "db.example:5433/energy"
    assert "data/ledger.sqlite" not in {one.name for one in taken.manifest.files}
    assert {"ENERGY_PLATFORM_LEDGER_URL", "SOCOMEC_PASSWORD"} <= {*taken.manifest.variables}
    for path in (tmp_path / "backups").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_a_backup_is_refused_in_the_folder_that_would_be_lost_with_it(
    installed: Settings, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="would be lost with it"):
        take_backup(installed, installed.platform.data_dir / "backups")
    with pytest.raises(BackupError, match="there is no data folder"):
        take_backup(settings_of(tmp_path / "nowhere"), tmp_path / "backups")


def test_the_age_of_the_newest_backup_is_told(installed: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    assert "is not there" in newest_backup(folder, now=NOW).sentence
    take_backup(installed, folder, now=lambda: NOW.replace(day=4))
    assert not newest_backup(folder, now=NOW).is_old
    assert newest_backup(folder, now=NOW.replace(day=7)).is_old
    assert "3 days ago" in newest_backup(folder, now=NOW.replace(day=7)).sentence
