"""The catalogue on a real PostgreSQL: several processes, lost sessions, lost databases, kills.

Whatever becomes of the server, the footers are the truth and the catalogue is made again from them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from energy_platform.lake.catalogue import CATALOGUE_FILE, Catalogue, CatalogueError, Replacement
from energy_platform.lake.lake import Lake
from energy_platform.lake.point_habits import PointHabits
from energy_platform.settings import PlatformSettings
from energy_platform.sources.coverage import DeviceDay
from energy_platform_tests.databases import (
    POSTGRES,
    create_database,
    drop_database,
    end_sessions,
    postgresql_database,
)
from energy_platform_tests.delivery.postgres import server
from energy_platform_tests.lake.catalogue_writer import DAYS, TABLE, rows
from energy_platform_tests.opened_files import opened_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.lake.lake import Footer

WRITERS: Final = 3
NOW: Final = datetime(2026, 3, 2, 0, 20, tzinfo=UTC)


@pytest.fixture
def url() -> Iterator[str]:
    with postgresql_database("catalogue") as found:
        yield found


@pytest.fixture
def lake(tmp_path: Path, url: str) -> Lake:
    """Three days, their catalogue in PostgreSQL, as the settings name it."""
    settings = PlatformSettings(data_dir=tmp_path / "data", catalogue_url=SecretStr(url))
    lake = Lake.of(settings)
    for number, day in enumerate(DAYS[:3]):
        lake.write(TABLE, rows(float(number)), day=day)
    return lake


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def each_lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    """A lake without days, its catalogue in each database there is."""
    if request.param == "sqlite":
        yield Lake(tmp_path / "data" / "lake")
        return
    with postgresql_database("catalogue") as found:
        yield Lake(tmp_path / "data" / "lake", catalogue_url=SecretStr(found))


def again(lake: Lake) -> Lake:
    """The same lake as another process sees it."""
    return Lake(lake.root, catalogue_url=lake.catalogue_url)


def truth(lake: Lake) -> dict[str, Footer | None]:
    """What the files themselves say."""
    return {day: lake.footer(TABLE, day=day) for day in lake.days(TABLE)}


def changed_days(lake: Lake, version: int) -> list[str]:
    return sorted(one.day for one in lake.changed_since(version).files)


def writer(lake: Lake, number: int = 1, *, killed: str = "") -> subprocess.Popen[bytes]:
    url = "" if lake.catalogue_url is None else lake.catalogue_url.get_secret_value()
    place = "energy_platform_tests.lake.catalogue_writer"
    return subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", place, str(lake.root), url, str(number), killed]
    )


@pytest.mark.postgres
def test_all_that_a_catalogue_knows_stands_in_the_database_that_the_url_names(lake: Lake) -> None:
    assert lake.footers(TABLE) == truth(lake)
    version = lake.version()
    lake.write(TABLE, rows(7.0), day=DAYS[1])
    with opened_parquet(lake.root) as opened:
        assert changed_days(again(lake), version) == [DAYS[1]]
        assert again(lake).changed_since(again(lake).version()).files == ()
    assert opened == []
    device = DeviceDay(
        device="d",
        asked=2,
        answered=1,
        rows=3,
        first_at=NOW,
        last_at=None,
        why_partial="one is silent",
    )
    replaced = Replacement(
        source="socomec",
        day=DAYS[0],
        device="",
        at=NOW,
        operator="somebody",
        reason="stamped anew",
        dropped=1,
        changed=0,
        before_id="a",
        after_id="b",
        kept_in="",
    )
    with Catalogue.of(lake) as catalogue:
        known = catalogue.record(
            source="socomec", day=DAYS[0], state="partial", now=NOW, devices=[device]
        )
        catalogue.note_replacement(replaced)
        catalogue.note_replacement(replaced)
    seen = pl.DataFrame({"point_id": ["p"], "step_s": [900.0], "moved": [True]})
    with PointHabits(lake) as habits:
        for day in (DAYS[1], DAYS[0]):
            habits.learn(day, seen)
            habits.judge(day, {"stuck_values": f"p on {day}"})
    with Catalogue.of(again(lake)) as catalogue:
        assert catalogue.days("socomec") == {DAYS[0]: known}
        assert catalogue.devices("socomec", DAYS[0]) == (device,)
        assert catalogue.partial_since("socomec", "d", day=DAYS[0]) == DAYS[0]
        assert catalogue.replacements() == (replaced,), "noted again is not replaced again"
    with PointHabits(again(lake)) as habits:
        assert habits.read().row(0) == ("p", 900.0, DAYS[1], DAYS[1])
        assert habits.warnings(since=DAYS[1]) == {"stuck_values": {DAYS[1]: f"p on {DAYS[1]}"}}
    assert not list(lake.root.parent.glob(f"{CATALOGUE_FILE}*"))


@pytest.mark.crash
@pytest.mark.parametrize("killed", ["rename", "row"])
def test_killed_between_a_files_rename_and_its_row_a_day_is_found(
    each_lake: Lake, killed: str
) -> None:
    version = each_lake.version()
    process = writer(each_lake, killed=killed)
    assert process.wait(timeout=120) == -signal.SIGKILL
    assert each_lake.days(TABLE) == DAYS[:1], "the file was renamed into place"
    assert changed_days(each_lake, version) == DAYS[:1]
    assert each_lake.footers(TABLE) == truth(each_lake)
    assert each_lake.changed_since(each_lake.version()).files == ()
    # What the dead one held is free.
    each_lake.write(TABLE, rows(1.0), day=DAYS[1])
    assert each_lake.footers(TABLE) == truth(each_lake)


@pytest.mark.crash
def test_who_keeps_a_number_misses_nothing_of_what_several_processes_write_at_once(
    each_lake: Lake,
) -> None:
    processes = [writer(each_lake, number) for number in range(WRITERS)]
    version, seen = 0, dict[str, str]()
    versions = []
    while True:
        is_last = all(one.poll() is not None for one in processes)
        version, files = again(each_lake).changed_since(version)
        versions.append(version)
        seen |= {one.day: one.footer.content_id for one in files if one.footer is not None}
        if is_last:
            break
    assert [one.returncode for one in processes] == [0] * WRITERS
    assert versions == sorted(versions)
    assert seen == {day: footer.content_id for day, footer in truth(each_lake).items() if footer}
    assert list(seen.keys() ^ set(DAYS)) == []


@pytest.mark.postgres
def test_sessions_that_are_ended_again_and_again_cost_nothing(lake: Lake, url: str) -> None:
    stop, ended = threading.Event(), list[int]()

    def end() -> None:
        while not stop.wait(0.05):
            ended.append(end_sessions(url))

    ending = threading.Thread(target=end)
    ending.start()
    try:
        version = lake.version()
        with Catalogue.of(lake) as catalogue:
            for number in range(20):
                lake.write(TABLE, rows(100.0 + number), day=DAYS[number % 3])
                assert lake.footers(TABLE) == truth(lake)
                catalogue.record(
                    source="socomec",
                    day=DAYS[number % 3],
                    state="whole",
                    rows=number,
                    now=NOW + timedelta(minutes=number),
                )
            assert {one.rows for one in catalogue.days("socomec").values()} == {17, 18, 19}
    finally:
        stop.set()
        ending.join()
    assert sum(ended) > 0
    assert changed_days(lake, version) == DAYS[:3]


@pytest.mark.postgres
def test_a_database_that_was_dropped_and_made_again_is_filled_from_the_footers(
    lake: Lake, url: str
) -> None:
    version = lake.version()
    with Catalogue.of(lake) as catalogue, PointHabits(lake) as habits:
        catalogue.record(source="socomec", day=DAYS[0], state="whole", now=NOW)
        drop_database(url)
        create_database(url)
        # Those that have it open, and those that open it.
        for one in (lake, again(lake)):
            assert one.footers(TABLE) == truth(lake)
            assert changed_days(one, version) == DAYS[:3], "who kept a number misses nothing"
        assert catalogue.days("socomec") == {}, "the day is judged again when it is read again"
        judged = catalogue.record(source="socomec", day=DAYS[0], state="whole", now=NOW)
        assert catalogue.days("socomec") == {DAYS[0]: judged}
        assert habits.read().is_empty()
    assert lake.changed_since(lake.version()).files == ()


@pytest.mark.postgres
def test_without_its_database_days_land_and_are_read_and_nothing_is_forgotten(
    lake: Lake, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    version = lake.version()
    drop_database(url)
    lake.write(TABLE, rows(8.0), day=DAYS[0])
    assert lake.footers(TABLE) == truth(lake)
    assert lake.version() != version
    with pytest.raises(CatalogueError, match="ENERGY_PLATFORM_CATALOGUE_URL") as caught:
        lake.changed_since(version)
    with pytest.raises(CatalogueError):
        Catalogue.of(lake)
    assert "cannot be used" in caplog.text
    password = sa.make_url(url).password
    assert password
    assert password not in f"{caught.value} {caplog.text}"
    create_database(url)
    assert changed_days(lake, version) == DAYS[:3]
    assert lake.footers(TABLE) == truth(lake)


@pytest.mark.postgres
def test_a_lake_that_is_gone_or_copied_is_said_as_it_is(lake: Lake, tmp_path: Path) -> None:
    version = lake.version()
    copy = Lake(
        shutil.copytree(lake.root.parent, tmp_path / "copy") / "lake",
        catalogue_url=lake.catalogue_url,
    )
    shutil.rmtree(lake.root.parent)
    assert copy.changed_since(version) == (version, ()), "the same content is no change"
    shutil.rmtree(copy.root)
    assert changed_days(copy, version) == DAYS[:3]
    assert copy.footers(TABLE) == {}


@pytest.mark.postgres
def test_a_server_that_is_stopped_and_started_again_is_waited_for_or_done_without(
    tmp_path: Path,
) -> None:
    if not os.environ.get(POSTGRES):
        pytest.skip(f"{POSTGRES} names no PostgreSQL server")
    with server() as own:
        lake = Lake(tmp_path / "lake", catalogue_url=SecretStr(own.url))
        lake.write(TABLE, rows(1.0), day=DAYS[0])
        version = lake.version()
        own.stop("immediate")
        lake.write(TABLE, rows(2.0), day=DAYS[1])
        assert lake.footers(TABLE) == truth(lake)
        starting = threading.Thread(target=own.start)
        starting.start()
        lake.write(TABLE, rows(3.0), day=DAYS[2])
        starting.join()
        assert changed_days(lake, version) == DAYS[1:3]
        assert lake.footers(TABLE) == truth(lake)


def test_a_url_that_is_none_is_said_without_its_password(tmp_path: Path) -> None:
    for text, said in (
        ("no url s3cr3t", "is not a SQLAlchemy URL"),
        ("mysql://me:s3cr3t@host/name", "neither sqlite nor postgresql"),
    ):
        lake = Lake(tmp_path / "lake", catalogue_url=SecretStr(text))
        with pytest.raises(CatalogueError, match=said) as caught:
            Catalogue.of(lake)
        assert "s3cr3t" not in f"{caught.value} {lake!r}"


def test_a_file_elsewhere_is_used_and_set_aside_there_when_it_is_damaged(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "of-the-lake.sqlite"
    lake = Lake(tmp_path / "data" / "lake", catalogue_url=SecretStr(f"sqlite:///{elsewhere}"))
    lake.write(TABLE, rows(1.0), day=DAYS[0])
    version = lake.version()
    assert elsewhere.exists()
    for path in elsewhere.parent.glob("of-the-lake.sqlite*"):
        path.unlink()
    elsewhere.write_bytes(b"no database " * 1000)
    assert lake.footers(TABLE) == truth(lake)
    assert changed_days(lake, version) == DAYS[:1]
    assert list(elsewhere.parent.glob("of-the-lake.sqlite.damaged-*"))
    assert not list((tmp_path / "data").glob(f"{CATALOGUE_FILE}*"))
