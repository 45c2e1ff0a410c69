"""A ledger that was put back from a backup: nothing twice, nothing missing, totals as they were."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.backup.databases import copy_sqlite
from energy_platform.days import day_range, microseconds
from energy_platform.delivery import Ledger, delivery_frame, push_decision, reconcile
from energy_platform.delivery.restored import ContinueError, continue_from
from energy_platform_tests.delivery.scenario import (
    ELECTRICITY,
    DeliveryHarness,
    open_harness,
    point,
    portfolio,
    regular,
    rising,
    utc,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.portfolio import Portfolio

FIVE = timedelta(minutes=5)
START = utc("2026-03-01 00:02")
BACKUP_AT = utc("2026-03-03 09:07")
HEAT = """  - {id: part-1, kind: value, site: s, credential: default, interval: 15m,
     reading: per_interval, unit: kWh, fields: {value: socomec/M1/H}%s}
"""
TEMPERATURE = """  - {id: t-1, kind: value, site: s, credential: default, interval: 15m,
     reading: average, unit: °C, fields: {value: socomec/M1/T}}
"""
ALL = ELECTRICITY + HEAT % "" + TEMPERATURE


def fill(harness: DeliveryHarness) -> None:
    """Five days of a meter that reads every five minutes."""
    end = utc("2026-03-05 23:59")
    for key, power in (("E", 1237.0), ("H", 811.0)):
        harness.scenario.registers[point(1, key)] = regular(
            START, end, every=FIVE, value=rising(START, face_wh=5000, power_w=power)
        )
    harness.scenario.quantities[point(1, "T")] = ("temperature", "°C")
    harness.scenario.gauges[point(1, "T")] = regular(
        START, end, every=FIVE, value=lambda at: 20.0 + at.hour / 10
    )


def land(harness: DeliveryHarness, first: str, *, until: datetime) -> None:
    """Write the days from one on, the last of them open, as of an instant that is the present."""
    harness.now = until
    harness.scenario.write_days(first, f"{until:%Y-%m-%d}", until=until)


@contextmanager
def lost_after_backup(harness: DeliveryHarness, agreed: Portfolio, folder: Path) -> Iterator[None]:
    """Back up in the middle of day 3, go on until day 4, lose all, put it back."""
    harness.register_streams(agreed)
    fill(harness)
    land(harness, "2026-03-01", until=BACKUP_AT)
    assert harness.push(agreed).ok
    copy = folder / "copy.sqlite"
    copy_sqlite(folder / "harness.sqlite", copy)
    land(harness, "2026-03-03", until=utc("2026-03-04 14:33"))
    assert harness.push(agreed).ok
    shutil.rmtree(harness.scenario.lake.root)
    (folder / "catalogue.sqlite").unlink()
    harness.ledger.close()
    with Ledger.at(copy) as restored:
        harness.ledger = restored
        harness.scenario.write_days("2026-03-01", "2026-03-03", until=BACKUP_AT)
        marked = restored.mark_restored(
            lake_until_us=microseconds(BACKUP_AT), now_us=microseconds(harness.now)
        )
        assert marked == len(agreed.streams)
        yield


def never_lost(agreed: Portfolio, folder: Path) -> dict[str, list[str]]:
    """Return what Wattics holds by stream when nothing is ever lost."""
    folder.mkdir()
    with (
        Ledger.at(folder / "harness.sqlite") as ledger,
        open_harness(folder, ledger=ledger, now=utc("2026-03-05 23:59")) as harness,
    ):
        harness.register_streams(agreed)
        fill(harness)
        for until in (BACKUP_AT, utc("2026-03-04 14:33"), utc("2026-03-05 20:00")):
            land(harness, "2026-03-01", until=until)
            assert harness.push(agreed).ok
        return held(harness, agreed)


def held(harness: DeliveryHarness, agreed: Portfolio) -> dict[str, list[str]]:
    return {
        stream: [packet.body for packet in harness.sim.packets(stream)] for stream in agreed.streams
    }


def judge(harness: DeliveryHarness) -> None:
    report = harness.sim.delivery_report()
    assert report.clean, report.complaints
    for stream in report.streams.values():
        assert stream.missing_intervals == stream.crowded_intervals == 0, stream


def test_after_a_restore_wattics_holds_what_it_would_have_without_the_loss(
    harness: DeliveryHarness, tmp_path: Path
) -> None:
    agreed = portfolio(ALL)
    with lost_after_backup(harness, agreed, tmp_path):
        before = held(harness, agreed)
        waiting = delivery_frame(harness.ledger, harness.scenario.lake, agreed)
        assert waiting["blocked"].all()
        assert "not read back yet" in waiting["reason"][0]
        assert harness.push(agreed).ok
        assert held(harness, agreed) == before
        assert not push_decision(
            harness.scenario.lake, harness.ledger, agreed, now=harness.now
        ).is_wanted
        # The newest days are read first: totals need those in between.
        harness.now = utc("2026-03-05 20:00")
        harness.scenario.write_days("2026-03-05", until=harness.now)
        harness.push(agreed)
        assert held(harness, agreed) == before
        harness.scenario.write_days("2026-03-04")
        harness.push(agreed)
        assert held(harness, agreed) == before
        harness.scenario.write_days("2026-03-03")
        assert push_decision(
            harness.scenario.lake, harness.ledger, agreed, now=harness.now
        ).is_wanted
        assert harness.push(agreed).ok
        assert held(harness, agreed) == never_lost(agreed, tmp_path / "never")
        judge(harness)
        for row in reconcile(
            harness.scenario.lake,
            ledger=harness.ledger,
            portfolio=agreed,
            settings=harness.settings(),
            clock=lambda: harness.now,
        ):
            assert row.differences == (), row
        kinds = [event.kind for event in harness.ledger.events(stream_id="el-1")]
        assert kinds.count("read_back") == 1


def test_packets_that_were_planned_at_the_backup_are_not_sent_again(
    harness: DeliveryHarness, tmp_path: Path
) -> None:
    agreed = portfolio(ALL)
    harness.register_streams(agreed)
    fill(harness)
    land(harness, "2026-03-01", until=utc("2026-03-01 06:00"))
    assert harness.push(agreed).ok
    land(harness, "2026-03-01", until=BACKUP_AT)
    # All is planned, and nothing gets through: the backup holds packets without an answer.
    harness.sim.faults.set("http_503=1.0")
    assert not harness.push(agreed, give_up_s=0).ok
    copy = tmp_path / "copy.sqlite"
    copy_sqlite(tmp_path / "harness.sqlite", copy)
    pending = sum(harness.ledger.pending_counts().values())
    assert pending > 200
    known = pending + sum(one.acknowledged for one in harness.ledger.states().values())
    harness.sim.faults.clear()
    assert harness.push(agreed).ok
    before = held(harness, agreed)
    harness.ledger.close()
    with Ledger.at(copy) as restored:
        harness.ledger = restored
        restored.mark_restored(
            lake_until_us=microseconds(BACKUP_AT), now_us=microseconds(harness.now)
        )
        assert harness.push(agreed).ok
        assert restored.pending_counts() == {}
        assert held(harness, agreed) == before
        assert sum(state.acknowledged for state in restored.states().values()) == known


@pytest.mark.parametrize(
    "change",
    [
        {"readback": False},
        {"faults": "http_400=1.0:method=GET"},
        # No packet of this stream, says an answer about one that had hundreds.
        {"faults": "http_404=1.0:method=GET"},
        {"faults": "http_503=1.0:method=GET", "give_up_s": 0},
    ],
    ids=["off", "refused", "nothing", "away"],
)
def test_a_stream_waits_while_it_cannot_read_back_and_an_operator_can_say_it(
    harness: DeliveryHarness, tmp_path: Path, change: dict[str, object]
) -> None:
    agreed = portfolio(ELECTRICITY)
    with lost_after_backup(harness, agreed, tmp_path):
        before = held(harness, agreed)
        if faults := change.pop("faults", None):
            harness.sim.faults.set(str(faults))
        for day in day_range("2026-03-03", "2026-03-04"):
            harness.scenario.write_days(day)
        harness.now = utc("2026-03-05 20:00")
        harness.scenario.write_days("2026-03-05", until=harness.now)
        outcome = harness.push(agreed, **change)
        assert not outcome.ok
        assert held(harness, agreed) == before
        row = delivery_frame(harness.ledger, harness.scenario.lake, agreed).row(0, named=True)
        assert row["blocked"]
        assert "restored from a backup" in row["reason"] or "HTTP 503" in row["reason"]
        harness.sim.faults.clear()
        newest = harness.sim.packets("el-1")[-1].at
        with pytest.raises(ContinueError, match="lies ahead"):
            continue_from(
                harness.ledger, agreed, "el-1", at=utc("2026-04-01 00:00"), now=harness.now
            )
        assert continue_from(harness.ledger, agreed, "el-1", at=newest, now=harness.now) == 0
        with pytest.raises(ContinueError, match="knows where it goes on"):
            continue_from(harness.ledger, agreed, "el-1", at=newest, now=harness.now)
        assert harness.push(agreed, **change).ok
        assert held(harness, agreed) == never_lost(agreed, tmp_path / "never")
        judge(harness)


def test_a_stream_of_late_values_goes_on_by_an_operators_word_only(
    harness: DeliveryHarness, tmp_path: Path
) -> None:
    # What such a stream sent last may lie behind what it sent before.
    agreed = portfolio(HEAT % ", allow_backfill: true")
    with lost_after_backup(harness, agreed, tmp_path):
        before = held(harness, agreed)
        outcome = harness.push(agreed)
        assert "proves nothing" in outcome.streams["part-1"].reason
        assert outcome.streams["part-1"].status == "stopped"
        assert held(harness, agreed) == before
        newest = max(packet.at for packet in harness.sim.packets("part-1"))
        continue_from(harness.ledger, agreed, "part-1", at=newest, now=harness.now)
        harness.now = utc("2026-03-05 20:00")
        for day in day_range("2026-03-03", "2026-03-04"):
            harness.scenario.write_days(day)
        harness.scenario.write_days("2026-03-05", until=harness.now)
        assert harness.push(agreed).ok
        assert held(harness, agreed) == never_lost(agreed, tmp_path / "never")
        judge(harness)


def test_a_register_goes_on_from_what_was_sent_when_the_portfolio_changed_meanwhile(
    harness: DeliveryHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A portfolio under version control comes back newer than the ledger.
    monkeypatch.setattr("energy_platform.refresh.stale", lambda *_: ())
    agreed = portfolio(ELECTRICITY)
    with lost_after_backup(harness, agreed, tmp_path):
        sent = harness.values("el-1", "pC_1")
        newest, value = max(sent.items())
        edited = portfolio(ELECTRICITY.replace("M1/E", "M2/E"))
        end = utc("2026-03-05 23:59")
        harness.scenario.registers[point(2)] = regular(
            START, end, every=FIVE, value=rising(START, face_wh=90_000, power_w=400)
        )
        harness.now = utc("2026-03-05 20:00")
        harness.scenario.write_days("2026-03-01", "2026-03-05", until=harness.now)
        assert harness.push(edited).ok
        after = {at: one for at, one in harness.values("el-1", "pC_1").items() if at > newest}
        assert min(after) == newest + timedelta(minutes=15)
        assert after[newest + timedelta(minutes=15)] == pytest.approx(value + 100, abs=1)
        judge(harness)
