"""The catalogue of day files: whatever happened to a file, the next look knows it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest

from energy_platform.lake.catalogue import CATALOGUE_FILE, Catalogue
from energy_platform.lake.catalogue_database import damaged_catalogues
from energy_platform.lake.day_files import DayFiles
from energy_platform.lake.lake import FINGERPRINT, Lake, LakeError
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_REGISTER_REJECTS
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_SITES
from energy_platform_tests.opened_files import opened_parquet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from energy_platform.lake.day_files import Key
    from energy_platform.lake.lake import Footer

TABLE = CORE_REGISTER_REJECTS
DAYS = ["2026-03-01", "2026-03-02", "2026-03-03"]
META = {
    "closed": "true",
    "complete_until": "2026-03-02T00:00:00+00:00",
    FINGERPRINT: '{"rules":"1"}',
}


class PowerCut(BaseException):
    """The machine is gone."""


def rows(value: float) -> pl.DataFrame:
    row = {"point_id": ["p"], "at": ["2026-03-01T12:00:00Z"], "value_wh": [value]}
    frame = pl.DataFrame(row).with_columns(pl.col("at").str.to_datetime(time_zone="UTC"))
    missing = [name for name in TABLE.schema if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None).alias(name) for name in missing)
    return frame.select(pl.col(name).cast(dtype) for name, dtype in TABLE.schema.items())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "data" / "lake")
    for n, day in enumerate(DAYS):
        lake.write(TABLE, rows(float(n)), day=day, meta=META)
    return lake


def catalogue_of(lake: Lake) -> Path:
    return lake.root.parent / CATALOGUE_FILE


def changed_days(lake: Lake, version: int) -> list[str]:
    return sorted(one.day for one in lake.changed_since(version).files)


def truth(lake: Lake) -> dict[str, Footer | None]:
    """What the files themselves say."""
    return {day: lake.footer(TABLE, day=day) for day in lake.days(TABLE)}


def test_what_was_written_is_listed_as_its_footer_says_it(lake: Lake) -> None:
    assert lake.footers(TABLE) == truth(lake)
    assert lake.footers(TABLE)[DAYS[0]].meta == META
    assert [one.day for one in lake.day_files(TABLE, since=DAYS[1])] == DAYS[1:]


def test_a_version_names_what_changed_after_it_and_nothing_twice(lake: Lake) -> None:
    version, files = lake.changed_since(0)
    assert [one.day for one in files] == DAYS
    assert lake.changed_since(version) == (version, ())
    lake.write(TABLE, rows(7.0), day=DAYS[1], meta=META)
    assert changed_days(lake, version) == [DAYS[1]]
    version = lake.version()
    assert not lake.write(TABLE, rows(7.0), day=DAYS[1], meta=META).written
    assert lake.version() == version
    lake.write(TABLE, rows(7.0), day=DAYS[1], meta=META | {"closed": "false"})
    assert changed_days(lake, version) == [DAYS[1]]


def test_a_look_at_a_lake_that_did_not_change_opens_no_file(lake: Lake) -> None:
    with opened_parquet(lake.root) as opened:
        version = Lake(lake.root).version()
        assert Lake(lake.root).changed_since(version).files == ()
        assert len(Lake(lake.root).footers(TABLE)) == len(DAYS)
    assert opened == []
    path = lake.path(TABLE, day=DAYS[1])
    os.utime(path, ns=(0, 0))
    with opened_parquet(lake.root) as opened:
        assert lake.changed_since(version).files == (), "the same content is no change"
    assert set(opened) == {path}


def test_a_table_of_one_file_is_listed_too(lake: Lake) -> None:
    version = lake.version()
    lake.write(RAW_SOCOMEC_SITES, RAW_SOCOMEC_SITES.empty())
    (found,) = lake.changed_since(version).files
    assert (found.table, found.day) == (RAW_SOCOMEC_SITES.name, "")


def remove(lake: Lake) -> None:
    lake.path(TABLE, day=DAYS[1]).unlink()


def remove_folder(lake: Lake) -> None:
    shutil.rmtree(lake.path(TABLE, day=DAYS[1]).parent)


def replace_by_another(lake: Lake) -> None:
    shutil.copy2(lake.path(TABLE, day=DAYS[0]), lake.path(TABLE, day=DAYS[1]))


def damage(lake: Lake) -> None:
    path = lake.path(TABLE, day=DAYS[1])
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize("by_hand", [remove, remove_folder, replace_by_another, damage])
def test_what_was_done_to_a_file_by_hand_is_found(
    lake: Lake, by_hand: Callable[[Lake], None]
) -> None:
    before, version = truth(lake), lake.version()
    copy = lake.path(TABLE, day=DAYS[1]).read_bytes()
    by_hand(lake)
    (found,) = lake.changed_since(version).files
    assert found.day == DAYS[1]
    if by_hand is damage:
        assert "run its day again" in found.damage
        with pytest.raises(LakeError, match="run its day again"):
            lake.footers(TABLE)
    else:
        assert lake.footers(TABLE) == truth(lake)
        assert lake.footers(TABLE) != before
    version = lake.version()
    path = lake.path(TABLE, day=DAYS[1])
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(copy)
    assert changed_days(lake, version) == [DAYS[1]]
    assert lake.footers(TABLE) == before


def test_a_file_put_by_hand_is_found(lake: Lake) -> None:
    version = lake.version()
    path = lake.path(TABLE, day="2026-03-04")
    path.parent.mkdir()
    shutil.copy2(lake.path(TABLE, day=DAYS[0]), path)
    assert changed_days(lake, version) == ["2026-03-04"]


def test_killed_between_rename_and_row_a_day_is_found(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = lake.version()

    def cut(self: DayFiles, table: str, day: str) -> None:
        raise PowerCut

    with monkeypatch.context() as patched:
        patched.setattr(DayFiles, "note", cut)
        with pytest.raises(PowerCut):
            lake.write(TABLE, rows(9.0), day=DAYS[2], meta=META)
    assert changed_days(Lake(lake.root), version) == [DAYS[2]]
    assert lake.footers(TABLE) == truth(lake)


def test_a_row_never_says_more_than_the_file_that_replaced_it_meanwhile(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process reads a footer, another renames a new file into place and notes it first."""
    version = lake.version()
    os.utime(lake.path(TABLE, day=DAYS[0]), ns=(0, 0))
    slow, look = Lake(lake.root), DayFiles._look  # noqa: SLF001

    def overtaken(self: DayFiles, key: Key) -> object:
        answer = look(self, key)
        with monkeypatch.context() as undisturbed:
            undisturbed.setattr(DayFiles, "_look", look)
            lake.write(TABLE, rows(5.0), day=DAYS[0], meta=META)
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(DayFiles, "_look", overtaken)
        slow.version()
    newer = lake.footer(TABLE, day=DAYS[0])
    assert newer is not None
    with closing(sqlite3.connect(catalogue_of(lake))) as database:
        query = "select content_id from day_files where day = ?"
        assert database.execute(query, [DAYS[0]]).fetchone() == (newer.content_id,)
    (found,) = lake.changed_since(version).files
    assert found.footer == newer


