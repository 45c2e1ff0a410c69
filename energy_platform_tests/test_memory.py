"""How much memory a build may use: the machine's, or what its control group leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform.memory import (
    LEAST,
    MEMORY,
    default_memory,
    duckdb_memory,
    machine_memory,
    parse_memory,
)
from energy_platform.settings import PlatformSettings, SettingsError, settings_from

if TYPE_CHECKING:
    from pathlib import Path

HALF = 600_000_000


def grouped(folder: Path, files: dict[str, str], *, of: str) -> int:
    """Return the memory of a process whose control groups lie in a folder."""
    for name, text in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    named = folder / "self"
    named.write_text(of)
    return machine_memory(cgroups=folder / "cgroup", of=named)


@pytest.mark.parametrize(
    ("files", "of"),
    [
        ({"a/b/memory.max": f"{HALF}\n"}, "0::/a/b\n"),
        ({"a/memory.max": f"{HALF}\n", "a/b/memory.max": "max\n"}, "0::/a/b\n"),
        # In a container the path is the host's, and only its own group is mounted.
        ({"memory.max": f"{HALF}\n"}, "0::/docker/3f2a91\n"),
        ({"memory/a/memory.limit_in_bytes": f"{HALF}\n"}, "4:cpu:/x\n7:memory:/a\n"),
    ],
)
def test_the_tightest_control_group_counts(tmp_path: Path, files: dict[str, str], of: str) -> None:
    assert grouped(tmp_path, files, of=of) == HALF


def test_without_a_limit_the_machine_counts(tmp_path: Path) -> None:
    whole = machine_memory(cgroups=tmp_path, of=tmp_path / "none")
    unlimited = {"memory/memory.limit_in_bytes": "9223372036854771712\n"}
    assert grouped(tmp_path, unlimited, of="7:memory:/\n") == whole
    assert grouped(tmp_path, {"memory.max": "max\n"}, of="0::/\n") == whole


def test_a_small_machine_gives_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("energy_platform.memory.machine_memory", lambda: 2_000_000_000)
    assert default_memory() == LEAST
    monkeypatch.setattr("energy_platform.memory.machine_memory", lambda: 8_100_000_000)
    assert default_memory() == 2_700_000_000


def test_processes_keep_their_part() -> None:
    assert duckdb_memory(LEAST) == LEAST // 2
    assert duckdb_memory(2_700_000_000) < 2_700_000_000


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("1.5 GiB", 3 * 2**29), ("2700mb", 27 * 10**8)]
)
def test_memory_is_written_with_its_unit(text: str, size: int) -> None:
    assert parse_memory(text) == size
    with settings_from({MEMORY: text}):
        assert PlatformSettings().memory == size


@pytest.mark.parametrize("text", ["2", "2 G", "much", "999MB", "-2GB"])
def test_other_amounts_are_refused_by_name(text: str) -> None:
    with settings_from({MEMORY: text}), pytest.raises(SettingsError, match=f"{MEMORY}: expected"):
        PlatformSettings()
