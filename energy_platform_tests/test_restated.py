"""Final figures that a publication changed are told once, by site, with how many and why."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from energy_platform.alerts.conditions import restatement_conditions
from energy_platform.restated import restated
from energy_platform.warehouse.restatements import RESTATEMENTS

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 4, 2, 12, tzinfo=UTC)


def put_mart(marts: Path, *rows: tuple[str, str, str, date, datetime, str]) -> None:
    """Write the mart as a publication leaves it: site, scope, grain, period, when and why."""
    frame = pl.DataFrame(
        [
            {
                "scope": scope,
                "scope_id": site if scope == "site" else f"socomec/{site}/E",
                "site_id": site,
                "figure": "energy",
                "grain": grain,
                "period_start": start,
                "unit": "Wh",
                "old_value": 1000.0,
                "new_value": 1200.0,
                "old_said_at": NOW - timedelta(days=20),
                "restated_at": at,
                "why": why,
            }
            for site, scope, grain, start, at, why in rows
        ],
        schema=RESTATEMENTS,
    )
    (marts / "mart_restatements").mkdir(parents=True, exist_ok=True)
    frame.write_parquet(marts / "mart_restatements" / "part.parquet")


def test_what_was_restated_lately_is_one_condition_of_each_site(tmp_path: Path) -> None:
    at = NOW - timedelta(hours=3)
    put_mart(
        tmp_path,
        ("paris", "point", "day", date(2026, 3, 4), at, "late data"),
        ("paris", "site", "day", date(2026, 3, 4), at, "correction, late data"),
        ("paris", "point", "month", date(2026, 3, 1), at, "late data"),
        # The same figure once more, later that day, is still one figure.
        ("paris", "point", "day", date(2026, 3, 4), at + timedelta(hours=1), "correction"),
        ("lyon", "site", "week", date(2026, 3, 2), at, "portfolio"),
        ("nice", "site", "week", date(2026, 3, 2), NOW - timedelta(hours=25), "portfolio"),
    )
    found = restatement_conditions(restated(tmp_path, since=NOW - timedelta(days=1)))
    assert [(one.subject, one.what, one.since) for one in found] == [
        (
            "lyon",
            "lyon: 1 figure that was final is another now, of 2026-03-02: portfolio",
            at,
        ),
        (
            "paris",
            (
                "paris: 3 figures that were final are others now, of 2026-03-01 to 2026-03-04: "
                "correction, late data"
            ),
            at,
        ),
    ]
    assert "from mart_restatements where site_id = 'paris'" in found[1].todo


def test_nothing_restated_and_nothing_published_are_no_condition(tmp_path: Path) -> None:
    assert restated(tmp_path, since=NOW) == []
    put_mart(tmp_path)
    assert restated(tmp_path, since=NOW) == []
