"""The Dagster instance and the data folder's owner."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from energy_platform.installation.instance import (
    ForeignInstanceError,
    InstanceInUseError,
    instance_environment,
    only_ui,
    render_instance,
    require_own_instance,
    working_directory,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    kept = dict(os.environ)
    for name in ("DAGSTER_HOME", "ENERGY_PLATFORM_INSTANCE", "ENERGY_PLATFORM_HOME"):
        monkeypatch.delenv(name, raising=False)
    yield
    os.environ.clear()
    os.environ.update(kept)


def test_dagster_accepts_the_rendered_instance_and_it_calls_nobody(tmp_path: Path) -> None:
    home = render_instance(tmp_path / "dagster")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.run_monitoring_enabled
        assert str(tmp_path) in instance.storage_directory()


def test_rendering_again_repairs_an_edited_file(tmp_path: Path) -> None:
    home = render_instance(tmp_path / "dagster")
    good = (home / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    render_instance(home)
    assert (home / "dagster.yaml").read_text() == good


def test_two_uis_on_one_home_are_refused_and_the_next_one_may_start(tmp_path: Path) -> None:
    home = render_instance(tmp_path / "dagster")
    with only_ui(home), pytest.raises(InstanceInUseError, match="already runs"), only_ui(home):
        pass
    with only_ui(home):
        pass


def test_dagster_takes_nothing_from_an_env_file_in_its_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("WATTICS_PASSWORD=of-the-file\n", encoding="utf-8")
    (tmp_path / "dagster").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WATTICS_PASSWORD", "of-the-environment")
    monkeypatch.setenv("DAGSTER_PROJECT_ENV_FILE_PATHS", '{"energy_platform": "."}')
    home = render_instance(tmp_path / "dagster")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.inject_env_vars("energy_platform")
    assert os.environ["WATTICS_PASSWORD"] == "of-the-environment"


def test_dagsters_commands_read_the_environment_of_who_started_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each of Dagster's commands reads the .env of its working directory, whatever the instance.
    (tmp_path / ".env").write_text(
        "WATTICS_USERNAME=of-the-file\nWATTICS_PASSWORD=of-the-file\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WATTICS_PASSWORD", "of-the-environment")
    home = render_instance(tmp_path / "data" / "dagster")
    code = (
        "from dagster._cli.utils import get_instance_for_cli\n"
        "from energy_platform.destinations.wattics import WatticsSettings\n"
        "with get_instance_for_cli():\n"
        "    settings = WatticsSettings()\n"
        "    print(settings.username, settings.password.get_secret_value())\n"
    )
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code],
        cwd=working_directory(home),
        env=instance_environment(home),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == ["of-the-file", "of-the-environment"]


def test_an_env_file_in_the_working_directory_of_dagster_is_refused(tmp_path: Path) -> None:
    home = render_instance(tmp_path / "dagster")
    (working_directory(home) / ".env").touch()
    with pytest.raises(ForeignInstanceError, match="remove it"):
        working_directory(home)


def test_a_dagster_users_own_instance_is_refused_with_what_to_type_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "own"))
    with pytest.raises(ForeignInstanceError, match="energy-platform ui"):
        require_own_instance(tmp_path / "data")


def test_an_instance_of_another_data_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render_instance(tmp_path / "data" / "dagster")
    require_own_instance(tmp_path / "data")
    with pytest.raises(ForeignInstanceError, match="start `energy-platform ui` again"):
        require_own_instance(tmp_path / "live")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "own"))
    with pytest.raises(ForeignInstanceError, match="own"):
        require_own_instance(tmp_path / "data")


def test_dagsters_own_validation_may_load_the_definitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_IS_DEFS_VALIDATION_CLI", "1")
    require_own_instance(tmp_path / "data")
