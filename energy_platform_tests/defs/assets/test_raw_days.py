"""What the raw step says of days, with the simulated SoData behind it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

from energy_platform.defs.assets.raw import anomalies, day_asset
from energy_platform.defs.partitions import range_tags
from energy_platform.defs.resources import Platform, source_resource
from energy_platform.ingest.landing_days import DayOutcome
from energy_platform.ingest.run import ingest_inventory
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.lake import Lake
from energy_platform.settings import PlatformSettings
from energy_platform.sources.registry import open_source
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.faults.harness import DAY, open_harness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform_tests.faults.harness import FaultHarness

TABLE = RAW_SOCOMEC_DATAPOINTS.name
EARLIER = "2026-03-02"


@contextmanager
def installation(folder: Path) -> Iterator[tuple[FaultHarness, Platform]]:
    """The simulated vendors and a data folder that has their inventory."""
    with open_harness(folder) as harness:
        _ = harness.portfolio
        platform = Platform.of(
            PlatformSettings(
                data_dir=folder / "data",
                portfolio=folder / "portfolio.yaml",
                dbt_project_dir=folder,
            )
        )
        with open_source(
            "socomec", portfolio=harness.portfolio, landing=folder, logins=None
        ) as source:
            ingest_inventory(source, vendor="socomec", lake=platform.lake)
        yield harness, platform


def run(platform: Platform, *days: str) -> tuple[bool, dict[str, dict[str, Any]]]:
    """Run the raw step; whether it succeeded, and the metadata of each day."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [day_asset("socomec")],
            tags=range_tags(list(days)),
            resources={"platform": platform, "socomec": source_resource("socomec")},
            instance=instance,
            raise_on_error=False,
            selection=[TABLE],
        )
        events = instance.fetch_materializations(dg.AssetKey(TABLE), limit=50).records
    found = {}
    for event in events:
        materialization = event.asset_materialization
        if materialization is not None and materialization.partition is not None:
            found[materialization.partition] = {
                name: value.value for name, value in materialization.metadata.items()
            }
    return result.success, found


def test_a_refused_device_is_listed_in_the_days_metadata_and_the_day_lands(tmp_path: Path) -> None:
    with installation(tmp_path) as (harness, platform):
        with harness.occurrences("socomec", "device_refused=403"):
            success, said = run(platform, DAY)
        with platform.catalogue() as catalogue:
            record = catalogue.days("socomec")[DAY]
        assert success
        assert said[DAY]["state"] == "partial"
        assert said[DAY]["series_answered"] < said[DAY]["series_asked"]
        (device,) = (
            said[DAY]["partial_devices"].records
            if hasattr(said[DAY]["partial_devices"], "records")
            else said[DAY]["partial_devices"]
        )
        assert "HTTP 403" in str(device)
        assert record.state == "partial"
        assert "HTTP 403" in record.why

        _, healed = run(platform, DAY)

    assert healed[DAY]["state"] == "whole"
    assert "why_not_whole" not in healed[DAY]


def test_days_that_landed_are_told_when_a_refused_login_ends_the_run(tmp_path: Path) -> None:
    with installation(tmp_path) as (harness, platform):
        with harness.occurrences("socomec", "expire_token_after=6 refuse_refresh refuse_login=@2"):
            success, said = run(platform, EARLIER, DAY)
        with Catalogue(platform.data) as catalogue:
            states = {day: one.state for day, one in catalogue.days("socomec").items()}

    assert not success
    assert list(said) == [EARLIER]
    assert states == {EARLIER: "whole", DAY: "failed"}


def test_a_damaged_catalogue_keeps_no_day_from_landing(tmp_path: Path) -> None:
    with installation(tmp_path) as (_, platform):
        platform.data.joinpath("catalogue.sqlite").write_bytes(os.urandom(4096))
        success, said = run(platform, DAY)
    assert success
    assert said[DAY]["state"] == "whole"
    assert Lake(platform.data / "lake").days(RAW_SOCOMEC_DATAPOINTS) == [DAY]


def test_a_row_that_came_twice_alike_is_counted_and_no_warning() -> None:
    def outcome(**counts: int) -> DayOutcome:
        return DayOutcome(day=DAY, landed=None, error=None, counts=counts)

    assert anomalies([outcome(duplicates=2)]) == {}
    assert anomalies([outcome(duplicates=2, conflicts=1)]) == {DAY: "1 conflicts"}
