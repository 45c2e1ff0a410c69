"""What fits on one screen, near matches, signs of life, and outputs that are no UTF-8 terminal.

Commands run as people run them: in a pseudo-terminal of 80 columns and 24 rows, and in pipes.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING, Final

import duckdb
import pytest

from energy_platform.cli.near import meant
from energy_platform.cli.screen import ROWS, Section, fitted, rows_of

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM: Final = [
    sys.executable,
    "-c",
    "from energy_platform.cli.app import main; main()",
]
EAGER: Final = (
    "from energy_platform.cli import progress; progress.FIRST_LINE_S = 0.01\n"
    "from energy_platform.cli.app import main; main()"
)
COLOURS: Final = re.compile(r"\x1b\[(?:\d+;)*(?:3|4|9|10)\d[;m]")
CONTROLS: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

PORTFOLIO: Final = (
    "version: 1\nsites:\n  - {id: paris, name: Paris, timezone: Europe/Paris}\ndevices:\n"
    + "".join(
        f"  - {{vendor: socomec, serial: SN{n:06d}, site: paris, name: Meter {n}, role: sub,"
        " points: [{key: import, name: Import, quantity: active_energy_import,"
        " max_power_w: none}]}\n"
        for n in range(451)
    )
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An installation of 451 points whose published file has a long table."""
    (tmp_path / "portfolio.yaml").write_text(PORTFOLIO, encoding="utf-8")
    (tmp_path / "data").mkdir()
    with duckdb.connect(str(tmp_path / "data" / "energy.duckdb")) as db:
        db.execute(
            "create table mart_site_energy as select range as n, 'é→' as s from range(90000)"
        )
        db.execute("create table dim_site as select 'paris' as site_id")
        for n in range(60):
            db.execute(f"create table mart_of_what_{n} as select 1 as one")
    return tmp_path


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    return {**kept, "ENERGY_PLATFORM_HOME": str(home), "TERM": "xterm", "LANG": "C.UTF-8", **more}


def on_terminal(home: Path, *words: str, columns: int = 80, **more: str) -> tuple[int, list[str]]:
    """Run a command in a pseudo-terminal; return its exit code and the rows that stay."""
    lead, follow = pty.openpty()
    fcntl.ioctl(follow, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(  # noqa: S603 - our own command
        [*PROGRAM, *words],
        cwd=home,
        env=environment(home, **more),
        stdin=follow,
        stdout=follow,
        stderr=subprocess.DEVNULL,
    )
    os.close(follow)
    said = b""
    while True:
        try:
            part = os.read(lead, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
    os.close(lead)
    text = said.decode()
    if "NO_COLOR" in more:
        assert not COLOURS.search(text)
    lines = CONTROLS.sub("", text).replace("\r", "").rstrip("\n").split("\n")
    rows = [
        line[at : at + columns] for line in lines for at in range(0, max(len(line), 1), columns)
    ]
    return child.wait(), rows


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["status"], 0),
        (["doctor"], 1),
        (["sql"], 0),
        (["portfolio", "check"], 0),
        (["portfolio", "find", "paris"], 0),
        (["delivery", "-h"], 0),
    ],
)
def test_each_answer_fits_on_one_screen_of_an_installation_of_451_points(
    home: Path, words: list[str], code: int
) -> None:
    if words == ["doctor"]:
        (home / ".env").write_text("BELIMO_CLIENT_ID=x\n", encoding="utf-8")
    ended, rows = on_terminal(home, *words)
    assert len(rows) <= 24
    assert ended == code
    assert "Traceback" not in "".join(rows)


@pytest.mark.long
def test_doctor_and_status_begin_with_the_verdict_and_verbose_has_the_rest(home: Path) -> None:
    (home / ".env").write_text("BELIMO_CLIENT_ID=x\n", encoding="utf-8")
    _, rows = on_terminal(home, "doctor")
    assert rows[0].startswith("Something does not work: ")
    assert rows[1].startswith("fail")
    fine = next(row for row in rows if row.startswith("ok "))
    assert fine.endswith("--verbose lists them")
    _, long = on_terminal(home, "doctor", "-v")
    assert sum(row.startswith("ok ") for row in long) == int(fine.split()[1])
    _, rows = on_terminal(home, "status")
    assert rows[0].startswith("Nothing is wrong")
    assert "is not running" in rows[0] + rows[1], "nothing is read, and the first line says so"