def lose(lake: Lake) -> None:
    for path in lake.root.parent.glob(f"{CATALOGUE_FILE}*"):
        path.unlink()


def fill_with_noise(lake: Lake) -> None:
    lose(lake)
    catalogue_of(lake).write_bytes(b"no database " * 1000)


def damage_pages(lake: Lake) -> None:
    """Leave the first page, so that it opens, and no sound page after it."""
    path = catalogue_of(lake)
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma wal_checkpoint(truncate)")
    content = path.read_bytes()
    lose(lake)
    path.write_bytes(content[:4096].ljust(len(content), b"x"))


@pytest.mark.parametrize("happens", [lose, fill_with_noise, damage_pages])
def test_a_lost_or_damaged_catalogue_is_made_again_from_the_footers(
    lake: Lake, happens: Callable[[Lake], None]
) -> None:
    before, version = lake.footers(TABLE), lake.version()
    happens(lake)
    assert lake.footers(TABLE) == before
    assert lake.version() > version
    assert changed_days(lake, version) == DAYS, "who kept a number of the old one misses nothing"
    asides = damaged_catalogues(lake.root.parent)
    assert len(asides) == (happens is not lose)


def test_a_number_of_a_newer_catalogue_misses_nothing(lake: Lake) -> None:
    assert changed_days(lake, lake.version() + 1) == DAYS


def test_an_older_catalogue_put_back_misses_nothing(lake: Lake, tmp_path: Path) -> None:
    with Catalogue(lake.root.parent):
        pass
    backup = tmp_path / "backup"
    shutil.copytree(lake.root.parent, backup)
    lake.write(TABLE, rows(8.0), day=DAYS[0], meta=META)
    seen = lake.version()
    lake.write(TABLE, rows(9.0), day=DAYS[1], meta=META)
    lose(lake)
    for path in backup.glob(f"{CATALOGUE_FILE}*"):
        shutil.copy2(path, lake.root.parent / path.name)
    assert set(changed_days(lake, seen)) >= {DAYS[1]}
    assert lake.footers(TABLE) == truth(lake)


