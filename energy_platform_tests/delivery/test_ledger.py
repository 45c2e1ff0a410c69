"""The ledger on SQLite and, where a server is named, on PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr

from energy_platform.delivery import LedgerError, open_ledger
from energy_platform.delivery.ledger import (
    CredentialStop,
    Event,
    Ledger,
    OutboxEntry,
    PacketResult,
    Register,
    Run,
    StreamFailure,
    TakenOverError,
)
from energy_platform.delivery.ledger.tables import lease as lease_table
from energy_platform.delivery.ledger.tables import metadata
from energy_platform.settings import PlatformSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


TO = "wattics"
"""Where the streams go."""


def entries(stream: str, count: int) -> list[OutboxEntry]:
    return [OutboxEntry(TO, stream, at_us, b'{"n":%d}' % at_us) for at_us in range(1, count + 1)]


def planned(ledger: Ledger, stream: str = "s", count: int = 3) -> list[OutboxEntry]:
    """Enrol a stream and give it some packets."""
    ledger.register_streams([stream], destination=TO)
    made = entries(stream, count)
    state = ledger.states()[stream]
    state.planned_until_us = state.last_packet_us = count
    ledger.commit_plan({stream: state}, entries=made, now_us=5)
    return made


def test_the_migrations_make_exactly_the_tables_the_code_uses(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    # Comments and types of a variant are written once, in the code.
    structural = [one for one in differences if isinstance(one, tuple)]
    assert structural == []


def test_opening_again_keeps_everything(ledger_url: str) -> None:
    with Ledger(ledger_url) as first:
        made = planned(first)
        state = first.states()["s"]
        state.registers["pC_1"] = Register(
            point_id="p",
            config_fingerprint="b",
            baseline_wh=1.5,
            baseline_us=2,
            sum_day="2026-03-01",
            sent_thousandths=9_007_199_254_740_993,
            held_back_wh=0.25,
        )
        first.commit_plan({"s": state}, now_us=6)
    with Ledger(SecretStr(ledger_url)) as second:
        assert second.pending(["s", "other"]) == {"s": made}
        assert second.states()["s"] == state


def test_an_answer_settles_its_packet_and_moves_the_stream(ledger: Ledger) -> None:
    planned(ledger)
    ledger.record_results(
        [
            PacketResult("s", 1, "acknowledged", 10, 200),
            PacketResult("s", 2, "acknowledged", 11, 204),
        ]
    )
    assert [one.at_us for one in ledger.pending(["s"])["s"]] == [3]
    assert ledger.pending_counts() == {"s": 1}
    assert ledger.pending_since() == {"s": 3}
    state = ledger.states()["s"]
    assert (state.acknowledged, state.last_acknowledged_us) == (2, 2)
    assert ledger.instants("s", after_us=1, until_us=3) == {2: "acknowledged", 3: "pending"}


def test_a_refused_packet_is_buried_whole_and_the_streak_is_counted(ledger: Ledger) -> None:
    planned(ledger, count=4)
    ledger.record_results([PacketResult("s", 1, "refused", 10, 400, "bad")])
    ledger.record_results([PacketResult("s", 2, "refused", 10, 422, "worse")])
    assert ledger.states()["s"].refused_streak == 2
    first, second = ledger.dead_letters()
    assert (first.body, first.answer, first.reason) == (b'{"n":1}', 400, "bad")
    ledger.close_dead_letter(first, state="resent", pending=True, now_us=12)
    ledger.close_dead_letter(second, state="discarded", pending=False, now_us=12)
    assert ledger.dead_letters() == []
    assert [one.state for one in ledger.dead_letters(state=None)] == ["resent", "discarded"]
    assert [one.at_us for one in ledger.pending(["s"])["s"]] == [1, 3, 4]
    ledger.record_results([PacketResult("s", 1, "acknowledged", 13, 200)])
    assert ledger.states()["s"].refused_streak == 0
    assert [one.kind for one in ledger.events(stream_id="s")] == [
        "refused",
        "refused",
        "resent",
        "skipped",
    ]


def test_an_acknowledgement_behind_the_newest_does_not_move_it_back(ledger: Ledger) -> None:
    planned(ledger)
    ledger.record_results([PacketResult("s", 3, "acknowledged", 10, 200)])
    ledger.record_results([PacketResult("s", 1, "acknowledged", 11, 200)])
    state = ledger.states()["s"]
    assert (state.acknowledged, state.last_acknowledged_us) == (2, 3)


def test_a_failure_is_remembered_until_something_gets_through(ledger: Ledger) -> None:
    planned(ledger)
    ledger.record_results([], failures=[StreamFailure("s", 7, "busy", in_doubt=True, resume_us=99)])
    ledger.record_results([], failures=[StreamFailure("s", 8, "still busy", in_doubt=True)])
    state = ledger.states()["s"]
    assert (state.failure, state.failing_since_us, state.in_doubt) == ("still busy", 7, True)
    ledger.record_results([PacketResult("s", 1, "acknowledged", 10, 200)])
    state = ledger.states()["s"]
    assert (state.failure, state.failing_since_us, state.in_doubt) == (None, None, False)


def test_a_plan_is_written_whole_or_not_at_all(ledger: Ledger) -> None:
    made = planned(ledger)
    state = ledger.states()["s"]
    state.planned_until_us = 77
    with pytest.raises(sa.exc.IntegrityError):
        ledger.commit_plan(
            {"s": state}, entries=[OutboxEntry(TO, "s", 50, b"{}"), made[0]], now_us=8
        )
    assert ledger.states()["s"].planned_until_us == 3
    assert ledger.pending(["s"]) == {"s": made}


def test_after_a_crash_only_streams_with_open_packets_are_in_doubt(ledger: Ledger) -> None:
    planned(ledger, "open")
    planned(ledger, "done")
    ledger.record_results([PacketResult("done", n, "acknowledged", 10, 200) for n in (1, 2, 3)])
    ledger.mark_in_doubt(TO)
    states = ledger.states()
    assert (states["open"].in_doubt, states["done"].in_doubt) == (True, False)


def test_a_refused_credential_is_noted_once_and_freed(ledger: Ledger) -> None:
    ledger.stop_credential(CredentialStop(TO, "default", 1, 300, "401"))
    ledger.stop_credential(CredentialStop(TO, "default", 2, 600, "401 again"))
    stop = ledger.stopped_credentials(TO)["default"]
    assert (stop.stopped_us, stop.probe_us) == (1, 600)
    ledger.free_credential("default", destination=TO, now_us=700)
    ledger.free_credential("default", destination=TO, now_us=701)
    assert ledger.stopped_credentials(TO) == {}
    assert [one.kind for one in ledger.events()] == ["auth_stopped", "auth_recovered"]


def test_destinations_have_runs_credentials_and_doubts_of_their_own(ledger: Ledger) -> None:
    planned(ledger)
    ledger.register_streams(["other"], destination="elsewhere")
    ledger.commit_plan({}, entries=[OutboxEntry("elsewhere", "other", 1, b"{}")], now_us=5)
    ledger.mark_in_doubt("elsewhere")
    ledger.stop_credential(CredentialStop("elsewhere", "default", 1, 300, "401"))
    ledger.set_run(Run(True, 1, 5, 6, "killed"), destination="elsewhere")
    states = ledger.states()
    assert (states["s"].in_doubt, states["other"].in_doubt) == (False, True)
    assert {one: states[one].destination for one in states} == {"s": TO, "other": "elsewhere"}
    assert ledger.stopped_credentials(TO) == {}
    assert ledger.run(TO) is None
    ledger.record_results([PacketResult("other", 1, "refused", 10, 400, "no")])
    assert [one.destination for one in ledger.dead_letters()] == ["elsewhere"]


def test_the_run_row_is_replaced(ledger: Ledger) -> None:
    assert ledger.run(TO) is None
    ledger.set_run(Run(True, 1, 5, 6, "killed"), destination=TO)
    ledger.set_run(Run(False, 0, 7, None, None), destination=TO)
    assert ledger.run(TO) == Run(False, 0, 7, None, None)


def test_pruning_forgets_old_settled_packets_and_nothing_else(ledger: Ledger) -> None:
    planned(ledger)
    ledger.record_results([PacketResult("s", 1, "acknowledged", 10, 200)])
    ledger.prune(["s"], before_us=3)
    assert ledger.instants("s", after_us=0, until_us=9) == {2: "pending", 3: "pending"}
    assert ledger.first_instants(["s", "other"]) == {"s": 2}
    assert ledger.states()["s"].acknowledged == 1


def test_readers_and_a_writer_do_not_block_each_other(ledger: Ledger) -> None:
    planned(ledger, count=200)
    errors: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(20):
                ledger.states()
                ledger.pending_counts()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for at_us in range(1, 201):
        ledger.record_results([PacketResult("s", at_us, "acknowledged", 10, 200)])
    for reader in readers:
        reader.join()
    assert errors == []
    assert ledger.states()["s"].acknowledged == 200


def test_two_processes_open_a_new_ledger_at_once(ledger_url: str) -> None:
    errors: list[BaseException] = []

    def open_it() -> None:
        try:
            with Ledger(ledger_url) as opened:
                opened.commit_plan({}, events=[Event(1, None, "hold", {})], now_us=1)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    openers = [threading.Thread(target=open_it) for _ in range(4)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert errors == []
    with Ledger(ledger_url) as opened:
        assert len(opened.events()) == 4


def test_a_new_ledger_waits_for_the_one_who_is_just_making_it(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, other.execute, ["COMMIT"]).start()
    with Ledger.at(path) as ledger:
        assert ledger.states() == {}
    other.close()


@pytest.mark.crash
def test_a_commit_survives_a_power_cut(tmp_path: Path) -> None:
    with Ledger.at(tmp_path / "l.sqlite") as ledger, ledger.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_ledger_of_a_newer_platform_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    Ledger.at(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match=r"9999.*update the platform"):
        Ledger.at(path)


def test_an_unusable_address_is_said_without_its_password(tmp_path: Path) -> None:
    for url in ("mysql://u:hunter2@host/db", "not a url hunter2"):
        with pytest.raises(LedgerError) as caught:
            Ledger(url)
        assert "hunter2" not in str(caught.value)


def test_what_cannot_be_opened_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder.sqlite").mkdir()
    (tmp_path / "page.sqlite").write_text("<html>" * 300, encoding="utf-8")
    (tmp_path / "file").write_text("", encoding="utf-8")
    for url in (
        f"sqlite:///{tmp_path}/folder.sqlite",
        f"sqlite:///{tmp_path}/page.sqlite",
        f"sqlite:///{tmp_path}/file/ledger.sqlite",
        "postgresql://u:hunter2@127.0.0.1:9/x",
    ):
        with pytest.raises(LedgerError) as caught:
            Ledger(url)
        assert "\n" not in str(caught.value)
        assert "hunter2" not in str(caught.value)


def test_a_push_whose_lease_was_taken_writes_nothing_more(ledger: Ledger) -> None:
    planned(ledger)
    with ledger.exclusive(stop=threading.Event()) as lease:
        assert lease is not None
        assert lease.may_send()
        ledger.record_results([PacketResult("s", 1, "acknowledged", 10, 200)])
        with ledger.engine.begin() as other:
            other.execute(
                sa.update(lease_table).values(
                    generation=lease_table.c.generation + 1, token="x", owner="host B"
                )
            )
        state = ledger.states()["s"]
        writes: list[Callable[[], None]] = [
            lambda: ledger.record_results([PacketResult("s", 2, "acknowledged", 11, 200)]),
            lambda: ledger.commit_plan(
                {"s": state}, entries=[OutboxEntry(TO, "s", 9, b"{}")], now_us=12
            ),
            lambda: ledger.set_run(Run(False, 0, 1, None, None), destination=TO),
            lambda: ledger.commit_plan({}, events=[Event(1, "s", "hold", {})], now_us=1),
            lambda: ledger.stop_credential(CredentialStop(TO, "default", 1, 2, "401")),
            lambda: ledger.free_credential("default", destination=TO, now_us=1),
            lambda: ledger.mark_in_doubt(TO),
            lambda: ledger.prune(["s"], before_us=3),
            lambda: ledger.register_streams(["new"], destination=TO),
        ]
        for write in writes:
            with pytest.raises(TakenOverError, match=r"host B took over.*nothing is lost"):
                write()
        assert ledger.pending_counts() == {"s": 2}
        assert ledger.run(TO) is None


def test_an_ended_push_leaves_the_lease_to_the_next_at_once(ledger: Ledger) -> None:
    generations = []
    for _ in range(3):
        with ledger.exclusive(stop=threading.Event()) as lease:
            assert lease is not None
            generations.append(lease.generation)
    assert generations == [1, 2, 3]


def test_the_default_ledger_lies_in_the_data_folder(tmp_path: Path) -> None:
    settings = PlatformSettings(data_dir=tmp_path)
    with open_ledger(settings) as ledger:
        ledger.register_streams(["s"], destination=TO)
    assert (tmp_path / "ledger.sqlite").exists()
    url = SecretStr(f"sqlite:///{tmp_path}/elsewhere.sqlite")
    with open_ledger(PlatformSettings(data_dir=tmp_path, ledger_url=url)) as ledger:
        assert "elsewhere" in repr(ledger)
