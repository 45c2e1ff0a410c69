"""Files out of the inbox: taken once, archived, refused with a reason, left alone while written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from energy_platform.sources.files import intake
from energy_platform.sources.files.inbox import REFUSED
from energy_platform.sources.files.intake import Intake, take_in
from energy_platform.sources.files.settings import FilesSettings
from energy_platform.sources.files.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GOOD = "Time;Energy [kWh]\n2026-02-01 00:15;10\n2026-02-01 00:30;11\n"


class Inbox:
    """An inbox, and what was taken from it."""

    def __init__(self, root: Path, *, settle_s: float = 0) -> None:
        self.folder = root / "inbox"
        self.folder.mkdir(exist_ok=True)
        self.landing = root / "landing"
        self.settings = FilesSettings(folder=self.folder, timezone="UTC", settle_s=settle_s)
        self.store = Store(self.landing)

    def drop(self, name: str, text: str | bytes = GOOD, *, modified: float | None = None) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if modified is not None:
            os.utime(path, (modified, modified))
        return path

    def look(self, now: datetime = NOW) -> Intake:
        return take_in(self.settings, self.store, now=now)

    def left(self) -> list[str]:
        """What lies in the inbox, mappings and refused files aside."""
        return sorted(
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if path.is_file() and path.suffix != ".yaml" and REFUSED not in path.parts
        )

    def archived(self) -> list[bytes]:
        files = (self.landing / "archive").rglob("*")
        return sorted(path.read_bytes() for path in files if path.is_file())

    def refused(self) -> dict[str, str]:
        """Refused files by name, with what stands beside them."""
        return {
            path.name.removesuffix(".reason.txt"): path.read_text(encoding="utf-8")
            for path in (self.folder / REFUSED).rglob("*.reason.txt")
        }


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(tmp_path)
    yield made
    made.store.close()


def test_a_file_is_read_archived_and_gone_from_the_inbox(inbox: Inbox) -> None:
    inbox.drop("meter/2026/february.csv")
    looked = inbox.look()
    assert [(one.logger, one.name, one.samples) for one in looked.taken] == [
        ("meter", "february.csv", 2)
    ]
    assert inbox.left() == []
    assert inbox.archived() == [GOOD.encode()]
    assert inbox.store.arrivals() == {"2026-02-01": NOW}


def test_the_same_bytes_by_another_name_change_nothing(inbox: Inbox) -> None:
    inbox.drop("meter/a.csv")
    inbox.look()
    before = inbox.store.taken()
    inbox.drop("meter/b.csv")
    looked = inbox.look(datetime(2026, 3, 2, tzinfo=UTC))
    assert (looked.taken, looked.again) == ([], ["b.csv"])
    assert inbox.left() == []
    assert inbox.store.taken() == before
    assert inbox.store.arrivals() == {"2026-02-01": NOW}


def test_the_same_bytes_of_another_logger_are_another_file(inbox: Inbox) -> None:
    inbox.drop("one/a.csv")
    inbox.drop("two/a.csv")
    assert {one.logger for one in inbox.look().taken} == {"one", "two"}


def test_a_file_still_changing_is_left_alone_until_it_rests(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, settle_s=0.3)
    path = inbox.drop("meter/a.csv", modified=0.0)
    looked = inbox.look()
    assert looked.taken == []
    assert "left alone until it rests" in looked.waiting[path]
    deadline = time.monotonic() + 30
    while not inbox.look().taken and time.monotonic() < deadline:
        time.sleep(0.05)
    assert inbox.left() == []


WRITER = """
import sys
file = open(sys.argv[1], "a", encoding="utf-8")
print("open", flush=True)
sys.stdin.readline()
file.write("2026-02-01 00:45;12\\n")
file.close()
print("closed", flush=True)
sys.stdin.readline()
"""


def test_a_file_that_a_program_has_open_is_left_alone(inbox: Inbox) -> None:
    path = inbox.drop("meter/a.csv")
    with subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        assert inbox.look().waiting == {path: "a program has it open to write to it"}
        writer.stdin.write("\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "closed\n"
        assert [one.samples for one in inbox.look().taken] == [3]
        writer.stdin.write("\n")


@pytest.mark.parametrize("name", [".hidden.csv", "~$open.xlsx", "a.csv.part", "b.filepart"])
def test_what_programs_are_still_writing_is_no_file_yet(inbox: Inbox, name: str) -> None:
    inbox.drop(f"meter/{name}")
    looked = inbox.look()
    assert (looked.taken, looked.refused, inbox.left()) == ([], [], [f"meter/{name}"])


def test_a_file_that_cannot_be_read_is_set_aside_with_the_reason(inbox: Inbox) -> None:
    inbox.drop("meter/a.csv", "no data at all\n")
    inbox.drop("meter/b.pdf", b"%PDF")
    inbox.drop("meter/c.xls", b"old")
    inbox.drop("stray.csv")
    looked = inbox.look()
    reasons = {one.name: one.reason for one in looked.refused}
    assert "no line begins with a time" in reasons["a.csv"]
    assert ".pdf is none of" in reasons["b.pdf"]
    assert "save it as .xlsx" in reasons["c.xls"]
    assert "put it into a folder named after the logger" in reasons["stray.csv"]
    assert inbox.left() == []
    notes = inbox.refused()
    assert len(notes) == 4
    assert all(reasons[name.partition("_")[2]] in text for name, text in notes.items())


def test_a_refused_file_is_read_once_its_mapping_allows(inbox: Inbox) -> None:
    inbox.drop("meter/a.csv", "Time;kWh\n01/02/2026 00:15;10\n")
    assert [one.name for one in inbox.look().refused] == ["a.csv"]
    assert inbox.look().refused == [], "nothing has changed, and nothing is said twice"
    inbox.drop("meter/mapping.yaml", "day_first: true\n")
    assert [one.samples for one in inbox.look().taken] == [1]
    assert inbox.refused() == {}
    assert inbox.store.arrivals().keys() == {"2026-02-01"}
    assert inbox.store.refused() == []


def test_a_refused_file_that_somebody_removes_is_settled(inbox: Inbox) -> None:
    inbox.drop("meter/a.csv", "no data at all\n")
    inbox.look()
    for path in (inbox.folder / REFUSED).rglob("*.csv"):
        path.unlink()
    inbox.look()
    assert (inbox.store.refused(), inbox.refused()) == ([], {})


def test_a_wrong_mapping_makes_its_files_wait_and_no_others(inbox: Inbox) -> None:
    inbox.drop("bad/mapping.yaml", "timezone: Paris\n")
    waiting = inbox.drop("bad/a.csv")
    inbox.drop("good/a.csv")
    looked = inbox.look()
    assert [one.logger for one in looked.taken] == ["good"]
    assert "mapping.yaml:1: timezone: 'Paris'" in looked.waiting[waiting]
    assert "mapping.yaml:1" in looked.troubles["bad"]


def test_a_changed_mapping_reads_taken_files_again(inbox: Inbox) -> None:
    inbox.drop("meter/a.csv", "Time;kWh\n2026-02-01 00:15;10\n")
    inbox.look()
    inbox.drop("meter/mapping.yaml", "timezone: +01:00\n")
    later = datetime(2026, 3, 2, tzinfo=UTC)
    assert [one.name for one in inbox.look(later).taken] == ["a.csv"]
    # What it gave before is to be read again, too: it is no longer there.
    assert inbox.store.arrivals() == {"2026-01-31": later, "2026-02-01": later}


def test_a_mapping_that_can_no_longer_read_a_taken_file_keeps_what_was_read(inbox: Inbox) -> None:
    inbox.drop("meter/a.csv")
    inbox.look()
    inbox.drop("meter/mapping.yaml", "time_column: nowhere\n")
    assert "cannot be read with the changed mapping" in inbox.look().troubles["meter"]
    assert [one.samples for one in inbox.store.taken()] == [2]
    assert inbox.look().troubles == {}


def test_a_mapping_beside_the_files_says_by_patterns_whose_they_are(inbox: Inbox) -> None:
    inbox.drop("meter-7_february.csv")
    assert len(inbox.look().refused) == 1
    inbox.drop("seven.yaml", "files: meter-7_*.csv\n")
    inbox.drop("meter-7_march.csv", GOOD.replace("2026-02", "2026-01"))
    inbox.look()
    inbox.look()
    assert {(one.logger, one.name) for one in inbox.store.taken()} == {
        ("seven", "meter-7_february.csv"),
        ("seven", "meter-7_march.csv"),
    }


@pytest.mark.parametrize("step", ["_archive", "_remove"])
def test_killed_between_two_steps_nothing_is_lost_or_taken_twice(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class KilledError(BaseException):
        pass

    def dies(*_: object, **__: object) -> None:
        raise KilledError

    inbox.drop("meter/a.csv")
    with monkeypatch.context() as patched:
        patched.setattr(intake if step == "_remove" else intake._Look, step, dies)  # noqa: SLF001
        with pytest.raises(KilledError):
            inbox.look()
    assert inbox.left() == ["meter/a.csv"]
    inbox.look()
    assert inbox.left() == []
    assert inbox.archived() == [GOOD.encode()]
    assert [one.samples for one in inbox.store.taken()] == [2]


def test_a_folder_that_refuses_is_an_error_and_no_silence(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.drop("meter/a.csv")
    (inbox.folder / REFUSED).write_text("a file in the way", encoding="utf-8")
    inbox.drop("meter/b.csv", "no data\n")
    with pytest.raises(OSError, match=REFUSED):
        inbox.look()
    assert "meter/b.csv" in inbox.left()
