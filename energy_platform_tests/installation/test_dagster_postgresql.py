"""Dagster's records on a real PostgreSQL: a command's run, whose they are, and no secret left."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from energy_platform.defs.runner import open_runner
from energy_platform.delivery import Ledger
from energy_platform.doctor.running import check_dagster_database, check_runs
from energy_platform.installation.dagster_database import (
    DagsterDatabaseError,
    claim_dagster_database,
)
from energy_platform.installation.dagster_owner import INSTANCE_ID_FILE
from energy_platform.installation.troubled_runs import troubled_runs
from energy_platform_tests.databases import dagster_records, drop_database, postgresql_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretStr]:
    """An empty database that an env file names, and the environment does not."""
    with dagster_records("postgresql", monkeypatch) as found:
        assert found is not None
        monkeypatch.delenv("ENERGY_PLATFORM_DAGSTER_URL")
        (tmp_path / "settings.env").write_text(
            f"ENERGY_PLATFORM_DAGSTER_URL='{found.get_secret_value()}'\n", encoding="utf-8"
        )
        (tmp_path / "settings.env").chmod(0o600)
        monkeypatch.setenv("ENERGY_PLATFORM_ENV_FILE", str(tmp_path / "settings.env"))
        monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
        monkeypatch.setenv("ENERGY_PLATFORM_INSTANCE", str(tmp_path))
        yield found


def rows(url: SecretStr, table: str) -> int:
    engine = sa.create_engine(
        sa.make_url(url.get_secret_value()).set(drivername="postgresql+psycopg")
    )
    try:
        with engine.connect() as connection:
            return int(connection.scalar(sa.text(f"select count(*) from {table}")) or 0)
    finally:
        engine.dispose()


def test_a_commands_run_is_recorded_there_in_utc_and_its_password_nowhere(
    url: SecretStr, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "data" / "dagster"
    assert check_runs(home, url=url, now=datetime.now(tz=UTC))[0].level == "ok"
    with open_runner(home) as runner:
        report = runner.run("housekeeping")
        assert report.success, report.errors
        (record,) = runner.instance.get_run_records(filters=dg.RunsFilter(job_name="housekeeping"))
        assert "password" not in runner.instance.info_str().lower()
    # The server's own zone is another one.
    assert abs(record.create_timestamp - datetime.now(tz=UTC)) < timedelta(minutes=10)
    assert abs(record.update_timestamp - datetime.now(tz=UTC)) < timedelta(minutes=10)
    assert rows(url, "runs") == 1
    assert rows(url, "event_logs") > 3
    assert not (home / "storage").exists()
    assert troubled_runs(home, url=url, now=datetime.now(tz=UTC)) == []
    password = sa.make_url(url.get_secret_value()).password
    assert password
    said = capfd.readouterr()
    assert password not in said.out + said.err
    assert "ENERGY_PLATFORM_DAGSTER_URL" not in os.environ
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if password.encode() in path.read_bytes()] == []


def test_another_installation_is_refused_and_the_first_goes_on(
    url: SecretStr, tmp_path: Path
) -> None:
    first, second, copy = (tmp_path / name for name in ("first", "second", "copy"))
    claim_dagster_database(url, home=first)
    with pytest.raises(DagsterDatabaseError, match=r"belongs to the installation of .*first"):
        claim_dagster_database(url, home=second)
    shutil.copytree(first, copy)
    with pytest.raises(DagsterDatabaseError, match=r"first, of which .*copy is a copy"):
        claim_dagster_database(url, home=copy)
    for home in (second, copy):
        assert check_dagster_database(url, home=home).level == "fail"
        (finding,) = check_runs(home, url=url, now=datetime.now(tz=UTC))
        assert "belongs to the installation" in finding.message
    claim_dagster_database(url, home=first)
    # Moved: the id went along.
    shutil.rmtree(copy)
    first.rename(copy)
    claim_dagster_database(url, home=copy)
    assert check_dagster_database(url, home=copy).level == "ok"
    # Restored without it: the sentence says what to write.
    own = (copy / INSTANCE_ID_FILE).read_text().strip()
    shutil.rmtree(copy)
    with pytest.raises(DagsterDatabaseError, match=f"restored, write {own} into"):
        claim_dagster_database(url, home=copy)
    copy.mkdir()
    (copy / INSTANCE_ID_FILE).write_text(own)
    claim_dagster_database(url, home=copy)


def test_a_database_with_the_ledgers_tables_is_refused(tmp_path: Path) -> None:
    with postgresql_database("ledger") as found:
        with Ledger(found):
            pass
        with pytest.raises(DagsterDatabaseError, match="CREATE DATABASE dagster"):
            claim_dagster_database(SecretStr(found), home=tmp_path)


def test_a_database_that_is_not_there_is_named_by_its_setting(
    url: SecretStr, tmp_path: Path
) -> None:
    drop_database(url.get_secret_value())
    with pytest.raises(
        DagsterDatabaseError, match=r"check ENERGY_PLATFORM_DAGSTER_URL.*does not exist"
    ):
        claim_dagster_database(url, home=tmp_path)
    found = check_dagster_database(url, home=tmp_path)
    assert found.level == "fail"
