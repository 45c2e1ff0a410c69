"""The page shows what SQL says, whatever things are called and whatever is missing."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from energy_platform.report.making import chosen_pages, make_reports
from energy_platform.report.period import Period, typed_period
from energy_platform_tests.report.published_site import (
    PublishedSite,
    built,
    empty_published,
    insert,
)
from energy_platform_tests.report.reading import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \"q\" 'r' <!-- #sys"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_published(tmp_path / "energy.duckdb") as connection:
        yield connection


def page(
    connection: duckdb.DuckDBPyConnection, folder: Path, *, month: str, site: str = "paris"
) -> Reader:
    wanted, _, _ = chosen_pages(connection, site=site, period=typed_period(month=month, week=None))
    (made,) = make_reports(connection, folder, wanted, language="en", with_pdf=False)
    return Reader(made.path.read_text(encoding="utf-8"))


def test_every_figure_of_the_glance_and_of_the_days_is_what_sql_says(
    file: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    site = PublishedSite(file)
    site.month(date(2026, 10, 1), kwh_an_hour=12.345)
    built(file, datetime(2026, 11, 5, tzinfo=UTC))
    read = page(file, tmp_path, month="2026-10")
    columns = ("site_use_kwh", "peak_kw", "base_load_kw", "load_factor")
    (row,) = file.execute(f"select {', '.join(columns)} from mart_site_energy_monthly").fetchall()
    assert [read.value(name) for name in columns] == list(row)
    days = file.execute("select local_day, site_use_kwh from mart_site_energy").fetchall()
    assert len(days) == 31
    for day, kwh in days:
        assert read.value(f"day.{day}.site_use_kwh") == kwh
    (share,) = file.execute("select previous_change_share from mart_site_comparison").fetchone()  # type: ignore[misc]
    assert read.value("previous_change_share") == share
    assert read.shown("previous_change_share") == "+25.0\N{NO-BREAK SPACE}%"
    assert read.shown("site_use_kwh") == "9,197\N{NO-BREAK SPACE}kWh"


def test_the_hours_of_a_page_add_up_to_its_use_on_both_changes_of_the_clock(
    file: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    site = PublishedSite(file)
    site.month(date(2026, 3, 1))
    site.month(date(2026, 10, 1))
    built(file, datetime(2026, 11, 5, tzinfo=UTC))
    for month, change, hours in (("2026-03", "2026-03-29", 23), ("2026-10", "2026-10-25", 25)):
        read = page(file, tmp_path, month=month)
        of_day = [one for one in read.figures if one.startswith(f"hour.{change}.")]
        assert len(of_day) == hours
        known = [read.value(one) or 0 for one in read.figures if one.startswith("hour.")]
        assert sum(known) == pytest.approx(read.value("site_use_kwh"))
    spring, autumn = page(file, tmp_path, month="2026-03"), page(file, tmp_path, month="2026-10")
    assert "hour.2026-03-29.02.use_kw" not in spring.figures
    assert "hour.2026-10-25.02*.use_kw" in autumn.figures
    assert "02:00 again" in autumn.words


def test_what_is_unknown_is_said_and_never_zero(
    file: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    site = PublishedSite(file)
    site.month(date(2026, 10, 1), status="incomplete")
    file.execute(
        "update mart_site_energy_monthly set site_use_kwh = null, peak_kw = null, "
        "base_load_kw = null, load_factor = null, points_unknown = 1"
    )
    file.execute("update mart_site_energy set site_use_kwh = null where local_day = '2026-10-05'")
    file.execute("update fct_energy_hourly set energy_wh = null where local_day = '2026-10-05'")
    built(file, datetime(2026, 11, 5, tzinfo=UTC))
    read = page(file, tmp_path, month="2026-10")
    for name in ("site_use_kwh", "peak_kw", "base_load_kw", "load_factor"):
        assert (read.value(name), read.shown(name)) == (None, "unknown")
    assert read.shown("day.2026-10-05.site_use_kwh") == "unknown"
    assert read.shown("hour.2026-10-05.07.use_kw") == "?"
    assert "1 of 1 points that count are not known" in read.words
    assert "These figures are not final" in read.words


def test_names_of_vendors_are_text_wherever_they_stand(
    file: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    site = PublishedSite(file, name=HOSTILE)
    site.month(date(2026, 10, 1))
    site.point("acme/sub/E", name=HOSTILE)
    for member, point_id, kwh in (
        ("parent", site.main, 7450.0),
        ("child", "acme/sub/E", 3000.0),
        ("remainder", None, 4450.0),
    ):
        insert(
            file,
            "mart_submetering",
            site_id="paris",
            parent_point_id=site.main,
            member=member,
            point_id=point_id,
            grain="month",
            local_day=date(2026, 10, 1),
            energy_kwh=kwh,
            share_of_parent=kwh / 7450,
            covered_share=1.0,
            is_negative=False,
            status="final",
        )
    built(file, datetime(2026, 11, 5, tzinfo=UTC))
    wanted, _, _ = chosen_pages(file, site=None, period=None)
    (made,) = make_reports(file, tmp_path, wanted, language="en", with_pdf=True)
    html = made.path.read_text(encoding="utf-8")
    read = Reader(html)
    assert HOSTILE in "".join(read.text)
    assert not [one for one in read.tags if one[0] == "img" or "onerror" in one[1]]
    kinds = [one[1].get("type") for one in read.tags if one[0] == "script"]
    assert kinds.count(None) == 2
    assert kinds.count("application/json") == 3
    for script in read.scripts[:3]:
        assert json.loads(script)["config"]
    index = Reader((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert not [one for one in index.tags if one[0] in {"img", "script"}]
    assert made.pdf is not None
    assert made.pdf.read_bytes().startswith(b"%PDF-")


def test_a_page_asks_for_nothing_and_runs_its_own_scripts_only(
    file: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    PublishedSite(file).month(date(2026, 10, 1))
    built(file, datetime(2026, 11, 5, tzinfo=UTC))
    read = page(file, tmp_path, month="2026-10")
    asking = {"src", "srcset", "poster", "action", "data", "xlink:href", "background"}
    for tag, attrs in read.tags:
        assert not asking & set(attrs), tag
        if tag in {"a", "use", "image"}:
            assert str(attrs.get("href", "")).startswith(("#", "../index.html"))
        assert tag not in {"link", "iframe", "object", "embed", "base"}
    (policy,) = [
        str(attrs["content"])
        for tag, attrs in read.tags
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    assert re.search(r"script-src ('sha256-[A-Za-z0-9+/=]+' ?){2};", policy)
    assert "unsafe-eval" not in policy


def test_every_picture_is_named_described_and_has_its_figures_as_a_table(
    file: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    PublishedSite(file).month(date(2026, 10, 1))
    built(file, datetime(2026, 11, 5, tzinfo=UTC))
    read = page(file, tmp_path, month="2026-10")
    drawings = [attrs for tag, attrs in read.tags if tag == "svg"]
    ids = [attrs["id"] for _, attrs in read.tags if attrs.get("id")]
    assert len(ids) == len(set(ids))
    assert len(drawings) == 2 * sum(tag == "figure" for tag, _ in read.tags) == 6
    for one in drawings:
        assert one["role"] == "img"
        assert set(str(one["aria-labelledby"]).split()) <= set(ids)
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_a_disputed_figure_names_point_wh_day_and_what_decides(
    file: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    site = PublishedSite(file)
    site.month(date(2026, 10, 1), status="disputed")
    insert(
        file,
        "fct_quality_daily",
        point_id=site.main,
        site_id="paris",
        timezone="Europe/Paris",
        local_day=date(2026, 10, 7),
        received_samples=96,
        refused_wh=252_000.0,
        refused_consumption=0.0,
        **dict.fromkeys(
            (
                *("quarantined_samples", "corrected_samples", "rejects", "gaps", "resets"),
                *("rollovers", "exchanges", "dips", "spike_reversals", "over_limit_steps"),
                "estimated_steps",
            ),
            0,
        ),
    )
    built(file, datetime(2026, 11, 5, tzinfo=UTC))
    read = page(file, tmp_path, month="2026-10")
    assert "+252,000\N{NO-BREAK SPACE}Wh" in "".join(read.text)
    assert "energy-platform explain acme/paris/E 2026-10-07" in read.words
    assert "reset_marker" in read.words
    assert "These figures are disputed" in read.words


def test_a_remainder_below_zero_is_said_and_stands_in_the_table(
    file: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    site = PublishedSite(file)
    site.month(date(2026, 10, 1))
    site.point("acme/sub/E", name="Board")
    for member, point_id, kwh in (
        ("parent", site.main, 100.0),
        ("child", "acme/sub/E", 130.0),
        ("remainder", None, -30.0),
    ):
        insert(
            file,
            "mart_submetering",
            site_id="paris",
            parent_point_id=site.main,
            member=member,
            point_id=point_id,
            grain="month",
            local_day=date(2026, 10, 1),
            energy_kwh=kwh,
            share_of_parent=kwh / 100,
            is_negative=kwh < 0,
            status="final",
        )
    built(file, datetime(2026, 11, 5, tzinfo=UTC))
    read = page(file, tmp_path, month="2026-10")
    assert read.value(f"tree.{site.main}.remainder.energy_kwh") == -30.0
    assert "show 30.0\N{NO-BREAK SPACE}kWh more than it does" in "".join(read.text)


def test_a_site_of_heat_alone_has_no_electric_parts(
    file: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    PublishedSite(file).month(date(2026, 10, 1))
    file.execute(
        "update mart_site_energy_monthly set status = null, site_use_kwh = null, peak_kw = null, "
        "heating_kwh = 500, heating_status = 'final'"
    )
    file.execute("update mart_site_energy set heating_kwh = 16, heating_status = 'final'")
    built(file, datetime(2026, 11, 5, tzinfo=UTC))
    read = page(file, tmp_path, month="2026-10")
    sections = {attrs.get("id") for tag, attrs in read.tags if tag == "section"}
    assert sections == {"glance", "attention", "heat", "trust", "words"}
    assert read.value("heating_kwh") == 500


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("2026-W53", date(2026, 12, 28), date(2027, 1, 3)),
        ("2026-W01", date(2025, 12, 29), date(2026, 1, 4)),
    ],
)
def test_a_week_is_an_iso_week(typed: str, first: date, last: date) -> None:
    period = typed_period(month=None, week=typed)
    assert period == Period("week", first)
    assert (period.last, period.key) == (last, typed)
