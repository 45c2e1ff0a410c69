"""The walk-through and the mapping of docs/files.md, as they are printed, on a real inbox."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from energy_platform.sources.files import pull
from energy_platform.sources.files.mapping import Mapping, parse_mapping
from energy_platform_tests.sources.files.test_intake import Inbox

PAGE: Final = (Path(__file__).parents[3] / "docs" / "files.md").read_text(encoding="utf-8")

BLOCKS: Final = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL))
"""The blocks of the page by what is said behind their language."""


def words(text: str) -> list[str]:
    return text.split()


def test_the_first_file_goes_as_the_page_says(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.settings = inbox.settings.model_copy(update={"timezone": None})
    inbox.drop("hall3/february.csv", BLOCKS["file=hall3/february.csv"])
    inbox.look()
    (note,) = inbox.refused().values()
    assert words(note)[: len(words(BLOCKS["refused"]))] == words(BLOCKS["refused"])
    inbox.drop("hall3/mapping.yaml", BLOCKS["file=hall3/mapping.yaml"])
    inbox.look()
    days = list(
        pull.days(
            inbox.store,
            ["2026-01-31"],
            until=inbox.store.taken()[0].read_at,
            loggers=pull.loggers_of(inbox.folder),
        )
    )
    assert days[0].frame is not None
    samples = [
        f"{point} {at:%Y-%m-%d %H:%M} {value} {unit}"
        for point, at, value, unit in days[0].frame.select("point", "at", "value", "unit").rows()
    ]
    assert words("\n".join(samples)) == words(BLOCKS["samples"])
    assert [one.reason for one in days[0].rejects] == BLOCKS["rejects"].splitlines()
    inbox.store.close()


def test_the_mapping_of_the_page_says_all_there_is_to_say_of_wide_texts() -> None:
    mapping = parse_mapping(BLOCKS["mapping"])
    said = set(mapping.model_fields_set)
    others = {"files", "header", "sheet", "point_column", "value_column", "unit_column"}
    assert said | others == set(Mapping.model_fields)
    for name in others:
        assert f"`{name}" in PAGE or f"{name}:" in PAGE, name
    assert mapping.points["Wirkarbeit"].model_fields_set >= {"point", "unit", "kind", "width"}
