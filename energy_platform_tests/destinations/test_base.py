"""A destination is whole, or it is not registered; the portfolio reads streams by its model."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from energy_platform import delivery
from energy_platform.destinations import DEFAULT_DESTINATION
from energy_platform.destinations.base import (
    Connection,
    Destination,
    DestinationError,
    FieldSpec,
    destination,
    destinations,
    register,
)
from energy_platform.destinations.wattics import DESTINATION
from energy_platform.portfolio import PortfolioError, parse_portfolio
from energy_platform_tests.destinations import json_lines

HEAD = """version: 1
sites:
  - {id: s, name: Site, timezone: Europe/Paris}
devices:
  - vendor: socomec
    serial: M1
    site: s
    name: Meter
    max_power_w: none
    points:
      - {key: E, name: Energy, quantity: active_energy_import, unit: Wh}
streams:
"""
LINES = """  - {id: l-1, destination: json_lines, site: s, credential: default, interval: 15m,
     reading: cumulative, unit: kWh, fields: {energy: socomec/M1/E}}
"""
EXAMPLES = {
    "wattics": {"kind": "electricity", "reading": "cumulative", "fields": {"pC_1": "a/b/c"}},
    "json_lines": {"reading": "average", "unit": "W", "fields": {"b": "a/b/c", "a": "a/b/d"}},
}
"""A stream of each destination."""
REQUIRED = [
    one.name
    for one in fields(Destination)
    if one.default is MISSING and one.default_factory is MISSING
]


def broken(part: str, value: object) -> str:
    with pytest.raises(DestinationError) as caught:
        replace(DESTINATION, **{part: value})  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize("part", REQUIRED)
def test_a_destination_that_lacks_a_part_is_not_made(part: str) -> None:
    parts: dict[str, Any] = {
        one.name: getattr(DESTINATION, one.name) for one in fields(Destination)
    }
    del parts[part]
    with pytest.raises(TypeError, match=part):
        Destination(**parts)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("name", "Not A Name"),
        ("title", ""),
        ("settings", dict),
        ("settings", json_lines.JsonLinesSettings),
        ("stream_model", dict),
        ("fields", None),
        ("encode", "nothing"),
        ("connect", None),
        ("propose", "nothing"),
    ],
)
def test_a_destination_with_an_unfit_part_is_not_made_and_says_which(
    part: str, value: object
) -> None:
    assert part in broken(part, value)


def test_two_destinations_of_one_name_are_refused(installed: Path) -> None:
    destinations()
    another = replace(DESTINATION, title="Another")
    with pytest.raises(DestinationError, match="two destinations named 'wattics'"):
        register(another)


def test_an_entry_point_adds_a_destination(installed: Path) -> None:
    assert set(destinations()) == {"wattics", "json_lines"}
    assert destination("json_lines") is json_lines.DESTINATION


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no_such_module:DESTINATION", "'json_lines' .* cannot be loaded: ModuleNotFoundError"),
        ("energy_platform_tests.destinations.json_lines:encode", "expected a Destination"),
    ],
)
def test_a_broken_entry_point_is_named_at_once(installed: Path, value: str, words: str) -> None:
    (file,) = installed.rglob("entry_points.txt")
    file.write_text(f"[energy_platform.destinations]\njson_lines = {value}\n")
    with pytest.raises(DestinationError, match=words):
        destinations()


def test_a_stream_is_read_by_the_model_of_its_destination(installed: Path) -> None:
    portfolio = parse_portfolio(HEAD + LINES)
    assert isinstance(portfolio.streams["l-1"], json_lines.JsonLinesStream)
    with pytest.raises(PortfolioError, match=r":13: streams.0: json_lines needs the unit"):
        parse_portfolio(HEAD + LINES.replace(" unit: kWh,", ""))


def test_a_stream_of_an_unknown_destination_names_those_there_are() -> None:
    with pytest.raises(PortfolioError, match="unknown destination 'nowhere'; known: wattics"):
        parse_portfolio(HEAD + LINES.replace("json_lines", "nowhere"))


def test_a_stream_without_a_destination_goes_where_all_went_before() -> None:
    text = HEAD + LINES.replace("destination: json_lines, ", "kind: value, ").replace(
        "{energy:", "{value:"
    )
    assert parse_portfolio(text).streams["l-1"].destination == DEFAULT_DESTINATION


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_destination_keeps_the_contract(installed: Path, name: str) -> None:
    found = destination(name)
    stream = found.stream_model.model_validate(
        {
            "id": "x-1",
            "destination": name,
            "site": "s",
            "credential": "default",
            "interval": timedelta(minutes=15),
        }
        | EXAMPLES[name]
    )
    specs = found.fields(stream)
    assert {one.name for one in specs} == set(stream.fields)
    assert all(isinstance(one, FieldSpec) for one in specs)
    at = datetime(2026, 1, 1, 9, 15, tzinfo=UTC)
    numbers = [(one.name, "1.5") for one in specs]
    body = found.encode(stream, at, numbers)
    assert body == found.encode(stream, at, numbers)
    assert body != found.encode(stream, at + timedelta(minutes=15), numbers)
    settings = found.settings(base_url="http://127.0.0.1:9/", username="u", password="p")
    assert settings.variable("readback") == f"{name.upper()}_READBACK"
    connection: Connection = found.connect(settings, "default", lambda: True)
    try:
        answer = connection.push(body)
    finally:
        connection.close()
    assert (answer.kind, answer.status) == ("transient", None), "a fault is an answer"


def test_delivery_knows_no_destination_by_name() -> None:
    files = sorted(Path(delivery.__path__[0]).rglob("*.py"))
    assert len(files) > 10
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert DEFAULT_DESTINATION not in text.casefold(), file
        imported = set(re.findall(r"energy_platform\.destinations[.\w]*", text))
        assert imported <= {"energy_platform.destinations", "energy_platform.destinations.base"}, (
            file
        )
