"""A small installation to back up: a lake, a ledger, landed polls, a portfolio."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from energy_platform.backup import take_backup
from energy_platform.days import day_range
from energy_platform.delivery import Ledger
from energy_platform.lake.lake import Lake
from energy_platform.schemas import CORE_READINGS
from energy_platform.settings import Settings
from energy_platform.sources.registry import day_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
DAYS = ("2026-03-01", "2026-03-04")
SECRET = "hunter2-of-the-ledger"


def settings_of(home: Path, **variables: str) -> Settings:
    """Return the settings of an installation below a folder."""
    given = {
        "ENERGY_PLATFORM_DATA_DIR": str(home / "data"),
        "ENERGY_PLATFORM_PORTFOLIO": str(home / "portfolio.yaml"),
    }
    return Settings.load(given | variables)


def install(home: Path, *, polls: int = 3) -> Settings:
    """Fill an installation below a folder."""
    data = home / "data"
    data.mkdir(parents=True)
    (data / "ORIGIN").write_text("live\n", encoding="utf-8")
    (data / ".env").write_text("SOCOMEC_PASSWORD=never\n", encoding="utf-8")
    lake = Lake(data / "lake")
    for table in (*day_tables().values(), CORE_READINGS):
        for day in day_range(*DAYS):
            lake.write(table, table.empty(), day=day, meta={"closed": "true"})
    (data / "energy.duckdb").write_bytes(b"made again")
    (data / "marts").mkdir()
    (data / "marts" / "made.parquet").write_bytes(b"made again")
    landing = data / "landing" / "skycentrics" / "gateway"
    landing.mkdir(parents=True)
    for number in range(polls):
        (landing / f"{number:04}.jsonl").write_text(f"poll {number}\n" * 400, encoding="utf-8")
    with Ledger.at(data / "ledger.sqlite") as ledger:
        ledger.register_streams(["el-1", "el-2"], destination="wattics")
    (home / "portfolio.d").mkdir()
    (home / "portfolio.yaml").write_text("version: 1\n", encoding="utf-8")
    (home / "portfolio.d" / "more.yaml").write_text("devices: []\n", encoding="utf-8")
    return settings_of(home)


def contents(folder: Path, *names: str) -> dict[str, bytes]:
    """Return the files below a folder but for databases and locks, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in _files(folder, *names)
        if ".sqlite" not in path.name and path.suffix != ".lock"
    }


def _files(folder: Path, *names: str) -> Iterator[Path]:
    for name in names:
        yield from (path for path in sorted((folder / name).rglob("*")) if path.is_file())


if __name__ == "__main__":
    # A backup in a process of its own, to be killed: the installation, then the backup folder.
    print(len(take_backup(settings_of(Path(sys.argv[1])), Path(sys.argv[2])).manifest.files))  # noqa: T201
