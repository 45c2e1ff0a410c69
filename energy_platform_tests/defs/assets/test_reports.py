"""The reports are made by a job of their own, and say in one sentence why they are not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from energy_platform.definitions import build_definitions
from energy_platform.defs.assets.marts import PUBLISHED
from energy_platform.defs.assets.reports import SITE_REPORTS, site_reports
from energy_platform.defs.jobs import everything, refresh
from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors.reports import NOTHING_DUE, build_reports_sensor
from energy_platform.settings import Settings
from energy_platform_tests.report.published_site import PublishedSite, built, empty_published

if TYPE_CHECKING:
    from pathlib import Path

    from dagster._core.definitions.sensor_definition import SensorExecutionData


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


def made(data: Path, instance: dg.DagsterInstance | None = None) -> dg.ExecuteInProcessResult:
    platform = Platform.of(Settings.load().platform)
    return dg.materialize(
        [site_reports],
        resources={"platform": platform},
        instance=instance,
        raise_on_error=False,
    )


def publish_again(instance: dg.DagsterInstance) -> None:
    """Record a publication, as the step of that name does."""

    @dg.asset(name=PUBLISHED)
    def published() -> None: ...

    assert dg.materialize([published], instance=instance).success


def ticked(instance: dg.DagsterInstance, *, cursor: str | None = None) -> SensorExecutionData:
    """Tick the sensor of the reports, and store what it asks to store, as the daemon does."""
    sensor = build_reports_sensor(dg.DefaultSensorStatus.RUNNING)
    platform = Platform.of(Settings.load().platform)
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"platform": platform}
    ) as context:
        data = sensor.evaluate_tick(context)
    for event in data.asset_events:
        instance.report_runless_asset_event(event)
    return data


def why_stale(instance: dg.DagsterInstance) -> list[str]:
    """Return why Dagster's UI calls the reports unsynced."""
    graph = build_definitions().resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    return [cause.reason for cause in resolver.get_stale_causes(dg.AssetKey(SITE_REPORTS))]


def test_a_run_makes_pages_index_and_picture(data: Path) -> None:
    result = made(data)
    assert result.success
    (event,) = result.asset_materializations_for_node("site_reports")
    assert event.metadata["pages"].value == event.metadata["pages_written"].value == 1
    assert str(event.metadata["days"].value).startswith("![1](data:image/png;base64,")
    for name in ("index.html", "paris/2026-10.html", "paris/2026-10.pdf"):
        assert (data / "reports" / name).is_file()


def test_a_publication_that_changes_no_page_leaves_the_reports_in_sync(data: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        publish_again(instance)
        assert made(data, instance).success
        assert why_stale(instance) == []
        publish_again(instance)
        assert why_stale(instance) == ["has a new dependency materialization"]
        told = ticked(instance)
        assert (str(told.skip_message), told.run_requests) == (NOTHING_DUE, [])
        assert why_stale(instance) == []
        # The page's picture and figures stay in sight.
        newest = instance.get_latest_materialization_event(dg.AssetKey(SITE_REPORTS))
        assert newest is not None
        assert newest.asset_materialization is not None
        shown = newest.asset_materialization.metadata
        assert (shown["pages"].value, shown["pages_written"].value) == (1, 0)
        # Once is enough, and a publication that is recorded after its file was seen counts.
        again = ticked(instance, cursor=told.cursor)
        assert (again.asset_events, again.cursor) == ([], told.cursor)
        publish_again(instance)
        assert len(ticked(instance, cursor=told.cursor).asset_events) == 1
        assert why_stale(instance) == []


def test_reports_stay_out_of_sync_where_a_page_is_due(data: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        publish_again(instance)
        assert made(data, instance).success
        publish_again(instance)
        (data / "reports" / "paris" / "2026-10.html").unlink()
        told = ticked(instance)
        assert (len(told.run_requests or []), told.asset_events) == (1, [])
        assert why_stale(instance)


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
