"""What the tutorial and the how-to pages tell to type does what they say, typed in order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import duckdb
import pytest

from energy_platform_tests.docs.pages import DOCS, blocks, commands
from energy_platform_tests.docs.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.long, pytest.mark.end_to_end, pytest.mark.timeout(7200)]

TUTORIAL: Final = DOCS / "tutorial.md"
REAL: Final = "## With real credentials"

OF_THE_CLONE: Final = ("make ", "source ")
"""What makes the commands callable; the tests call them where they are."""

ENDS_WITH: Final = {
    # No channel is set, and nothing polls yet.
    "energy-platform doctor": {0, 1},
    "energy-platform doctor --retry-login": {0, 1},
    # As its page says, where there is no channel.
    "energy-platform alert test": {2},
}
"""Commands that may end otherwise than with 0 here."""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """One who has gone through the tutorial."""
    folder = tmp_path_factory.mktemp("reader") / "energy_platform"
    folder.mkdir()
    with Reader(folder) as one:
        yield one


def typed(reader: Reader, command: str) -> str:
    code, shown = reader.type(command)
    assert code in ENDS_WITH.get(command, {0}), f"{command}\n{shown}"
    assert "Traceback" not in shown, shown
    return shown


def test_the_tutorial_ends_with_a_chart_and_a_packet_at_wattics(reader: Reader) -> None:
    shown: dict[str, str] = {}
    for command in commands(TUTORIAL, until=REAL):
        if command.startswith(OF_THE_CLONE):
            continue
        if "simulate" in command:
            reader.leave_running(
                command, until="Stop with Ctrl+C", shown_in=reader.folder / "simulators.txt"
            )
        elif command == "energy-platform init":
            code, shown[command] = reader.press_enter(command)
            assert code == 0, shown[command]
        elif command == "energy-platform ui":
            assert reader.open_and_end(command) in {0, 130}
        else:
            shown[command] = typed(reader, command)
    chart = shown["energy-platform init"].partition("kWh from the grid by hour")[2]
    assert len(re.findall(r"^  \d\d:\d\d █", chart, re.MULTILINE)) >= 20
    assert "needs no addition" in shown["energy-platform discover --yes"]
    assert (
        "packets acknowledged, 0 refused"
        in (shown["energy-platform backfill socomec yesterday yesterday"])
    )
    with duckdb.connect(str(reader.folder / "data" / "energy.duckdb"), read_only=True) as db:
        ((packets,),) = db.execute("select packets_acknowledged from mart_delivery").fetchall()
    assert packets > 0


@pytest.mark.parametrize("page", sorted((DOCS / "how-to").glob("*.md")), ids=lambda page: page.stem)
def test_a_how_to_page_does_what_it_says(reader: Reader, page: Path) -> None:
    assert (reader.folder / "data" / "energy.duckdb").exists(), "the tutorial comes first"
    for command in commands(page):
        typed(reader, command)
    for block in blocks(page, "sql"):
        for query in block.text.split(";"):
            if query.strip():
                with duckdb.connect(
                    str(reader.folder / "data" / "energy.duckdb"), read_only=True
                ) as db:
                    db.execute(query)