def test_a_catalogue_from_before_is_taken_over_with_what_it_knows_of_days(lake: Lake) -> None:
    with Catalogue(lake.root.parent) as catalogue:
        known = catalogue.record(
            source="socomec", day=DAYS[0], state="failed", now=datetime(2026, 3, 2, tzinfo=UTC)
        )
    with closing(sqlite3.connect(catalogue_of(lake))) as database:
        database.executescript("drop table day_files; drop table lake_version")
    again = Lake(lake.root)
    assert again.footers(TABLE) == truth(lake)
    assert changed_days(again, 0) == DAYS
    with Catalogue(lake.root.parent) as catalogue:
        assert catalogue.days("socomec") == {DAYS[0]: known}


def test_a_copied_folder_has_the_same_version(lake: Lake, tmp_path: Path) -> None:
    version = lake.version()
    copy = shutil.copytree(lake.root.parent, tmp_path / "copy")
    assert Lake(copy / "lake").changed_since(version) == (version, ())
    assert Lake(copy / "lake").footers(TABLE) == truth(lake)


def test_a_catalogue_that_cannot_be_used_keeps_no_day_from_landing_nor_from_being_read(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    before = lake.version()
    lose(lake)
    catalogue_of(lake).mkdir()
    lake.write(TABLE, rows(6.0), day="2026-03-04", meta=META)
    assert lake.footers(TABLE) == truth(lake)
    assert lake.version() != before
    assert "cannot be used" in caplog.text


def test_a_lake_that_is_gone_is_said_to_be_gone(lake: Lake) -> None:
    version = lake.version()
    shutil.rmtree(lake.root)
    assert changed_days(lake, version) == DAYS
    assert lake.footers(TABLE) == {}


def test_a_lake_that_nobody_has_any_more_leaves_one_closed_file(tmp_path: Path) -> None:
    Lake(tmp_path / "lake").write(TABLE, rows(1.0), day=DAYS[0], meta=META)
    assert sorted(one.name for one in tmp_path.iterdir()) == [CATALOGUE_FILE, "lake"]


def test_looking_at_nothing_makes_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "data" / "lake")
    assert (lake.version(), lake.footers(TABLE)) == (0, {})
    assert lake.changed_since(0).files == ()
    assert not list(tmp_path.iterdir())


def test_a_file_says_whether_it_may_have_refused_energy(lake: Lake) -> None:
    columns = CORE_ENERGY_DELTAS.schema
    for day, refused in zip(DAYS, ([0.0, None], [None], [0.0, -3.0]), strict=True):
        frame = pl.DataFrame({"refused_wh": refused}, schema={"refused_wh": pl.Float64})
        frame = frame.with_columns(
            pl.lit(None, dtype).alias(name)
            for name, dtype in columns.items()
            if name not in frame.columns
        )
        lake.write(CORE_ENERGY_DELTAS, frame.select(columns.names()), day=day)
    found = {one.day: one.has_refused for one in lake.day_files(CORE_ENERGY_DELTAS)}
    assert found == {DAYS[0]: False, DAYS[1]: False, DAYS[2]: True}
    assert lake.day_files(TABLE)[0].has_refused is None


def test_a_catalogue_of_another_shape_is_made_again_and_misses_nothing(lake: Lake) -> None:
    version = lake.version()
    with closing(sqlite3.connect(catalogue_of(lake))) as database:
        database.execute("alter table day_files drop column has_refused")
    again = Lake(lake.root)
    assert again.footers(TABLE) == truth(lake)
    assert changed_days(again, version) == DAYS


def test_rows_that_stay_keep_their_version_when_a_file_was_made_of_something_else(
    lake: Lake,
) -> None:
    (first,) = (one for one in lake.day_files(TABLE) if one.day == DAYS[0])
    lake.write(TABLE, rows(0.0), day=DAYS[0], meta=META | {FINGERPRINT: '{"rules":"2"}'})
    (then,) = (one for one in lake.day_files(TABLE) if one.day == DAYS[0])
    assert then.version > first.version
    assert then.rows_version == first.rows_version
    lake.write(TABLE, rows(3.0), day=DAYS[0], meta=META)
    (last,) = (one for one in lake.day_files(TABLE) if one.day == DAYS[0])
    assert last.rows_version == last.version > then.version
