"""Whatever dialect a series is written in, the same series is read back."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from energy_platform.sources.files.mapping import Mapping
from energy_platform.sources.files.reader import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

Series = dict[str, dict[datetime, float]]

NAMES = ["Energy kWh", "Wirkleistung [kW]", "Zähler 3", "a;b", 'quoted "name"', "Température (°C)"]

FORMATS = {
    "%Y-%m-%d %H:%M": None,
    "%Y-%m-%dT%H:%M:%S": None,
    "%d.%m.%Y %H:%M": None,
    "%Y/%m/%d %H:%M:%S": None,
    "%d/%m/%Y %H:%M": True,
    "%m/%d/%Y %I:%M %p": False,
    "%Y%m%d %H%M": None,
}
"""Formats of stamps, and what a mapping has to say of them."""


@st.composite
def dialects(draw: st.DrawFn) -> dict[str, Any]:
    """A way to write a file."""
    decimal = draw(st.sampled_from([".", ","]))
    return {
        "decimal": decimal,
        "thousands": draw(st.sampled_from(["", "", "." if decimal == "," else ",", " ", "'"])),
        "delimiter": draw(st.sampled_from([";", "\t", "|"] + [","] * (decimal == "."))),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])),
        "format": draw(st.sampled_from(sorted(FORMATS))),
        "zone": draw(st.sampled_from(["UTC", "Europe/Paris", "Asia/Kolkata", "America/New_York"])),
        "long": draw(st.booleans()),
        "newest_first": draw(st.booleans()),
        "block": draw(st.integers(min_value=0, max_value=4)),
        "eol": draw(st.sampled_from(["\n", "\r\n"])),
    }


@st.composite
def series(draw: st.DrawFn) -> Series:
    """One to four points on a quarter-hour grid; some samples are missing."""
    start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(
        minutes=15 * draw(st.integers(min_value=0, max_value=40_000))
    )
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    height = draw(st.integers(min_value=3, max_value=12))
    numbers = st.integers(min_value=-10_000_000, max_value=10_000_000).map(lambda n: n / 100)
    return {
        name: {
            start + n * timedelta(minutes=15): value
            for n in range(height)
            if (value := draw(st.one_of(numbers, numbers, numbers, st.none()))) is not None
            or n == 0
            if value is not None
        }
        for name in names
    }


def written(values: Series, dialect: dict[str, Any]) -> bytes:
    """Write a series as a file in some dialect."""
    zone = ZoneInfo(dialect["zone"])
    stamps = sorted({at for own in values.values() for at in own}, reverse=dialect["newest_first"])

    def number(value: float | None) -> str:
        if value is None:
            return ""
        text = f"{value:,.2f}".replace(",", "_").replace(".", dialect["decimal"])
        return text.replace("_", dialect["thousands"])

    def stamp(at: datetime) -> str:
        return at.astimezone(zone).strftime(dialect["format"])

    block: list[Sequence[str]] = [["Logger", "DL 1"], ["Serial", "0001"], [], ["x"]]
    rows = block[: dialect["block"]]
    if dialect["long"]:
        rows.append(["Zeit", "Messstelle", "Wert"])
        rows += [
            [stamp(at), name, number(own[at])]
            for name, own in values.items()
            for at in stamps
            if at in own
        ]
    else:
        rows.append(["Zeit", *values])
        rows += [[stamp(at), *(number(own.get(at)) for own in values.values())] for at in stamps]
    out = io.StringIO()
    csv.writer(out, delimiter=dialect["delimiter"], lineterminator=dialect["eol"]).writerows(rows)
    return out.getvalue().encode(dialect["encoding"])


@given(values=series(), dialect=dialects())
@settings(deadline=None)
def test_a_series_in_any_dialect_is_read_back(values: Series, dialect: dict[str, Any]) -> None:
    expected = {(name, at, value) for name, own in values.items() for at, value in own.items()}
    if not expected:
        return
    read = read_file(
        written(values, dialect),
        suffix=".csv",
        mapping=Mapping(
            timezone=dialect["zone"],
            day_first=FORMATS[dialect["format"]],
            # A file may hold nothing but numbers that leave a doubt, such as 1,234.00 never does.
            decimal=dialect["decimal"],
            layout="long" if dialect["long"] else "wide",
        ),
    )
    came = set(read.samples.select("point", "at", "value").rows())
    # Of an hour that is there twice, what the file cannot tell is set aside and said.
    lost = expected - came
    assert came <= expected
    assert len(lost) <= sum(
        1 if one.point or dialect["long"] else len(values) for one in read.bad_lines
    )
    if not any("twice" in one.reason for one in read.bad_lines):
        assert came == expected
