"""An installed package's dbt project is copied and parsed where runs may write, once a version."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from energy_platform.warehouse import WarehouseError, dbt_project
from energy_platform.warehouse.dbt_project import folder_of, manifest_of, usable_project

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2] / "dbt_models"


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project as an installed package has it: not parsed, and not to be written."""
    folder = tmp_path / "site-packages" / "energy_platform" / "dbt_models"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("target", "logs"))
    monkeypatch.setattr(dbt_project, "PACKAGED", folder)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def test_it_is_parsed_once_in_the_data_folder(packaged: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    folder = usable_project(packaged, data_dir=data)
    assert folder == folder_of(packaged, data_dir=data) == data / "dbt_models"
    parsed_at = manifest_of(folder).stat().st_mtime_ns
    assert usable_project(packaged, data_dir=data) == folder
    assert manifest_of(folder).stat().st_mtime_ns == parsed_at
    assert not (packaged / "target").exists()


def test_another_version_is_copied_and_parsed_again(packaged: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    folder = usable_project(packaged, data_dir=data)
    left_over = folder / "models" / "removed_since.sql"
    left_over.write_text("select 1 as one\n")
    model = packaged / "models" / "dimensions" / "dim_site.sql"
    model.write_text(model.read_text() + "-- another version\n")
    usable_project(packaged, data_dir=data)
    assert "another version" in manifest_of(folder).read_text()
    assert not left_over.exists()


def test_one_that_dbt_cannot_parse_is_said_and_tried_again(packaged: Path, tmp_path: Path) -> None:
    model = packaged / "models" / "dimensions" / "dim_site.sql"
    good = model.read_text()
    model.write_text("select {% if %}\n")
    with pytest.raises(WarehouseError, match=r"cannot be parsed: .*dim_site"):
        usable_project(packaged, data_dir=tmp_path / "data")
    model.write_text(good)
    assert manifest_of(usable_project(packaged, data_dir=tmp_path / "data")).exists()