@pytest.mark.long
def test_ids_stay_whole_on_narrow_terminals(home: Path) -> None:
    for columns in (80, 40):
        _, rows = on_terminal(home, "portfolio", "find", "meter", "7", columns=columns)
        assert "socomec/SN000007/import" in "".join(rows).replace(" ", "")
        assert "socomec/SN000007/import" in "\n".join(rows)


def test_no_colour_where_it_is_not_wanted(home: Path) -> None:
    code, rows = on_terminal(home, "doctor", NO_COLOR="1")
    assert code in {0, 1}
    assert rows[1][:4] in {"fail", "warn"}


@pytest.mark.long
def test_the_reader_may_leave(home: Path) -> None:
    for words in (
        ["sql", "--csv", "select * from mart_site_energy"],
        ["sql", "--json", "select * from mart_site_energy"],
        ["portfolio", "schema"],
        ["export", "mart_site_energy"],
    ):
        child = subprocess.Popen(  # noqa: S603 - our own command
            [*PROGRAM, *words],
            cwd=home,
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert child.stdout is not None
        assert child.stdout.read(2)
        child.stdout.close()
        said = child.communicate()[1].decode()
        assert said == ""
        # What fits into the pipe was written; the rest ends as with every other tool.
        assert child.returncode in {0, 128 + signal.SIGPIPE}, words


@pytest.mark.parametrize("charset", ["ascii", "latin-1"])
def test_a_terminal_without_our_letters_gets_others(home: Path, charset: str) -> None:
    said = subprocess.run(  # noqa: S603 - our own command
        [*PROGRAM, "sql", "select s from mart_site_energy limit 1"],
        cwd=home,
        env=environment(home, PYTHONIOENCODING=charset),
        capture_output=True,
        check=False,
    )
    assert said.returncode == 0
    assert ("é->" if charset == "latin-1" else "\\xe9->") in said.stdout.decode(charset)


def test_a_log_sees_that_a_long_command_lives_and_json_stays_json(home: Path) -> None:
    said = subprocess.run(  # noqa: S603 - our own command
        [
            *PROGRAM[:2],
            EAGER,
            "status",
            "--json",
        ],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(said.stdout)["streams"] == 0
    assert "reading the lake, the ledger and the runs: 0 s so far" in said.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tree", "pairs"], "did you mean paris?"),
        (["backfill", "socomek", "2026-01-01", "2026-01-02"], "did you mean socomec?"),
        (["accept-answer", "belino", "2026-01-01", "--reason", "x"], "did you mean belimo?"),
        (["portfolio", "find", "mteer", "7"], "did you mean meter 7?"),
        (["sql", "select * from mart_site_enregy"], 'Did you mean "mart_site_energy'),
    ],
)
def test_what_was_meant_is_offered(home: Path, words: list[str], expected: str) -> None:
    said = subprocess.run(  # noqa: S603 - our own command
        [*PROGRAM, *words],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode in {1, 2}
    assert expected in said.stdout + said.stderr


def test_of_many_names_a_message_lists_some() -> None:
    assert meant("x", [f"stream-{n:02d}" for n in range(30)]).endswith("stream-07 and 22 more")


def test_the_worst_has_room_first_and_what_has_none_is_counted() -> None:
    sections = [
        Section(title="held", lines=[f"day {n}: " + "x" * 150 for n in range(4)]),
        Section(title="stale", lines=["word " * 100 + "end"] * 30),
    ]
    shown = fitted(sections, taken=1)
    assert [one.title for one in shown] == ["held", "stale"]
    assert list(shown[0].lines) == list(sections[0].lines)
    assert shown[1].lines[0].endswith("… (whole by --verbose)")
    assert shown[1].lines[-1].endswith("more; --verbose lists all")
    assert (
        1
        + sum(rows_of(one.title) + sum(rows_of(f"  {line}") for line in one.lines) for one in shown)
        <= ROWS
    )
