"""``energy-platform delivery …`` against a simulated Wattics."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from energy_platform.cli.app import app
from energy_platform.delivery import Ledger
from energy_platform.portfolio import load_portfolio, parse_portfolio
from energy_platform_tests.delivery.scenario import (
    DeliveryHarness,
    open_harness,
    point,
    regular,
    rising,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.portfolio import Portfolio

TODAY = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
START = TODAY - timedelta(days=3)
END = TODAY - timedelta(days=2)
QUARTER = timedelta(minutes=15)
PORTFOLIO = """
version: 1
sites:
  - {id: s, name: Site, timezone: UTC}
device_types:
  meter:
    points:
      - {key: E, name: Energy, quantity: active_energy_import, unit: Wh}
      - {key: H, name: Heat, quantity: heating_energy, unit: J, carrier: heating}
devices:
  - {vendor: socomec, serial: M1, site: s, name: M1, type: meter, max_power_w: none}
streams:
  - {id: el-1, kind: electricity, site: s, credential: default, interval: 15m,
     reading: cumulative, fields: {pC_1: socomec/M1/E}}
  - {id: part-1, kind: value, site: s, credential: default, interval: 15m,
     reading: per_interval, unit: kWh, fields: {value: socomec/M1/H}}
"""


@pytest.fixture
def agreed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Portfolio:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("WATTICS_", "ENERGY_PLATFORM_")):
            monkeypatch.delenv(name)
    (tmp_path / "portfolio.yaml").write_text(PORTFOLIO, encoding="utf-8")
    return load_portfolio(tmp_path / "portfolio.yaml")


@pytest.fixture
def prepared(
    tmp_path: Path, agreed: Portfolio, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DeliveryHarness]:
    """One day whose sixth value was refused: the value stream waits for an operator."""
    data = tmp_path / "data"
    with (
        Ledger.at(data / "ledger.sqlite") as ledger,
        open_harness(data, ledger=ledger, now=TODAY) as harness,
    ):
        monkeypatch.setenv("WATTICS_BASE_URL", harness.url)
        monkeypatch.setenv("WATTICS_USERNAME", "demo-user")
        monkeypatch.setenv("WATTICS_PASSWORD", "demo-password")
        harness.register_streams(agreed)
        for key, power_w in (("E", 1200), ("H", 4000)):
            harness.scenario.registers[point(1, key)] = regular(
                START,
                TODAY - QUARTER / 3,
                every=QUARTER / 3,
                value=rising(START, face_wh=0, power_w=power_w),
            )
        harness.scenario.write_days(START.date().isoformat())
        harness.sim.faults.set("http_413=@6:method=POST")
        harness.push(only("part-1"))
        harness.sim.faults.clear()
        harness.push(agreed)
        yield harness


def only(stream: str) -> Portfolio:
    """The portfolio with one of its streams."""
    kept = [f"  - {{id: {part}" for part in PORTFOLIO.split("  - {id: ")[2:] if stream in part]
    return parse_portfolio(PORTFOLIO[: PORTFOLIO.index("streams:")] + "streams:\n" + "".join(kept))


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["delivery", *words], env={"COLUMNS": "250"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def rows(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*words, "--json")[1])
    return found


def the_dead_letter() -> dict[str, Any]:
    (dead_letter,) = rows("dead-letters")
    return dead_letter


def test_before_the_first_push_it_says_so_and_makes_no_ledger(
    agreed: Portfolio, tmp_path: Path
) -> None:
    for words in (["status"], ["dead-letters"], ["events"], ["reconcile"], ["skip", "1"]):
        code, said = run(*words)
        assert code == 2
        assert "nothing was delivered so far" in said
    assert not (tmp_path / "data").exists()


def test_status_says_how_far_each_stream_is_and_why_it_waits(prepared: DeliveryHarness) -> None:
    code, said = run("status")
    assert code == 0
    assert "1 refused packets await a decision" in said
    assert "no push is due: nothing can be sent: part-1: waits for an operator" in said
    standing = {row["stream_id"]: row for row in rows("status")}
    assert the_dead_letter()["stream_id"] == "part-1"
    assert standing["part-1"]["blocked"]
    assert "413" in standing["part-1"]["reason"]
    assert standing["el-1"]["last_acknowledged_at"] == (END - QUARTER).isoformat()


def test_a_refused_packet_is_shown_whole_and_sent_again(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    dead_letter = the_dead_letter()
    assert dead_letter["answer"] == 413
    assert json.loads(dead_letter["packet"])["id"] == dead_letter["stream_id"]
    code, said = run("resend", str(dead_letter["id"]))
    assert code == 0
    assert "next push sends it again" in said
    assert rows("dead-letters") == []
    assert [one["state"] for one in rows("dead-letters", "--all")] == ["resent"]
    assert prepared.push(agreed).ok
    judged = prepared.sim.delivery_report()
    assert judged.clean, judged.complaints
    assert {one.missing_intervals for one in judged.streams.values()} == {0}


def test_a_refused_packet_is_skipped_and_the_stream_goes_on(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    dead_letter = the_dead_letter()
    assert run("skip", str(dead_letter["id"]))[0] == 0
    assert prepared.push(agreed).ok
    judged = prepared.sim.delivery_report()
    assert judged.streams[dead_letter["stream_id"]].missing_intervals == 1
    code, said = run("resend", str(dead_letter["id"]))
    assert code == 2
    assert "no open refused packet" in said
    kinds = [event["kind"] for event in rows("events", "--stream", dead_letter["stream_id"])]
    assert kinds[-3:] == ["refused", "stopped", "skipped"]


def test_sending_behind_newer_packets_has_to_be_said(prepared: DeliveryHarness) -> None:
    prepared.scenario.write_days(END.date().isoformat())
    prepared.sim.faults.set("http_413=@1:method=POST")
    prepared.push(only("el-1"))
    (dead_letter,) = rows("dead-letters", "--stream", "el-1")
    code, said = run("resend", str(dead_letter["id"]))
    assert code == 2
    assert "behind newer ones" in said
    assert run("resend", str(dead_letter["id"]), "--behind")[0] == 0
    assert rows("dead-letters", "--stream", "el-1") == []


def test_reconcile_lists_what_differs_with_what_will_be_done(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    code, said = run("reconcile")
    assert code == 1
    assert "1 of 2 streams agree" in said
    found = {one["stream_id"]: one for one in rows("reconcile", "--days", "5")}
    assert "an operator decides" in found["part-1"]["action"]
    assert found["el-1"]["stored_until"] == found["el-1"]["ledger_until"]
    run("skip", str(the_dead_letter()["id"]))
    prepared.push(agreed)
    code, said = run("reconcile")
    assert (code, "2 of 2 streams agree" in said) == (0, True)


def test_events_can_be_narrowed_and_a_wrong_kind_names_the_right_ones(
    prepared: DeliveryHarness,
) -> None:
    assert {event["kind"] for event in rows("events", "--kind", "refused")} == {"refused"}
    assert len(rows("events", "--last", "1")) == 1
    code, said = run("events", "--kind", "nonsense")
    assert code == 2
    assert "rebase" in said


def test_no_command_prints_a_secret(
    prepared: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTICS_PASSWORD", "invented-Password-1")
    said = "".join(run(*words)[1] for words in (["status"], ["events"], ["reconcile"]))
    assert "invented-Password-1" not in said
    assert "refused" in said


def test_refused_packets_of_a_stream_that_is_gone_await_nobody(
    prepared: DeliveryHarness, tmp_path: Path
) -> None:
    part = PORTFOLIO.index("  - {id: part-1")
    (tmp_path / "portfolio.yaml").write_text(PORTFOLIO[:part], encoding="utf-8")
    _, said = run("status")
    assert "await a decision" not in said
    assert "1 refused packets are of streams that the portfolio no longer has" in said
    dead_letter = the_dead_letter()
    assert dead_letter["stream_in_portfolio"] is False
    assert "its stream is gone" in run("dead-letters")[1]
    code, said = run("resend", str(dead_letter["id"]))
    assert code == 2
    assert "the portfolio has no stream part-1 any more" in said
    assert run("skip", str(dead_letter["id"]))[0] == 0
    assert prepared.ledger.dead_letters() == []


def test_a_ledger_that_is_no_database_is_one_sentence(agreed: Portfolio, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.sqlite").write_bytes(b"not a database, but long enough " * 40)
    for words in (["status"], ["dead-letters"], ["events"]):
        code, said = run(*words)
        assert code == 2
        assert "cannot be used as a SQLite database" in said
        assert said.count("\n") == 1
