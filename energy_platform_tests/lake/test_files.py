"""Staged files: those of dead processes go, those of live ones stay."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from energy_platform.lake.files import is_abandoned, remove_abandoned, staged, staging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITER = """
import sys
from pathlib import Path
from energy_platform.lake.files import staged
with staged(Path(sys.argv[1]), locked=sys.argv[2] == "locked") as path:
    path.write_bytes(b"half")
    print(path, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def writing(target: Path, *, locked: bool) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """Let another process be in the middle of writing a file."""
    kind = "locked" if locked else "small"
    with subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-c", WRITER, str(target), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield target.with_name(process.stdout.readline().strip().rsplit("/", 1)[-1]), process
        finally:
            process.kill()


def aged(path: Path) -> Path:
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 120))
    return path


@pytest.mark.crash
@pytest.mark.parametrize("locked", [True, False])
def test_what_a_killed_process_left_is_removed_and_nothing_before(
    locked: bool, tmp_path: Path
) -> None:
    target = tmp_path / "lake" / "day" / "part.parquet"
    with writing(target, locked=locked) as (path, process):
        if locked:
            # The writer waits for a slow source: no byte for minutes.
            aged(path)
        assert remove_abandoned(tmp_path) == []
        process.kill()
        process.wait()
        aged(path)
        wal = path.with_name(f"{path.name}.wal")
        wal.touch()
        assert remove_abandoned(tmp_path) == [path, wal]
        assert list(target.parent.iterdir()) == []


def test_a_file_whose_lock_is_held_stays_whatever_its_process_number(tmp_path: Path) -> None:
    """Another container on the same folder: its numbers mean nothing here."""
    with writing(tmp_path / "part.parquet", locked=True) as (path, process):
        foreign = path.rename(path.with_name(".part.parquet.4194305.0123abcd.staged"))
        aged(foreign)
        assert not is_abandoned(foreign)
        process.kill()
        process.wait()
        assert is_abandoned(foreign)


def test_a_number_that_another_process_got_later_keeps_nothing(tmp_path: Path) -> None:
    left = tmp_path / f".energy.duckdb.{os.getpid()}.0123abcd.staged"
    left.touch()
    assert not is_abandoned(left)
    # Long before this process began.
    os.utime(left, (0, 0))
    assert is_abandoned(left)


@pytest.mark.crash
def test_a_crash_loop_at_one_target_fills_no_disk(tmp_path: Path) -> None:
    target = tmp_path / "energy.duckdb"
    for number in range(5):
        left = tmp_path / f".energy.duckdb.{4194305 + number}.0123abcd.staged"
        left.write_bytes(b"x" * 100)
        os.utime(left, (0, 0))
    other = tmp_path / ".lake.duckdb.4194305.0123abcd.staged"
    other.touch()
    os.utime(other, (0, 0))
    with staged(target) as path:
        path.write_bytes(b"new")
    assert sorted(tmp_path.iterdir()) == [other, target]
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("locked", [True, False])
def test_a_file_is_put_in_place_whole_or_not_at_all(locked: bool, tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_bytes(b"old")
    with pytest.raises(TypeError), staged(target, locked=locked) as path:
        path.write_bytes("half")  # type: ignore[arg-type]
    assert target.read_bytes() == b"old"
    with staged(target, locked=locked) as path:
        path.write_bytes(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    with staging(target) as path:
        path.write_bytes(b"not wanted")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_names_that_are_not_ours_stay(tmp_path: Path) -> None:
    for name in (".x.staged", "x.1.0123abcd.staged", ".x.abc.0123abcd.staged", ".x.staged.wal"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    assert remove_abandoned(tmp_path) == []
