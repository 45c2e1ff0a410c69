"""What Dagster is told of a build: one event per table, whether it was rebuilt or not."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import dagster as dg
import matplotlib.image as mpimg
import polars as pl
import pytest

from energy_platform.defs.assets import marts as assets
from energy_platform.defs.assets.home import START_HERE
from energy_platform.defs.metadata import plot
from energy_platform.defs.resources import Platform
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import parse_portfolio
from energy_platform.settings import PlatformSettings
from energy_platform.warehouse import DELIVERY
from energy_platform_tests.warehouse.warehouse_world import (
    PROJECT,
    World,
    days_from,
    portfolio_text,
    utc,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.long
def test_a_build_in_slices_reports_each_table_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The ledger's place follows from the environment.
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path))
    text = portfolio_text({"paris": "Europe/Paris"})
    (tmp_path / "portfolio.yaml").write_text(text, encoding="utf-8")
    world = World(
        lake=Lake(tmp_path / "lake"),
        portfolio=parse_portfolio(text),
        start=utc("2026-03-01T00:00"),
    )
    world.write(days_from("2026-03-01", 3))
    settings = PlatformSettings(
        data_dir=tmp_path, portfolio=tmp_path / "portfolio.yaml", dbt_project_dir=PROJECT
    )
    found = assets.build_mart_assets(settings)
    tables = next(
        one for one in found if isinstance(one, dg.AssetsDefinition) and len(one.keys) > 1
    )
    monkeypatch.setattr("energy_platform.warehouse.warehouse.rows_within", lambda _: 1000)

    with dg.DagsterInstance.ephemeral() as instance:

        def materialize() -> dict[str, dict[str, dg.MetadataValue]]:
            done = dg.materialize(
                found, resources={"platform": Platform.of(settings)}, instance=instance
            )
            assert done.success
            checks = instance.event_log_storage.get_latest_asset_check_execution_by_key(
                [*tables.check_keys]
            )
            assert {key for key, one in checks.items() if one.run_id == done.run_id} == {
                *tables.check_keys
            }
            # A check that was planned and has no result is shown as skipped.
            assert {one.status.value for one in checks.values()} == {"SUCCEEDED"}
            events = [one.materialization for one in done.get_asset_materialization_events()]
            names = [one.asset_key.to_user_string() for one in events]
            assert sorted(names) == sorted({*names})
            handed_over = {one.key for one in found if isinstance(one, dg.AssetSpec)}
            assert {*names} == {
                *(key.to_user_string() for key in tables.keys | handed_over),
                assets.LIVE,
                assets.PUBLISHED,
                START_HERE.to_user_string(),
            }
            told = {one.asset_key.to_user_string(): dict(one.metadata) for one in events}
            # What Dagster shows as rows is what the published file holds.
            published = told[assets.PUBLISHED]["tables"]
            assert isinstance(published, dg.TableMetadataValue)
            rows = {one.data["table"]: one.data["rows"] for one in published.records}
            assert rows["mart_site_energy"]
            assert {
                name: shown["dagster/row_count"].value
                for name, shown in told.items()
                if "dagster/row_count" in shown
            } == {
                name: count
                for name, count in rows.items()
                if name in told and name != "mart_restatements"
            }
            picture = told[START_HERE.to_user_string()]["site_use"].value
            assert str(picture).startswith("![All sites, use per local day, newest 4 days](data:")
            return told

        first = materialize()
        slices = first["fct_energy_daily"]["slices"].value
        assert isinstance(slices, int)
        assert slices > 1
        assert first[assets.PUBLISHED]["written"].value is True

        nothing = materialize()
        assert nothing["fct_energy_daily"]["rebuilt"].value is False
        assert nothing[assets.PUBLISHED]["written"].value is False

        # Of the ledger's rows dbt knows nothing, and they are others all the same.
        stream = pl.DataFrame([{"stream_id": "s1"}], schema=DELIVERY)
        with monkeypatch.context() as pushed:
            pushed.setattr(Platform, "delivered", lambda *_: stream)
            acknowledged = materialize()
        assert acknowledged["mart_delivery"]["rebuilt"].value is True
        assert acknowledged["fct_energy_daily"]["rebuilt"].value is False

        # A late sample rebuilds what follows from it, and leaves the dimensions alone.
        world.scale["socomec/paris/import"] = 2.0
        world.write(["2026-03-02"])
        late = materialize()
        assert "rebuilt" not in late["fct_energy_daily"]
        assert late["dim_point"]["rebuilt"].value is False
        assert late[assets.PUBLISHED]["written"].value is True


def test_the_picture_of_days_shows_a_bar_for_each() -> None:
    days = pl.DataFrame(
        {"local_day": days_from("2026-03-01", 4), "site_use_kwh": [300.0, 500.0, 400.0, 450.0]}
    ).with_columns(pl.col("local_day").str.to_date())
    shown = plot(days, x="local_day", y="site_use_kwh", title="Use", label="kWh", bars=True).value
    drawn = base64.b64decode(str(shown).partition("base64,")[2].rstrip(")"))
    pixels = mpimg.imread(io.BytesIO(drawn))[:, :, :3]
    is_blue = (pixels[:, :, 2] > pixels[:, :, 0] + 0.3).sum() / pixels[:, :, 0].size
    assert is_blue > 0.3
