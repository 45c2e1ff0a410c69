"""``energy-platform sql`` answers from one database, reads nothing else, writes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest

from energy_platform.cli import app
from energy_platform.lake.lake import Lake
from energy_platform.schemas import CORE_READINGS

if TYPE_CHECKING:
    from pathlib import Path

FORBIDDEN = (
    "copy (select 1) to '{}/ledger.sqlite'",
    "copy (select 1) to '{}/lake/part.parquet' (format parquet)",
    "copy (select 1) to '{}/lake/core_readings/day=2026-01-01/part.parquet'",
    "explain analyze copy (select 1) to '{}/lake/x.csv'",
    "explain (analyze, format json) copy (select 1) to '{}/lake/x.csv'",
    "export database '{}/lake/x'",
    "attach '{}/new.duckdb' as n",
    "attach '{}/lake/new.duckdb' as n",
    "select * from read_csv('/etc/passwd', header=false, sep='|')",
    "select * from read_text('{}/ledger.sqlite')",
    "select * from read_blob('{}/lake/../ledger.sqlite')",
    "select * from '{}/ledger.sqlite'",
    "select * from glob('/etc/*')",
    "install httpfs",
    "load httpfs",
    "force install httpfs from community",
    "select * from read_parquet('https://example.com/x.parquet')",
    "set enable_external_access = true",
    "reset enable_external_access",
    "set lock_configuration = false",
    "pragma enable_external_access = true",
    "set allowed_directories = ['/']",
    "create secret s (type s3, key_id 'a', secret 'b')",
    "create persistent secret s (type http)",
    "select 1; copy (select 1) to '{}/ledger.sqlite'",
    "drop table if exists t",
    "insert into t values (1)",
    "create table u as select 1",
    "checkpoint",
    "use main",
    "select * from frame",
    "select * from data_dir",
    "import database '{}'",
    "select from where",
    "select error('no')",
    "-- nothing",
    "select 1; select 2",
    "select * from read_text('/etc/passwd')",
    "select * from query('copy (select 1) to ''{}/ledger.sqlite'' ')",
    "call enable_logging()",
    "begin; select 1",
    "explain (format json, analyze) select 1",
    "prepare p as select 1; execute p",
)

ASKED = (
    "select count(*) from {}",
    "from {}",
    "with a as (select * from {}) select * from a",
    "describe {}",
    "summarize {}",
    "show tables",
    "explain select * from {}",
    "pivot {} on point_id using count(*)",
    "values (1), (2)",
    "pragma table_info('{}')",
)


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "data"
    found.mkdir()
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(found))
    monkeypatch.chdir(tmp_path)
    row = {"point_id": "a/b/c", "at": "2026-01-01T00:00:00Z", "status": "ok"}
    frame = pl.DataFrame(
        [{column.name: row.get(column.name) for column in CORE_READINGS.columns}],
        schema_overrides={name: pl.String() for name in row},
    ).with_columns(pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC"))
    frame = frame.cast(dict(CORE_READINGS.schema))  # type: ignore[arg-type]
    Lake(found / "lake").write(CORE_READINGS, frame, day="2026-01-01")
    with duckdb.connect(str(found / "energy.duckdb")) as db:
        db.execute("create table t as select 'a/b/c' as point_id")
    (found / "ledger.sqlite").write_text("the ledger", encoding="utf-8")
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def asked(query: str, *more: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = app.run(["sql", *more, query])
    told = capfd.readouterr()
    return code, told.out + told.err


@pytest.mark.parametrize("lake", [False, True])
@pytest.mark.parametrize("query", FORBIDDEN)
def test_nothing_else_is_read_and_nothing_written(
    data_dir: Path, query: str, *, lake: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    before = content(data_dir.parent)
    code, said = asked(query.format(data_dir), *(["--lake"] if lake else []), capfd=capfd)
    assert code in {1, 2}
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1, said
    assert "root:" not in said
    assert content(data_dir.parent) == before


@pytest.mark.parametrize("lake", [False, True])
@pytest.mark.parametrize("query", ASKED)
def test_queries_are_answered(
    data_dir: Path, query: str, *, lake: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    before = content(data_dir.parent)
    name = "core_readings" if lake else "t"
    code, said = asked(query.format(name), *(["--lake"] if lake else []), capfd=capfd)
    assert code == 0, said
    assert content(data_dir.parent) == before


@pytest.mark.usefixtures("data_dir")
def test_a_query_that_is_too_large_names_our_setting(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("energy_platform.cli.published.default_memory", lambda: 20_000_000)
    query = "select count(distinct hash(range)) from range(9000000)"
    code, said = asked(query, capfd=capfd)
    assert code == 1
    assert said.startswith("error: the query needs more than 0.02 GB")
    assert "ENERGY_PLATFORM_MEMORY" in said
    assert "SET " not in said


def test_the_lake_of_a_moved_folder_is_its_own(
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    moved = tmp_path / "it's moved"
    data_dir.rename(moved)
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(moved))
    code, said = asked("select count(*) as n from core_readings", "--lake", "--csv", capfd=capfd)
    assert (code, said) == (0, "n\n1\n")
    assert "core_readings" in asked("show tables", "--lake", capfd=capfd)[1]


def test_what_is_not_there_yet_and_what_is_damaged_is_told(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (data_dir / "energy.duckdb").write_text("words", encoding="utf-8")
    code, said = asked("select 1", capfd=capfd)
    assert (code, len(said.splitlines())) == (2, 1)
    assert "energy.duckdb" in said
    (data_dir / "energy.duckdb").unlink()
    code, said = asked("select 1", capfd=capfd)
    assert code == 2
    assert "run `energy-platform demo`" in said
    assert not (data_dir / "energy.duckdb").exists()


def test_a_csv_holds_rows_only_and_each_value_as_it_is(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["sql", "--csv", "select -1.5 as n, '=1+1' as f, chr(27) || '[2J' as s"]) == 0
    assert capfd.readouterr().out == "n,f,s\n-1.5,=1+1,\x1b[2J\n"
    assert app.run(["sql", "--csv", "select nope"]) == 1
    told = capfd.readouterr()
    assert told.out == ""
    assert "nope" in told.err


def test_a_table_shows_ids_whole_and_steers_no_terminal(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    query = "select repeat('x', 300) || chr(27) || '[2J' as id, repeat('y', 300) as command"
    code, said = asked(query, capfd=capfd)
    assert code == 0
    assert "x" * 300 + r"\x1b[2J" in said
    assert "y" * 300 in said
    assert "\x1b" not in said


@pytest.mark.usefixtures("data_dir")
def test_json_holds_every_row_with_what_json_knows(capfd: pytest.CaptureFixture[str]) -> None:
    query = (
        "select n, 'nan'::double as missing, date '2026-03-29' as day, [1, 2] as list, "
        "timestamptz '2026-03-29 00:00:00+00' as at from range(3000) r(n) order by n"
    )
    assert app.run(["sql", "--json", query]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert [row["n"] for row in rows] == list(range(3000))
    assert rows[0]["missing"] is None
    assert (rows[0]["day"], rows[0]["list"]) == ("2026-03-29", [1, 2])
    assert datetime.fromisoformat(rows[0]["at"]) == datetime(2026, 3, 29, tzinfo=UTC)
    assert app.run(["sql", "--json", "select 1 as n where false"]) == 0
    assert json.loads(capfd.readouterr().out) == []


@pytest.mark.usefixtures("data_dir")
def test_two_formats_at_once_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert app.run(["sql", "--json", "--csv", "select 1"]) == 2
    assert "choose one" in capfd.readouterr().err
