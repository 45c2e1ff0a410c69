"""A catalogue by URL belongs to one lake: a second one, or a copy of the first, is refused."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from energy_platform.doctor.running import check_database
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.catalogue_database import ForeignCatalogueError
from energy_platform.lake.lake import Lake
from energy_platform_tests.lake.test_day_files import DAYS, TABLE, changed_days, rows

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.doctor.check_result import CheckResult


@pytest.fixture
def url(tmp_path: Path) -> SecretStr:
    return SecretStr(f"sqlite:///{tmp_path / 'elsewhere' / 'catalogue.sqlite'}")


@pytest.fixture
def first(tmp_path: Path, url: SecretStr) -> Lake:
    """A lake with a day in its catalogue."""
    lake = Lake(tmp_path / "first" / "lake", catalogue_url=url)
    lake.write(TABLE, rows(1.0), day=DAYS[0])
    assert changed_days(lake, 0) == [DAYS[0]]
    return lake


def doctor(lake: Lake) -> CheckResult:
    return check_database("catalogue", lake.catalogue_url, data_dir=lake.root.parent)


def test_a_second_lake_is_refused_and_the_first_goes_on(
    first: Lake, tmp_path: Path, url: SecretStr
) -> None:
    second = Lake(tmp_path / "second" / "lake", catalogue_url=url)
    version = first.version()
    for ask in (second.version, lambda: second.changed_since(0), lambda: Catalogue.of(second)):
        with pytest.raises(
            ForeignCatalogueError, match=r"belongs to the lake of .*first"
        ) as caught:
            ask()
        assert "ENERGY_PLATFORM_CATALOGUE_URL" in str(caught.value)
    assert doctor(second).level == "fail"
    assert "first" in doctor(second).message
    assert first.version() == version
    assert doctor(first).level == "ok"


def test_days_of_a_refused_lake_still_land(first: Lake, tmp_path: Path, url: SecretStr) -> None:
    second = Lake(tmp_path / "second" / "lake", catalogue_url=url)
    second.write(TABLE, rows(2.0), day=DAYS[1])
    assert second.read(TABLE, day=DAYS[1]).equals(rows(2.0))
    assert changed_days(first, 0) == [DAYS[0]]
    own = Lake(second.root)
    assert changed_days(own, 0) == [DAYS[1]]


def test_a_moved_folder_keeps_its_catalogue(first: Lake, tmp_path: Path, url: SecretStr) -> None:
    version = first.version()
    shutil.move(tmp_path / "first", tmp_path / "moved")
    moved = Lake(tmp_path / "moved" / "lake", catalogue_url=url)
    assert changed_days(moved, version) == []
    assert doctor(moved).level == "ok"


def test_a_copied_folder_is_refused_while_the_first_is_there(
    first: Lake, tmp_path: Path, url: SecretStr
) -> None:
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    copy = Lake(tmp_path / "copy" / "lake", catalogue_url=url)
    with pytest.raises(ForeignCatalogueError, match=r"copy is a copy of .*first"):
        copy.version()
    assert "is a copy" in doctor(copy).message
    assert changed_days(first, 0) == [DAYS[0]]


def test_a_folder_restored_without_its_identifier_says_what_to_write(
    first: Lake, tmp_path: Path, url: SecretStr
) -> None:
    identifier = (tmp_path / "first" / "lake.id").read_text().strip()
    (tmp_path / "first" / "lake.id").unlink()
    again = Lake(first.root, catalogue_url=url)
    with pytest.raises(ForeignCatalogueError, match=rf"write {identifier} into .*lake\.id"):
        again.version()
    (tmp_path / "first" / "lake.id").write_text(identifier)
    assert changed_days(again, 0) == [DAYS[0]]


def test_a_catalogue_made_again_is_the_same_lakes(
    first: Lake, tmp_path: Path, url: SecretStr
) -> None:
    identifier = (tmp_path / "first" / "lake.id").read_text()
    shutil.rmtree(tmp_path / "elsewhere")
    again = Lake(first.root, catalogue_url=url)
    assert changed_days(again, 0) == [DAYS[0]]
    assert (tmp_path / "first" / "lake.id").read_text() == identifier


def test_a_catalogue_in_the_data_folder_needs_no_identifier(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "data" / "lake")
    lake.write(TABLE, rows(1.0), day=DAYS[0])
    assert lake.version()
    assert not (tmp_path / "data" / "lake.id").exists()
