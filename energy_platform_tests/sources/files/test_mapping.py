"""Mappings: what they may say, and how they are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform.sources.files.errors import MappingError
from energy_platform.sources.files.mapping import load_mapping, parse_mapping

if TYPE_CHECKING:
    from pathlib import Path


def test_an_empty_mapping_leaves_everything_to_be_recognised() -> None:
    assert parse_mapping("# nothing yet\n").points == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timezone: Paris", "m.yaml:1: timezone: 'Paris' is not a time zone such as Europe/Paris"),
        ("\ntimezone: +15:00", "m.yaml:2: timezone: '\\+15:00' is further from UTC"),
        ("name: a\ndecimals: ','", "m.yaml:2: decimals: there is no such key; one of name"),
        ("points:\n  a: {kind: increment}", "m.yaml:2: points.a: an increment needs the width"),
        ("points:\n  a:\n    kind: meter", "m.yaml:3: points.a.kind: expected 'register'"),
        ("points:\n  a: {point: x}\n  b: {point: x}", "two columns cannot be one point: x"),
        ("decimal: ','\ndelimiter: comma", "needs another delimiter than a comma"),
        ("encoding: utf-99", "'utf-99' is not an encoding"),
        ("a: b: c", "m.yaml:1: not valid YAML"),
        ("name: a\nname: b", "m.yaml:2: 'name' is there twice"),
        ("- a", "m.yaml:1: expected keys"),
    ],
)
def test_a_wrong_mapping_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(MappingError, match=message):
        parse_mapping(text, name="m.yaml")


def test_a_mapping_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_bytes(b"name: M\xfcller\n")
    with pytest.raises(MappingError, match=r"mapping.yaml:1: is not UTF-8"):
        load_mapping(path)


def test_only_what_decides_what_is_read_changes_the_fingerprint() -> None:
    plain = parse_mapping("timezone: UTC")
    assert parse_mapping("timezone: UTC\nname: Main\nevery: 15m").fingerprint == plain.fingerprint
    assert parse_mapping("timezone: +01:00").fingerprint != plain.fingerprint
