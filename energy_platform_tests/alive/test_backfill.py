"""A backfill that dies, waits or is interrupted, and the next one that does what it is asked."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from energy_platform.installation.run_locks import locked_runs
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import load_portfolio
from energy_platform.refresh import stale
from energy_platform_tests.alive.command import Installation, day_ago, installation

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.long, pytest.mark.crash]

DAY = day_ago(3)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("backfill") / "data") as found:
        yield found


@pytest.fixture
def silent(place: Installation) -> Iterator[None]:
    """Socomec takes requests and never answers."""
    place.suite.ask("/faults", order={"set": ["socomec:never"]})
    try:
        yield
    finally:
        place.suite.ask("/faults", order={"clear": True})


def states(place: Installation) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(place.home / "storage/history/runs.db")) as database:
        rows = database.execute("select pipeline_name, status from runs order by id")
        return [(str(job), str(status)) for job, status in rows]


def slots(place: Installation) -> list[str]:
    path = place.home / "storage/history/runs/index.db"
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("select run_id from concurrency_slots where run_id is not null")
        return [str(row[0]) for row in rows]


def test_a_second_command_says_for_whom_it_waits_and_both_end_in_order_on_ctrl_c(
    place: Installation, silent: None
) -> None:
    first = place.command("backfill", "socomec", DAY, DAY)
    run_id = place.run_of("ingest_socomec")
    second = place.command("backfill", "socomec", DAY, DAY)
    line = second.line("waiting for")
    assert f"waiting for run {run_id[:8]} of ingest_socomec, started" in line
    assert line.rstrip().endswith("UTC by backfill")
    for command in (second, first):
        command.interrupt()
        code, output = command.end()
        assert code == 130
        assert f"To go on: energy-platform backfill socomec {DAY} {DAY}" in output
    assert states(place) == [("ingest_socomec", "CANCELED")]
    assert slots(place) == []
    assert locked_runs(place.home) == []


def test_killed_while_it_reads_and_while_it_refreshes_the_next_one_leaves_nothing_stale(
    place: Installation,
) -> None:
    place.suite.ask("/faults", order={"set": ["socomec:never"]})
    reading = place.command("backfill", "socomec", DAY, DAY)
    died = place.run_of("ingest_socomec")
    reading.kill()
    place.suite.ask("/faults", order={"clear": True})

    refreshing = place.command("backfill", "socomec", DAY, DAY)
    assert f"run {died[:8]} of ingest_socomec had died" in refreshing.line("had died")
    place.run_of("refresh")
    refreshing.kill()

    code, output = place.command("backfill", "socomec", DAY, DAY).end()
    assert code == 0, output
    assert "of refresh had died and is marked as failed" in output
    assert "socomec: 1 of 1 days landed" in output
    assert "days made fresh; published" in output
    assert "packets acknowledged, 0 refused" in output
    portfolio = load_portfolio(place.data / "portfolio.yaml")
    assert stale(Lake(place.data / "lake"), portfolio) == ()
    assert slots(place) == []


def test_a_day_that_cannot_be_read_is_named_and_what_landed_is_published(
    place: Installation,
) -> None:
    """One vendor refuses: the other one's day goes all the way, and the exit code says 1."""
    place.suite.ask("/faults", order={"set": ["socomec:http_403:path=datapoints"]})
    try:
        earlier = day_ago(2)
        for name in ("SKYCENTRICS_CLIENT_ID", "SKYCENTRICS_CLIENT_SECRET"):
            place.environment.pop(name, None)
        code, output = place.command("backfill", "all", earlier, earlier).end()
    finally:
        place.suite.ask("/faults", order={"clear": True})
    assert code == 1, output
    assert "socomec: 0 of 1 days landed" in output
    assert f"{earlier} was not read" in output
    assert "skycentrics: skipped, it has no credentials" in output
    assert "belimo: 1 of 1 days landed" in output
    assert f"up to {earlier}" in output
    assert "push:" in output
