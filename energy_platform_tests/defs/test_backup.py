"""A backup is taken each night where a folder for it is set, and a failed one is a failed run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from energy_platform.backup import BackupError, manifests
from energy_platform.defs.backup import backup
from energy_platform.defs.schedules import build_schedules
from energy_platform.settings import PlatformSettings
from energy_platform_tests.backup.installed import NOW, install
from energy_platform_tests.environment import environment

if TYPE_CHECKING:
    from pathlib import Path


def tick(settings: PlatformSettings) -> dg.ScheduleExecutionData:
    (daily,) = [one for one in build_schedules(settings) if one.name == "backup_daily"]
    with dg.build_schedule_context(scheduled_execution_time=NOW) as context:
        return daily.evaluate_tick(context)


def test_it_is_asked_for_where_a_folder_is_set(tmp_path: Path) -> None:
    assert "ENERGY_PLATFORM_BACKUP_FOLDER" in (tick(PlatformSettings()).skip_message or "")
    assert len(tick(PlatformSettings(backup_folder=tmp_path)).run_requests or []) == 1


def test_the_job_keeps_as_many_as_are_set_and_fails_aloud(tmp_path: Path) -> None:
    install(tmp_path / "home")
    folder = tmp_path / "backups"
    given = {
        "ENERGY_PLATFORM_DATA_DIR": str(tmp_path / "home" / "data"),
        "ENERGY_PLATFORM_PORTFOLIO": str(tmp_path / "home" / "portfolio.yaml"),
        "ENERGY_PLATFORM_BACKUP_FOLDER": str(folder),
        "ENERGY_PLATFORM_BACKUP_KEEP": "2",
    }
    with environment(given):
        for _ in range(3):
            assert backup.execute_in_process().success
        assert len(manifests(folder)) == 2
        folder.rename(tmp_path / "gone")
        folder.write_text("where the other machine's folder was", encoding="utf-8")
        with pytest.raises(BackupError, match="cannot be written"):
            backup.execute_in_process()
