"""Pages are made once for what they show; the index leads to each; the command says what it did."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
import yaml

from energy_platform.cli import app
from energy_platform.report.making import make_reports, stale_pages, wanted_pages
from energy_platform.report.words import Words, languages, words_of
from energy_platform_tests.report.published_site import PublishedSite, built, empty_published
from energy_platform_tests.report.reading import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb


@pytest.fixture
def file(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_published(tmp_path / "data" / "energy.duckdb") as connection:
        yield connection


def make(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[str]:
    """Make what is wanted, and return what was written."""
    wanted = wanted_pages(connection, grains=["month"], running=True)
    made = make_reports(connection, folder, wanted, language="en", with_pdf=True)
    return [f"{one.site_id} {one.period}" for one in made if one.is_new]


def test_a_page_is_made_again_only_when_its_figures_changed(
    file: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    PublishedSite(file).month(date(2026, 10, 1))
    PublishedSite(file, site_id="lyon", name="Lyon").month(date(2026, 10, 1))
    built(file, datetime(2026, 11, 5, tzinfo=UTC))
    folder = tmp_path / "reports"
    assert make(file, folder) == ["lyon 2026-10", "paris 2026-10"]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.*") if path.is_file()}
    built(file, datetime(2026, 11, 6, tzinfo=UTC))
    assert make(file, folder) == []
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.*") if p.is_file()} == before
    file.execute("update mart_site_energy set peak_kw = 99 where site_id = 'lyon'")
    wanted = wanted_pages(file, grains=["month"], running=True)
    stale = stale_pages(file, folder, wanted, language="en", with_pdf=True)
    assert [one.site.site_id for one in stale] == ["lyon"]
    assert make(file, folder) == ["lyon 2026-10"]
    (folder / "paris" / "2026-10.pdf").unlink()
    assert make(file, folder) == ["paris 2026-10"]


def test_the_month_under_way_is_made_again_when_another_day_is_over_and_not_before(
    file: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    PublishedSite(file).month(date(2026, 10, 1), status="open")
    file.execute("delete from mart_site_energy where local_day > '2026-10-08'")
    built(file, datetime(2026, 10, 8, 12, tzinfo=UTC))
    assert make(file, tmp_path) == ["paris 2026-10"]
    file.execute("update mart_site_energy set site_use_kwh = 5 where local_day = '2026-10-08'")
    file.execute("update mart_site_energy_monthly set site_use_kwh = 5")
    built(file, datetime(2026, 10, 8, 13, tzinfo=UTC))
    assert make(file, tmp_path) == []
    built(file, datetime(2026, 10, 9, 1, tzinfo=UTC))
    assert make(file, tmp_path) == ["paris 2026-10"]


def test_the_index_leads_to_every_page_and_names_sites_without_any(
    file: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    odd = PublishedSite(file, site_id="../x y%", name="Odd")
    odd.month(date(2026, 9, 1))
    odd.month(date(2026, 10, 1))
    PublishedSite(file, site_id="new", name="New one")
    folder = tmp_path / "reports"
    built(file, datetime(2026, 10, 5, tzinfo=UTC))
    make(file, folder)
    built(file, datetime(2026, 11, 5, tzinfo=UTC))
    make(file, folder)
    read = Reader((folder / "index.html").read_text(encoding="utf-8"))
    links = [str(attrs["href"]) for tag, attrs in read.tags if tag == "a"]
    assert len(links) == 4
    for link in links:
        target = (folder / unquote(link)).resolve()
        assert target.is_file()
        assert target.is_relative_to(folder.resolve())
    assert "New one no figures yet" in read.words


def test_the_command_writes_the_last_whole_month_and_says_what_has_none(
    file: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site = PublishedSite(file)
    site.month(date(2026, 9, 1))
    site.month(date(2026, 10, 1))
    PublishedSite(file, site_id="new", name="New")
    built(file, datetime(2026, 10, 20, tzinfo=UTC))
    file.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "portfolio.yaml").write_text("version: 1\nsites: []\ndevices: []\n")
    assert app.run(["report", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert [one["period"] for one in said["reports"]] == ["2026-09"]
    assert said["notes"] == ["new: no figures yet"]
    assert app.run(["report", "--site", "paris", "--month", "2026-10", "--pdf"]) == 0
    out = capsys.readouterr()
    assert "paris: 2026-10 is not over" in out.err
    assert (tmp_path / "data" / "reports" / "paris" / "2026-10.pdf").is_file()
    assert app.run(["report", "--site", "rome"]) == 2
    assert "there is no site 'rome'; there are: new, paris" in capsys.readouterr().err
    assert app.run(["report", "--month", "2026-13"]) == 2
    assert "expected YYYY-MM" in capsys.readouterr().err
    assert app.run(["report", "--language", "xx"]) == 2
    assert "there is no report in 'xx'" in capsys.readouterr().err


def keys(texts: object, prefix: str = "") -> set[str]:
    if isinstance(texts, dict):
        # YAML takes a bare `on` or `no` for a truth value.
        assert all(isinstance(name, str) for name in texts), (prefix, texts)
        return {key for name, one in texts.items() for key in keys(one, f"{prefix}.{name}")}
    return {prefix}


@pytest.mark.parametrize("language", languages())
def test_a_catalogue_says_everything_that_the_english_one_does(language: str) -> None:
    from importlib import resources  # noqa: PLC0415

    folder = resources.files("energy_platform.report.texts")

    def texts(name: str) -> object:
        return yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))

    assert keys(texts(language)) == keys(texts("en"))


def test_another_language_writes_numbers_and_days_its_own_way() -> None:
    german = Words(
        "de",
        {
            "unknown": "unbekannt",
            "locale": {
                "decimal": ",",
                "thousands": ".",
                "day": "{weekday}, {day}.{month_number}.{year}",
                "weekdays": ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"],
                "months": [""] * 12,
                "months_short": [""] * 12,
            },
        },
    )
    assert german.number(-1234567.8) == "\N{MINUS SIGN}1.234.568"
    assert german.amount(12.34, "kW") == "12,3\N{NO-BREAK SPACE}kW"
    assert german.amount(None, "kW") == "unbekannt"
    assert german.day(date(2026, 11, 27)) == "Fr, 27.11.2026"
    assert words_of("en").number(1234.5) == "1,234"
