"""What is put back is what was there; what is damaged is named, and nothing is put in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform.backup import (
    BackupError,
    find_manifest,
    restore,
    take_backup,
    verify,
)
from energy_platform.backup.objects import Objects
from energy_platform.cli.app import run
from energy_platform.delivery import Ledger
from energy_platform.lake.lake import Lake
from energy_platform.sources.registry import day_tables
from energy_platform_tests.backup.installed import DAYS, NOW, contents, install, settings_of
from energy_platform_tests.environment import environment

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.settings import Settings


@pytest.fixture
def backed_up(tmp_path: Path) -> Settings:
    settings = install(tmp_path / "home")
    take_backup(settings, tmp_path / "backups", now=lambda: NOW)
    return settings


def put_back(tmp_path: Path, home: str = "new", **variables: str) -> Path:
    folder = tmp_path / "backups"
    platform = settings_of(tmp_path / home, **variables).platform
    return restore(folder, find_manifest(folder), platform, now=NOW).data_dir


def test_everything_is_as_it_was_on_another_machine(backed_up: Settings, tmp_path: Path) -> None:
    data = put_back(tmp_path)
    before = contents(backed_up.platform.data_dir, "landing", "restatements")
    assert contents(data, "landing", "restatements") == before
    old, new = Lake(backed_up.platform.data_dir / "lake"), Lake(data / "lake")
    for table in day_tables().values():
        assert new.days(table) == old.days(table)
        assert new.days(table)[0] == DAYS[0]
        ids = {day: footer.content_id for day, footer in old.footers(table).items()}
        assert {day: footer.content_id for day, footer in new.footers(table).items()} == ids
    with Ledger.at(data / "ledger.sqlite") as ledger:
        states = ledger.states()
        assert {*states} == {"el-1", "el-2"}
        assert all(state.is_restored for state in states.values())
    assert (tmp_path / "new" / "portfolio.d" / "more.yaml").read_text() == "devices: []\n"
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "data",
        "portfolio.d",
        "portfolio.yaml",
    ]


def test_a_folder_that_holds_data_is_left_as_it_is(backed_up: Settings, tmp_path: Path) -> None:
    before = contents(tmp_path, "home")
    with pytest.raises(BackupError, match="it holds data"):
        restore(
            tmp_path / "backups",
            find_manifest(tmp_path / "backups"),
            backed_up.platform,
            now=NOW,
        )
    assert contents(tmp_path, "home") == before


def test_another_portfolio_is_left_alone(backed_up: Settings, tmp_path: Path) -> None:
    home = tmp_path / "new"
    home.mkdir()
    (home / "portfolio.yaml").write_text("version: 1\nsites: []\n", encoding="utf-8")
    platform = settings_of(home).platform
    found = restore(tmp_path / "backups", find_manifest(tmp_path / "backups"), platform, now=NOW)
    assert found.is_portfolio_aside
    assert (home / "portfolio.yaml").read_text() == "version: 1\nsites: []\n"
    assert found.portfolio is not None
    assert found.portfolio.read_text() == "version: 1\n"
    assert (found.portfolio.parent / "portfolio.d" / "more.yaml").exists()


def test_a_damaged_or_missing_object_is_found_and_named_and_nothing_is_put_in_place(
    backed_up: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "backups"
    taken = take_backup(backed_up, folder)
    (poll,) = (one for one in taken.manifest.files if one.name.endswith("0001.jsonl"))
    path = Objects(folder).path(poll.digest)
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"?")
    (problem,) = verify(folder).problems
    assert poll.digest in problem
    assert "data/landing/skycentrics/gateway/0001.jsonl" in problem
    with pytest.raises(BackupError, match=r"damaged.*0001\.jsonl.*Nothing was put in place"):
        put_back(tmp_path)
    assert not [*(tmp_path / "new").iterdir()]
    given = {"ENERGY_PLATFORM_DATA_DIR": str(tmp_path / "new" / "data")}
    with environment(given):
        assert run(["restore", str(folder), "--verify-only"]) == 1
        assert "1 damaged" in capsys.readouterr().out
        path.unlink()
        assert run(["restore", str(folder), "--verify-only", "--json"]) == 1
        assert "is missing" in capsys.readouterr().out
        # The file is still there as it was: the next backup copies it again.
        assert take_backup(backed_up, folder).new_objects == 1
        assert run(["restore", str(folder), "--verify-only"]) == 0
    assert path.read_bytes() == good


def test_the_backup_of_an_instant_is_found_and_a_changed_manifest_refused(
    backed_up: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    later = take_backup(backed_up, folder, now=lambda: NOW.replace(hour=20))
    assert find_manifest(folder) == later.path
    assert find_manifest(folder, at=NOW) != later.path
    with pytest.raises(BackupError, match="no backup was taken before"):
        find_manifest(folder, at=NOW.replace(hour=1))
    changed = later.path.read_text().replace("0001.jsonl", "0009.jsonl")
    later.path.write_text(changed, encoding="utf-8")
    with pytest.raises(BackupError, match="was changed after it was written"):
        put_back(tmp_path)


def test_a_ledger_in_a_file_is_not_put_where_nobody_reads_it(
    backed_up: Settings, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="used by nobody"):
        put_back(tmp_path, ENERGY_PLATFORM_LEDGER_URL="postgresql://db.example/energy")
    elsewhere = tmp_path / "databases" / "own.sqlite"
    put_back(tmp_path, ENERGY_PLATFORM_LEDGER_URL=f"sqlite:///{elsewhere}")
    with Ledger.at(elsewhere) as ledger:
        assert {*ledger.states()} == {"el-1", "el-2"}
