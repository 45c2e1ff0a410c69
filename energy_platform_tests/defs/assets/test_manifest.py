"""The dbt project as Dagster's assets: what dbt parsed is what lies in the folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import dagster as dg
import pytest

from energy_platform.defs.assets.marts import build_mart_assets
from energy_platform.settings import PlatformSettings, SettingsError

PROJECT = Path(__file__).parents[3] / "dbt_models"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, parsed after its last change."""
    folder = tmp_path / "dbt_models"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("logs"))
    manifest = folder / "target" / "manifest.json"
    shutil.copy(PROJECT / "target" / "manifest.json", manifest)
    parsed_at = manifest.stat().st_mtime
    for path in folder.rglob("*"):
        if path != manifest:
            os.utime(path, (parsed_at - 1, parsed_at - 1))
    return folder


def test_models_changed_since_dbt_parsed_them_are_refused_with_what_to_do(project: Path) -> None:
    settings = PlatformSettings(dbt_project_dir=project)
    keys = {
        key
        for one in build_mart_assets(settings)
        for key in (one.keys if isinstance(one, dg.AssetsDefinition) else [one.key])
    }
    assert dg.AssetKey("dim_point") in keys
    (project / "models" / "dimensions" / "dim_point.sql").write_text("select 1 as point_id\n")
    with pytest.raises(SettingsError) as refused:
        build_mart_assets(settings)
    assert str(refused.value).endswith(
        "manifest.json is older than models/dimensions/dim_point.sql: the code was changed or "
        "upgraded; parse the dbt project again with `make setup`"
    )


def test_a_project_that_was_never_parsed_is_refused_with_what_to_do(project: Path) -> None:
    (project / "target" / "manifest.json").unlink()
    with pytest.raises(SettingsError, match="does not exist; parse the dbt project with `make se"):
        build_mart_assets(PlatformSettings(dbt_project_dir=project))
