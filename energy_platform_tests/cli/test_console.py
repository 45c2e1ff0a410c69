"""What a pipe and a terminal get: whole lines, whole commands, no control characters."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from energy_platform.cli.console import add_row, console, print_error, table, visible

CLI = Path(__file__).parents[2] / "energy_platform" / "cli"

COMMAND = "run `energy-platform explain 'socomec/SN000005/Load|1|130101' 2026-11-15` to see more "
IDS = [f"los-angeles-building-{n:06d}-{'feeder' * 6}" for n in range(5)]


class Terminal(io.StringIO):
    """A terminal as far as anybody asks."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "dumb")


def test_a_pipe_gets_messages_and_tables_whole_whatever_the_terminal_is() -> None:
    pipe = io.StringIO()
    shown = table("stream", "why")
    for one in IDS:
        add_row(shown, one, COMMAND * 3)
    to = console(pipe)
    to.print(COMMAND * 3)
    to.print(shown)
    print_error(to, COMMAND * 3)
    text = pipe.getvalue()
    assert text.count(COMMAND * 3) == 2 + len(IDS)
    assert "…" not in text
    for one in IDS:
        assert one in text
    assert len(text.splitlines()) == 2 + len(IDS) + 4


def test_a_terminal_breaks_neither_a_message_nor_a_cell() -> None:
    screen = Terminal()
    shown = table("stream", "why")
    add_row(shown, IDS[0] * 2, "nothing")
    to = console(screen)
    to.print(COMMAND * 3, style="red")
    to.print(shown)
    text = screen.getvalue()
    assert COMMAND * 3 in text
    assert "…" not in text
    assert f"{IDS[0] * 2}; why nothing" in text.splitlines(), (
        "a line per row where a cell would break"
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_words_of_vendors_steer_no_terminal(*, terminal: bool) -> None:
    hostile = "SN1\x1b[2J\x07\x9b31m\u202eabc\r\n[bold]x[/bold]"
    screen = Terminal() if terminal else io.StringIO()
    shown = table("serial\x1b]0;x\x07")
    add_row(shown, hostile)
    to = console(screen)
    to.print(shown)
    to.print(hostile, markup=False)
    print_error(to, hostile)
    text = screen.getvalue()
    for one in ("\x1b[2J", "\x07", "\x9b", "\u202e", "\r", "\x1b]"):
        assert one not in text
    assert r"SN1\x1b[2J\x07\x9b31m\u202eabc" in text.replace("│", "")
    whole = "".join(text.replace("│", "").split())
    assert whole.count("[bold]x[/bold]") == 3, "nothing of it is markup"


def test_letters_of_every_alphabet_stay() -> None:
    for text in ("Siège n° 1", "東京", "👩‍🔧", "‎".strip("‎"), "עברית", "a\u00a0b"):
        assert visible(text) == text


def test_one_place_makes_the_consoles() -> None:
    for path in CLI.glob("*.py"):
        if path.name != "console.py":
            assert " Console(" not in path.read_text(encoding="utf-8"), path
