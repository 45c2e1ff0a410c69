"""Nights on which something goes wrong: a refused day, late points, a device nobody described."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
import yaml

from energy_platform.defs.schedules import inventory_keys
from energy_platform.schemas import CORE_READINGS
from energy_platform.sources.skycentrics.tables import RAW_SKYCENTRICS_SAMPLES
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.end_to_end.installation import (
    PUSH,
    REFRESH,
    Installation,
    install,
    must_succeed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

pytestmark = [pytest.mark.long, pytest.mark.end_to_end]

DAYS = ["2026-02-02", "2026-02-03", "2026-02-04"]
REFUSED = "2026-02-03"
UNKNOWN_SERIAL = "SN000012"
LATE_SERIAL = "SN000001"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with install(tmp_path_factory.mktemp("bad"), first_day=DAYS[0]) as installation:
        _forget_device(installation, serial=UNKNOWN_SERIAL)
        _deliver_late(installation)
        must_succeed([installation.runner.run("inventories", assets=inventory_keys())])
        yield installation


def test_a_refused_day_is_named_and_the_other_days_and_vendors_land(
    platform: Installation,
) -> None:
    platform.suite.ask(
        "/faults", order={"set": [f"skycentrics:http_400:path=b={REFUSED}"], "clear": True}
    )
    socomec, belimo, skycentrics = platform.ingest(DAYS)
    must_succeed([socomec, belimo])
    assert not skycentrics.success
    (error,) = skycentrics.errors
    assert "1 of 3 days failed, 2 landed" in error
    assert f"day {REFUSED}, HTTP 400" in error
    assert platform.lake.days(RAW_SKYCENTRICS_SAMPLES) == [DAYS[0], DAYS[2]]

    must_succeed(platform.follow(REFRESH))
    fed = dict(
        platform.sql(
            "select vendor, count(distinct local_day) from fct_energy_daily "
            "join dim_point using (point_id) group by vendor"
        )
    )
    assert fed["socomec"] >= 3
    assert fed["belimo"] >= 3


def test_streams_of_the_missing_day_wait_for_it_and_catch_up(platform: Installation) -> None:
    must_succeed(platform.follow(PUSH))
    waiting = platform.delivery_report()["streams"]["kolkata-pv"]
    assert waiting["last_at"] < f"{REFUSED}T01"
    platform.suite.ask("/faults", order={"clear": True})
    must_succeed(platform.ingest([REFUSED], vendors=["skycentrics"]))
    must_succeed(platform.settle())
    caught_up = platform.delivery_report()
    assert caught_up["complaints"] == []
    assert caught_up["streams"]["kolkata-pv"]["missing_intervals"] == 0
    assert caught_up["streams"]["kolkata-pv"]["last_at"] > f"{DAYS[2]}T23"


def test_an_unknown_device_is_quarantined_counted_and_visible(platform: Installation) -> None:
    rows = (
        platform.lake.scan(CORE_READINGS)
        .filter(pl.col("point_id").str.starts_with(f"socomec/{UNKNOWN_SERIAL}/"))
        .collect()
    )
    raw = (
        platform.lake.scan(RAW_SOCOMEC_DATAPOINTS)
        .filter(pl.col("serial_number") == UNKNOWN_SERIAL)
        .collect()
    )
    assert rows.height == raw.height > 0
    assert set(rows["status"]) == {"quarantined"}
    assert set(rows["reason"]) == {"unknown_point"}
    (shown,) = platform.sql(
        "select sum(quarantined_samples) from fct_quality_daily "
        f"where point_id like 'socomec/{UNKNOWN_SERIAL}/%'"
    )
    assert shown[0] == rows.height


def test_late_points_rewrite_exactly_their_day_and_the_marts_follow(
    platform: Installation,
) -> None:
    before = platform.files()
    energy_before = _daily_energy(platform)
    platform.suite.ask("/clock", order={"now": "2026-02-06T12:00:00Z"})
    must_succeed(platform.ingest(DAYS))
    must_succeed(platform.settle())
    changed = {path for path, digest in platform.files().items() if before.get(path) != digest}
    assert {path.split("day=")[1][:10] for path in changed} == {DAYS[1]}
    assert any("raw_socomec__datapoints" in path for path in changed)
    assert any("core_energy_intervals" in path for path in changed)
    moved = {
        key: (energy_before[key], now)
        for key, now in _daily_energy(platform).items()
        if energy_before.get(key) != now
    }
    assert moved == {}, "late points inside a day move no energy between days"
    estimated = platform.sql(
        "select sum(estimated_wh) from fct_energy_daily "
        f"where point_id like 'socomec/{LATE_SERIAL}/%'"
    )
    assert estimated == [(0.0,)], "the gap was an estimate until the points came"
    again = platform.files()
    must_succeed(platform.ingest(DAYS))
    assert platform.follow(REFRESH, PUSH) == []
    assert platform.files() == again
    assert platform.delivery_report()["complaints"] == []


def _daily_energy(platform: Installation) -> dict[tuple[str, date], float]:
    return {
        (point_id, day): round(energy_wh, 3)
        for point_id, day, energy_wh in platform.sql(
            "select point_id, local_day, energy_wh from fct_energy_daily "
            "where energy_wh is not null"
        )
    }


def _forget_device(installation: Installation, *, serial: str) -> None:
    """Take a device out of the portfolio, and the sums and streams that need it."""
    path = installation.data / "portfolio.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["devices"] = [
        one
        for one in content["devices"]
        if one["serial"] != serial
        and not (one["vendor"] == "virtual" and f"/{serial}/" in str(one))
    ]
    content["streams"] = [
        one
        for one in content["streams"]
        if not any(f"/{serial}/" in point for point in one["fields"].values())
    ]
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


def _deliver_late(installation: Installation) -> None:
    """Three hours of one meter's day come only on the sixth."""
    events = [
        {
            "signal": key,
            "kind": "late",
            "start": f"{DAYS[1]}T08:00:00Z",
            "end": f"{DAYS[1]}T11:00:00Z",
            "visible_from": "2026-02-06T00:00:00Z",
        }
        for key in installation.world.signals
        if key.startswith(f"socomec/{LATE_SERIAL}/")
    ]
    installation.suite.ask("/events", order={"add": events})
    installation.suite.ask("/clock", order={"now": "2026-02-05T12:00:00Z"})
