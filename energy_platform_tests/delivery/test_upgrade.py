"""A ledger that version 0.1.0 left goes on without loss; ``ledger-0.1.0.sql`` is one, dumped."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from energy_platform.delivery import Ledger, migrations
from energy_platform.delivery.ledger import tables
from energy_platform_tests.delivery.scenario import (
    ELECTRICITY,
    open_harness,
    point,
    portfolio,
    regular,
    rising,
    utc,
)

if TYPE_CHECKING:
    from typing import Any

    import pytest

DUMP = Path(__file__).parent / "ledger-0.1.0.sql"
OLD_TABLES = [
    table for table in tables.metadata.sorted_tables if table.name not in {"lease", "unrecorded"}
]
NEW_COLUMNS = {"is_restored", "lake_from_us"}
OLD_COLUMNS = {
    "in_doubt": "unclear",
    "blocked_day": "held_day",
    "blocked_since_us": "held_since_us",
    "seen_version": "looked_mark",
    "late_seen_version": "late_mark",
    "config_fingerprint": "basis",
    "baseline_wh": "anchor_wh",
    "baseline_us": "anchor_us",
    "summed_version": "sum_mark",
    "held_back_wh": "debt_wh",
    "planned_us": "intent_us",
}
"""Columns by their name now, with their name in version 0.1.0."""
NEW_WORDS = {"anchored": "baseline_set", "adopted": "resumed_from_readback"}
"""Kinds of events by their name in version 0.1.0, with their name now."""
VALUE = """
  - {id: part-1, kind: value, site: s, credential: default, interval: 15m,
     reading: per_interval, unit: kWh, fields: {value: socomec/M1/H}}
"""


def rows_of(engine: sa.Engine, *, old: bool = False) -> dict[str, list[list[tuple[str, Any]]]]:
    """Return every row by the columns' present names, of a ledger of this version or of 0.1.0.

    All of 0.1.0 went to Wattics, without a word of it in the rows.
    """
    found = {}
    with engine.connect() as connection:
        for table in OLD_TABLES:
            names = {
                c.name: OLD_COLUMNS.get(c.name, c.name) if old else c.name
                for c in table.c
                if not (old and c.name == "destination") and c.name not in NEW_COLUMNS
            }
            query = sa.select(
                *(sa.column(then, table.c[now].type).label(now) for now, then in names.items())
            ).select_from(sa.table(table.name))
            rows: list[dict[str, Any]] = [
                {
                    name: bytes(value) if isinstance(value, memoryview) else value
                    for name, value in row.items()
                }
                for row in connection.execute(query).mappings()
            ]
            if old and table.name == "events":
                for row in rows:
                    row["kind"] = NEW_WORDS.get(row["kind"], row["kind"])
                    row["detail"] = row["detail"].replace('"anchor_', '"baseline_')
            if old and "destination" in table.c:
                rows = [row | {"destination": "wattics"} for row in rows]
            found[table.name] = sorted((sorted(row.items()) for row in rows), key=repr)
    return found


def old_ledger(path: Path) -> sa.Engine:
    """Make the SQLite ledger of version 0.1.0."""
    with sqlite3.connect(path) as connection:
        connection.executescript(DUMP.read_text(encoding="utf-8"))
    connection.close()
    return sa.create_engine(f"sqlite:///{path}")


def make_old(url: str, old: sa.Engine) -> None:
    """Turn an empty database into a ledger of version 0.1.0 with the same rows."""
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        with old.connect() as source:
            for table in OLD_TABLES:
                then = sa.Table(table.name, sa.MetaData(), autoload_with=connection)
                rows = [dict(row) for row in source.execute(sa.select(then)).mappings()]
                if rows:
                    connection.execute(sa.insert(then), rows)
    engine.dispose()


def test_a_ledger_of_the_first_version_keeps_every_row_and_goes_on(
    ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The rules are newer than the ledger, and the lake that is told follows them.
    monkeypatch.setattr("energy_platform.refresh.stale", lambda *_: ())
    path = tmp_path / "ledger.sqlite"
    old = old_ledger(path)
    before = rows_of(old, old=True)
    if not ledger_url.startswith("sqlite"):
        make_old(ledger_url, old)
    assert len(before["packets"]) == 47
    assert len(before["dead_letters"]) == 1
    old.dispose()
    with Ledger(ledger_url) as ledger:
        assert rows_of(ledger.engine) == before
        with open_harness(tmp_path, ledger=ledger, now=utc("2026-03-05 12:00")) as harness:
            agreed = portfolio(ELECTRICITY + VALUE)
            harness.register_streams(agreed)
            start = utc("2026-03-01 00:00")
            for key, power_w in (("E", 1200), ("H", 4000)):
                harness.scenario.registers[point(1, key)] = regular(
                    start,
                    utc("2026-03-01 05:55"),
                    every=timedelta(minutes=5),
                    value=rising(start, face_wh=0, power_w=power_w),
                )
            harness.scenario.write_days("2026-03-01", until=utc("2026-03-01 06:00"))
            outcome = harness.push(agreed)
            assert outcome.ok, outcome.problems
            # One and eight were without an answer; nothing else goes out again.
            assert (len(harness.sim.packets("el-1")), len(harness.sim.packets("part-1"))) == (1, 8)
            assert harness.sim.delivery_report().clean
        assert ledger.pending_counts() == {}
        assert len(ledger.dead_letters()) == 1


def test_the_lease_of_an_upgraded_ledger_is_free(tmp_path: Path) -> None:
    old_ledger(tmp_path / "ledger.sqlite").dispose()
    with (
        Ledger.at(tmp_path / "ledger.sqlite") as ledger,
        ledger.engine.connect() as connection,
    ):
        found = connection.execute(sa.select(tables.lease)).one()
    assert (found.generation, found.token) == (0, None)
