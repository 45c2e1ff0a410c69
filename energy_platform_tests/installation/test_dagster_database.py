"""A database of Dagster's records that cannot be used is refused in one sentence, secrets kept."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from dagster_postgres.utils import DagsterPostgresException, retry_pg_connection_fn
from pydantic import SecretStr

from energy_platform.cli.failures import USAGE, ending_of
from energy_platform.doctor.running import check_dagster_database
from energy_platform.installation.dagster_database import storage_url
from energy_platform.installation.instance import render_instance
from energy_platform.settings import PlatformSettings, SettingsError
from energy_platform_tests.cli.test_app import typed

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "of-the-records"
SETTING = "ENERGY_PLATFORM_DAGSTER_URL"


@pytest.fixture
def away() -> str:
    """The URL of a server that is not there."""
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        port = found.getsockname()[1]
    return f"postgresql://mia:{PASSWORD}@127.0.0.1:{port}/dagster"


@pytest.mark.parametrize(
    "url",
    [
        f"sqlite:///{PASSWORD}.sqlite",
        f"mysql://mia:{PASSWORD}@h/d",
        f"{PASSWORD}@h/d",
        f"postgresql://mia@h:{PASSWORD}/d",
    ],
)
def test_what_names_no_postgresql_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(SettingsError, match="postgresql://user@host/name") as refused:
        PlatformSettings(dagster_url=SecretStr(url))
    assert SETTING in str(refused.value)
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    "ledger", ["postgresql://h/one", "postgresql+psycopg://ann@h:5432/one?sslmode=require"]
)
def test_the_ledgers_own_database_is_refused(ledger: str) -> None:
    with pytest.raises(SettingsError, match=f"{SETTING}: names the database of"):
        PlatformSettings(
            dagster_url=SecretStr(f"postgresql://mia:{PASSWORD}@h/one"),
            ledger_url=SecretStr(ledger),
        )
    other = SecretStr("postgresql://h/two")
    assert PlatformSettings(dagster_url=other, ledger_url=SecretStr(ledger)).dagster_url == other


def test_dagster_speaks_utc_through_its_own_driver_and_keeps_what_the_url_says() -> None:
    given = "postgresql+psycopg://mia:p%40ss@h/d?options=-c%20search_path%3Dx&connect_timeout=9"
    made = sa.make_url(storage_url(SecretStr(given)))
    assert (made.get_driver_name(), made.password) == ("psycopg2", "p@ss")
    assert made.query["options"] == "-c search_path=x -c TimeZone=UTC"
    assert made.query["connect_timeout"] == "9"


def test_the_instance_says_which_kind_and_holds_no_url(tmp_path: Path, away: str) -> None:
    home = tmp_path / "dagster"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        patch.setenv("ENERGY_PLATFORM_INSTANCE", str(home))
        render_instance(home, url=SecretStr(away))
        text = (home / "dagster.yaml").read_text()
        assert "SettingsPostgresStorage" in text
        assert "postgresql:" not in text
        assert PASSWORD not in text
        render_instance(home)
        assert "sqlite" in (home / "dagster.yaml").read_text()


def test_doctor_names_the_setting_and_what_to_do(tmp_path: Path, away: str) -> None:
    found = check_dagster_database(SecretStr(away), home=tmp_path)
    assert found.level == "fail"
    assert f"check {SETTING} and that the server runs" in found.message
    assert PASSWORD not in found.message
    assert check_dagster_database(None, home=tmp_path).level == "ok"


def test_a_server_that_goes_away_under_a_command_is_not_taken_for_the_ledgers(away: str) -> None:
    engine = sa.create_engine(storage_url(SecretStr(away)))
    with pytest.raises(DagsterPostgresException) as left:
        retry_pg_connection_fn(engine.connect, retry_limit=0)
    ending = ending_of(left.value)
    assert ending.code == USAGE
    assert f"check {SETTING} and that the server runs" in ending.message
    assert PASSWORD not in ending.message


def test_the_ui_does_not_start_and_says_why_in_one_sentence(tmp_path: Path, away: str) -> None:
    (tmp_path / ".env").write_text(f"{SETTING}={away}\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    (tmp_path / "portfolio.yaml").write_text(
        "version: 1\nsites: [{id: paris, name: Paris, timezone: Europe/Paris}]\ndevices: []\n",
        encoding="utf-8",
    )
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        port = str(found.getsockname()[1])
    said = typed("ui", "--live", "--port", port, folder=tmp_path)
    assert said.returncode == 2
    assert f"check {SETTING} and that the server runs" in said.stderr
    status = typed("status", folder=tmp_path)
    assert f"check {SETTING}" in status.stdout + status.stderr
    for one in (said, status):
        assert "Traceback" not in one.stderr
        assert PASSWORD not in one.stdout + one.stderr
    left = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert not [path for path in left if PASSWORD.encode() in path.read_bytes()]
