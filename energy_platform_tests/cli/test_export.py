"""``energy-platform export`` writes what readers of the published file see, in their formats."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import openpyxl
import polars as pl
import pytest

from energy_platform.cli import app
from energy_platform.warehouse import spreadsheet

if TYPE_CHECKING:
    from pathlib import Path

PORTFOLIO = """
version: 1
sites:
  - {id: paris, name: Head office, timezone: Europe/Paris}
  - {id: kolkata, name: Mill, timezone: Asia/Kolkata}
devices:
  - {vendor: socomec, serial: A, site: paris, name: "HVAC roof", points: [
      {key: E, name: Energy, quantity: active_energy_import, unit: Wh, max_power_w: none},
      {key: V, name: Voltage, quantity: voltage, unit: V}]}
  - {vendor: socomec, serial: B, site: kolkata, name: Main incomer, points: [
      {key: E, name: Energy, quantity: active_energy_import, unit: Wh, max_power_w: none}]}
"""

PUBLISHED = """
create table dim_site as from (values
  ('paris', 'Head office', 'Europe/Paris'), ('kolkata', '=cmd|calc', 'Asia/Kolkata')
) t(site_id, site_name, timezone);
create table fct_energy_hourly as
select point_id, site_id, timezone, hour_start_at, timezone(timezone, hour_start_at) as local_hour,
  timezone(timezone, hour_start_at)::date as local_day, 1000.0 as energy_wh, 1.0 as energy_kwh,
  'final' as status
from (values ('socomec/A/E', 'paris', 'Europe/Paris'), ('socomec/B/E', 'kolkata', 'Asia/Kolkata'))
  p(point_id, site_id, timezone)
cross join range(
  timestamptz '2026-10-24 00:00:00+00', timestamptz '2026-10-26 00:00:00+00', interval 1 hour
) h(hour_start_at);
create table fct_energy_daily as
select point_id, site_id, timezone, local_day, sum(energy_wh) as energy_wh
from fct_energy_hourly group by all;
create table fct_energy_weekly as
select 'socomec/A/E' as point_id, 'paris' as site_id, 'Europe/Paris' as timezone,
  unnest([date '2026-10-12', date '2026-10-19', date '2026-10-26']) as local_week, 7.0 as energy_wh;
create table fct_consumption_daily as
select 'x/1/w' as point_id, 'paris' as site_id, date '2026-10-24' as local_day, 'm³' as unit,
  2.5 as consumption, 0.0 as refused;
create table mart_delivery as
select 'st' as stream_id, 'kolkata' as site_id,
  timestamptz '2026-10-24 12:00:00+00' as last_sent_at;
