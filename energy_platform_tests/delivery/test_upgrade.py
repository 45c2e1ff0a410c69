"""A ledger that version 0.1.0 left goes on without loss; ``ledger-0.1.0.sql`` is one, dumped."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from energy_platform.delivery import Ledger
from energy_platform.delivery.ledger import tables
from energy_platform_tests.delivery.story import (
    ELECTRICITY,
    bench,
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
OLD_TABLES = [table for table in tables.metadata.sorted_tables if table.name != "lease"]
VALUE = """
  - {id: part-1, kind: value, site: s, credential: default, interval: 15m,
     reading: per_interval, unit: kWh, fields: {value: socomec/M1/H}}
"""


def rows_of(engine: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    with engine.connect() as connection:
        return {
            table.name: sorted(
                [
                    tuple(bytes(one) if isinstance(one, memoryview) else one for one in row)
                    for row in connection.execute(sa.select(table))
                ],
                key=repr,
            )
            for table in OLD_TABLES
        }


def old_ledger(path: Path) -> sa.Engine:
    """Make the SQLite ledger of version 0.1.0."""
    with sqlite3.connect(path) as connection:
        connection.executescript(DUMP.read_text(encoding="utf-8"))
    connection.close()
    return sa.create_engine(f"sqlite:///{path}")


def make_old(url: str, old: sa.Engine) -> None:
    """Turn an empty database into a ledger of version 0.1.0 with the same rows."""
    Ledger(url).close()  # whose first tables are those of 0.1.0
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE lease"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
        with old.connect() as source:
            for table in OLD_TABLES:
                rows = [dict(row) for row in source.execute(sa.select(table)).mappings()]
                if rows:
                    connection.execute(sa.insert(table), rows)
    engine.dispose()


def test_a_ledger_of_the_first_version_keeps_every_row_and_goes_on(
    ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The rules are newer than the ledger, and the lake that is told follows them.
    monkeypatch.setattr("energy_platform.refresh.stale", lambda *_: ())
    path = tmp_path / "ledger.sqlite"
    old = old_ledger(path)
    before = rows_of(old)
    if not ledger_url.startswith("sqlite"):
        make_old(ledger_url, old)
    assert len(before["packets"]) == 47
    assert len(before["dead_letters"]) == 1
    old.dispose()
    with Ledger(ledger_url) as ledger:
        assert rows_of(ledger.engine) == before
        with bench(tmp_path, ledger=ledger, now=utc("2026-03-05 12:00")) as desk:
            agreed = portfolio(ELECTRICITY + VALUE)
            desk.agree(agreed)
            start = utc("2026-03-01 00:00")
            for key, power_w in (("E", 1200), ("H", 4000)):
                desk.story.registers[point(1, key)] = regular(
                    start,
                    utc("2026-03-01 05:55"),
                    every=timedelta(minutes=5),
                    value=rising(start, face_wh=0, power_w=power_w),
                )
            desk.story.tell("2026-03-01", until=utc("2026-03-01 06:00"))
            outcome = desk.push(agreed)
            assert outcome.ok, outcome.problems
            # One and eight were without an answer; nothing else goes out again.
            assert (len(desk.sim.packets("el-1")), len(desk.sim.packets("part-1"))) == (1, 8)
            assert desk.sim.delivery_report().clean
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
