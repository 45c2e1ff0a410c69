"""The reports are made by a job of their own, and say in one sentence why they are not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from energy_platform.definitions import build_definitions
from energy_platform.defs.assets.reports import site_reports
from energy_platform.defs.jobs import everything, refresh
from energy_platform.defs.resources import Platform
from energy_platform.settings import Settings
from energy_platform_tests.report.published_site import PublishedSite, built, empty_published

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENERGY_PLATFORM_HOME", str(tmp_path))
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", str(tmp_path / "portfolio.yaml"))
    (tmp_path / "portfolio.yaml").write_text("version: 1\nsites: []\ndevices: []\n")
    with empty_published(tmp_path / "data" / "energy.duckdb") as connection:
        PublishedSite(connection).month(date(2026, 10, 1))
        built(connection, datetime(2026, 11, 5, tzinfo=UTC))
    return tmp_path / "data"


def made(data: Path) -> dg.ExecuteInProcessResult:
    platform = Platform.of(Settings.load().platform)
    return dg.materialize([site_reports], resources={"platform": platform}, raise_on_error=False)


def test_a_run_makes_pages_index_and_picture(data: Path) -> None:
    result = made(data)
    assert result.success
    (event,) = result.asset_materializations_for_node("site_reports")
    assert event.metadata["pages"].value == event.metadata["pages_written"].value == 1
    assert str(event.metadata["days"].value).startswith("![1](data:image/png;base64,")
    for name in ("index.html", "paris/2026-10.html", "paris/2026-10.pdf"):
        assert (data / "reports" / name).is_file()


def test_a_failure_is_one_sentence_of_this_asset_alone(data: Path) -> None:
    (data / "energy.duckdb").write_bytes(b"not a database")
    result = made(data)
    assert not result.success
    (failure,) = [one for one in result.all_events if one.is_step_failure]
    said = failure.step_failure_data.user_failure_data
    assert said is not None
    assert "cannot be read for the reports" in str(said.description)


def test_neither_a_refresh_nor_a_push_waits_for_reports() -> None:
    graph = build_definitions().resolve_asset_graph()
    key = dg.AssetKey("site_reports")
    assert not graph.get(key).child_keys
    assert key not in refresh.selection.resolve(graph)
    assert key in everything.selection.resolve(graph)