create table about as select 'built_at' as key, '2026-10-26' as value;
comment on column fct_energy_hourly.energy_kwh is 'The same, kWh.';
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "portfolio.yaml").write_text(PORTFOLIO, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", str(tmp_path / "portfolio.yaml"))
    with duckdb.connect(str(tmp_path / "data" / "energy.duckdb")) as connection:
        connection.execute("set timezone = 'America/New_York'")
        connection.execute(PUBLISHED)
    return tmp_path


def exported(capfdbinary: pytest.CaptureFixture[bytes], *words: str) -> list[dict[str, str]]:
    """Run an export to standard output, and return its rows."""
    assert app.run(["export", *words]) == 0
    return list(csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode())))


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run an export that must fail, and return what it says."""
    assert app.run(["export", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_a_repeated_hour_is_there_twice_with_its_offsets(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    rows = exported(
        capfdbinary, "fct_energy_hourly", "--site", "paris", "--from", "2026-10-25", "--to",
        "2026-10-25",
    )  # fmt: skip
    starts = [row["hour_start_at"] for row in rows]
    assert len(starts) == 25
    assert starts[2:4] == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]
    assert {row["local_day"] for row in rows} == {"2026-10-25"}


def test_each_row_is_on_the_clock_of_its_site_or_all_are_in_utc(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (local,) = exported(capfdbinary, "mart_delivery")
    assert local["last_sent_at"] == "2026-10-24T17:30:00+05:30"
    (utc,) = exported(capfdbinary, "mart_delivery", "--utc")
    assert utc["last_sent_at"] == "2026-10-24T12:00:00+00:00"


def test_a_span_takes_the_weeks_that_its_days_lie_in(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    span = ("--from", "2026-10-21", "--to", "2026-10-25")
    rows = exported(capfdbinary, "fct_energy_weekly", *span)
    assert [row["local_week"] for row in rows] == ["2026-10-19"]


def test_a_point_is_found_by_words_and_read_by_the_period_asked_for(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    hours = exported(capfdbinary, "paris hvac")
    assert {row["point_id"] for row in hours} == {"socomec/A/E"}
    assert "hour_start_at" in hours[0]
    days = exported(capfdbinary, "HVAC energy", "--by", "day", "--from", "2026-10-25")
    assert [float(row["energy_wh"]) for row in days] == [25_000.0, 1000.0]


def test_a_workbook_has_typed_cells_units_and_what_the_columns_mean(folder: Path) -> None:
    out = folder / "hours.xlsx"
    assert app.run(["export", "fct_energy_hourly", "-o", str(out), "--site", "kolkata"]) == 0
    book = openpyxl.load_workbook(out)
    header, first, *_ = book["fct_energy_hourly"].iter_rows(values_only=True)
    names = dict(zip(header, first, strict=True))
    assert names["hour_start_at"] == datetime(2026, 10, 24, 5, 30)  # noqa: DTZ001 - a local time
    assert names["local_day"] == datetime(2026, 10, 24)  # noqa: DTZ001 - Excel's dates
    assert names["energy_kwh [kWh]"] == 1
    assert names["energy_wh [Wh]"] == 1000
    meanings = {row[0]: row[1:] for row in book["columns"].iter_rows(values_only=True)}
    assert meanings["energy_kwh"] == ("kWh", "The same, kWh.")
    assert list(book["about"].iter_rows(values_only=True)) == [("built_at", "2026-10-26")]


def test_a_unit_that_stands_in_the_rows_stands_in_the_header_too(folder: Path) -> None:
    out = folder / "water.xlsx"
    assert app.run(["export", "fct_consumption_daily", "-o", str(out)]) == 0
    (header, _) = openpyxl.load_workbook(out).worksheets[0].iter_rows(values_only=True)
    assert "consumption [m³]" in header


def test_a_name_like_a_formula_stays_a_text_in_a_workbook(folder: Path) -> None:
    out = folder / "sites.xlsx"
    assert app.run(["export", "dim_site", "-o", str(out)]) == 0
    cells = [cell for row in openpyxl.load_workbook(out)["dim_site"].iter_rows() for cell in row]
    assert [(cell.value, cell.data_type) for cell in cells if "calc" in str(cell.value)] == [
        ("=cmd|calc", "s")
    ]


def test_parquet_holds_the_rows_with_instants_as_instants(folder: Path) -> None:
    out = folder / "hours.parquet"
    assert app.run(["export", "fct_energy_hourly", "-o", str(out)]) == 0
    frame = pl.read_parquet(out)
    assert frame.height == 2 * 48
    assert frame.schema["hour_start_at"] == pl.Datetime("us", "UTC")
    assert frame.schema["local_day"] == pl.Date
    assert frame["hour_start_at"].min() == datetime(2026, 10, 24, tzinfo=UTC)


def test_a_csv_file_holds_what_standard_output_gets(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert app.run(["export", "fct_energy_daily", "-o", "days.csv"]) == 0
    capfdbinary.readouterr()
    assert app.run(["export", "fct_energy_daily"]) == 0
    assert capfdbinary.readouterr().out == (folder / "days.csv").read_bytes()


def test_days_may_be_words_on_the_clock_of_the_site(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with duckdb.connect(str(folder / "data" / "energy.duckdb")) as connection:
        connection.execute("update fct_energy_daily set local_day = current_date - 1")
        connection.execute("update fct_energy_daily set timezone = 'UTC'")
        connection.execute("update dim_site set timezone = 'UTC'")
    span = ("--site", "paris", "--from", "yesterday", "--to", "yesterday")
    rows = exported(capfdbinary, "fct_energy_daily", *span)
    yesterday = (datetime.now(tz=UTC) - timedelta(days=1)).date()
    assert {date.fromisoformat(row["local_day"]) for row in rows} == {yesterday}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fct_energy_dialy"], "did you mean fct_energy_daily"),
        (["dim_site", "--from", "2026-01-01"], "dim_site has no local days"),
        (["dim_site", "--by", "day"], "--by is for points"),
        (["mart_delivery", "--site", "pariss"], "did you mean paris?"),
        (["mart_delivery", "--site", "oslo"], "there are: kolkata, paris"),
        (["fct_energy_daily", "-o", "days.ods"], "ends in .csv, .xlsx or .parquet"),
        (["fct_energy_daily", "-o", "nowhere/days.csv"], "there is no folder"),
        (["fct_energy_daily", "--from", "2026-1-1"], "expected YYYY-MM-DD"),
        (["hvac", "--by", "15min"], "has no figures by 15min; there are: hour, day, week"),
        (["energy"], "2 points fit 'energy': socomec/A/E (HVAC roof: Energy), socomec/B/E"),
        (["gas"], "no point of the portfolio fits 'gas'"),
        (["voltage"], "has no figures yet"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert said in refused(capsys, *words)
    assert sorted(path.name for path in folder.iterdir()) == ["data", "portfolio.yaml"]


def test_more_rows_than_a_sheet_holds_leave_the_file_of_before(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = folder / "hours.xlsx"
    out.write_text("of before")
    monkeypatch.setattr(spreadsheet, "MOST_ROWS", 10)
    assert "a sheet holds 10 rows" in refused(capsys, "fct_energy_hourly", "-o", str(out))
    assert out.read_text() == "of before"
    assert [path.name for path in folder.glob("*.xlsx*")] == ["hours.xlsx"]


def test_without_a_published_file_the_way_to_one_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "data" / "energy.duckdb").unlink()
    assert "energy-platform demo" in refused(capsys, "mart_delivery")
