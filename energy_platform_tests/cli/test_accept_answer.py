"""``accept-answer`` against the simulated SoData: the newer answer counts, with a record."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from rich.console import Console

from energy_platform.cli.accept_answer import run_accept_answer
from energy_platform.days import day_bounds
from energy_platform.ingest.run import ingest_days, ingest_inventory
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_day
from energy_platform.settings import SettingsError
from energy_platform.sources.registry import open_source
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.environment import environment
from energy_platform_tests.faults.harness import DAY, NOW, open_harness

if TYPE_CHECKING:
    from pathlib import Path


def test_rows_that_the_vendor_took_back_are_replaced_on_an_operators_word(tmp_path: Path) -> None:
    data = tmp_path / "data"
    lake = Lake(data / "lake")
    with open_harness(tmp_path) as harness, environment({"ENERGY_PLATFORM_DATA_DIR": str(data)}):
        portfolio = harness.portfolio
        with (
            environment({"ENERGY_PLATFORM_PORTFOLIO": str(tmp_path / "portfolio.yaml")}),
            open_source(
                "socomec", portfolio=portfolio, landing=data / "landing", logins=None
            ) as source,
        ):
            ingest_inventory(source, vendor="socomec", lake=lake)
            list(ingest_days(source, vendor="socomec", lake=lake, days=[DAY], now=NOW))
            true = lake.read(RAW_SOCOMEC_DATAPOINTS, day=DAY)
            early = true.with_columns(pl.col("at") + pl.duration(milliseconds=500))
            inside = early.filter(pl.col("at") < day_bounds(DAY)[1])
            land_day(
                lake,
                RAW_SOCOMEC_DATAPOINTS,
                day=DAY,
                frame=inside,
                complete_until=NOW + timedelta(hours=1),
                closed=True,
            )
            assert lake.read(RAW_SOCOMEC_DATAPOINTS, day=DAY).height == 2 * true.height
            out = io.StringIO()

            code = run_accept_answer(
                Console(file=out), source="socomec", day=DAY, device="", reason="stamped anew"
            )

    assert code == 0
    assert f"{true.height} rows dropped" in out.getvalue()
    assert "stamped anew" in out.getvalue()
    assert lake.read(RAW_SOCOMEC_DATAPOINTS, day=DAY).equals(true)
    with Catalogue(data) as catalogue:
        (record,) = catalogue.replacements("socomec", day=DAY)
    assert record.dropped == true.height
    assert (data / record.kept_in).exists()


@pytest.mark.parametrize(
    ("source", "day", "reason", "said"),
    [
        ("acme", DAY, "why", "unknown source"),
        ("socomec", "03/03/2026", "why", "YYYY-MM-DD"),
        ("socomec", "20260303", "why", "YYYY-MM-DD"),
        ("socomec", DAY, "  ", "expected a reason"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(
    source: str, day: str, reason: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        run_accept_answer(
            Console(file=io.StringIO()), source=source, day=day, device="", reason=reason
        )
