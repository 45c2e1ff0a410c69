"""One file into samples: what is recognised, what a mapping says, what is set aside."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from energy_platform.sources.files.errors import RefusedFileError
from energy_platform.sources.files.mapping import Mapping
from energy_platform.sources.files.reader import read_file
from energy_platform_tests.sources.files.exports import (
    AMERICAN,
    HEADER_BLOCK,
    METER_CODES,
    UNITS_BELOW,
    WATTICS,
    WATTICS_VALUE,
    at,
    content,
    said,
    workbook,
)

PARIS = "timezone: Europe/Paris"


def test_a_logger_with_a_header_block_needs_no_mapping_but_its_zone() -> None:
    read = content(HEADER_BLOCK, PARIS)
    assert said(HEADER_BLOCK, PARIS) == [
        ("Zählerstand Bezug [kWh]", "2025-01-31 23:15", 12345.6),
        ("Zählerstand Bezug [kWh]", "2025-01-31 23:30", 12346.1),
    ]
    assert read.samples["unit"].to_list() == ["kWh", "kWh"]
    assert read.samples["line"].to_list() == [6, 7]


def test_the_csv_of_wattics_is_known_by_its_columns() -> None:
    read = content(WATTICS, PARIS)
    assert read.shape == "Wattics CSV"
    assert read.samples["point"].n_unique() == 21
    energy = read.samples.filter(pl.col("point") == "pC_1")
    assert energy["value"].to_list() == [8423692, 8424122]
    assert energy["unit"].to_list() == ["Wh", "Wh"]
    volts = read.samples.filter(pl.col("point") == "v_12")
    assert volts["value"].to_list() == [399, 399]


def test_the_single_value_csv_of_wattics_is_one_series() -> None:
    assert said(WATTICS_VALUE, PARIS) == [
        ("value", "2025-01-31 23:15", 55.25),
        ("value", "2025-01-31 23:30", 56.5),
    ]


def test_a_long_file_is_told_by_its_column_of_points() -> None:
    assert said(METER_CODES, PARIS) == [
        ("ELEC-1", "2025-01-31 23:00", 21736.79),
        ("GAS-1", "2025-01-31 23:00", 4361.45),
        ("GAS-1", "2025-01-31 23:15", 4362.01),
    ]


def test_date_and_time_in_two_columns_and_twelve_hours() -> None:
    assert said(AMERICAN, "timezone: America/Los_Angeles") == [
        ("Main (kWh)", "2025-03-01 07:45", 1234.5),
        ("Main (kWh)", "2025-03-01 08:00", 1235),
        ("Temp (°C)", "2025-03-01 07:45", 20.5),
    ]


def test_a_line_of_units_below_the_names_and_stamps_with_an_offset() -> None:
    read = content(UNITS_BELOW)
    assert said(UNITS_BELOW) == [
        ("Energy", "2025-01-31 23:15", 10),
        ("Power", "2025-01-31 23:15", 2),
    ]
    assert read.samples["unit"].to_list() == ["kWh", "kW"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_every_usual_encoding_is_recognised(encoding: str) -> None:
    assert said(HEADER_BLOCK.encode(encoding), PARIS) == said(HEADER_BLOCK, PARIS)


def test_a_workbook_keeps_its_dates_and_numbers() -> None:
    data = workbook(
        [
            ["Export"],
            [],
            ["Zeit", "Energie (kWh)", "Status"],
            [at("2025-02-01 00:15"), 12.5, "ok"],
            [at("2025-02-01 00:30"), "13,5", "ok"],
            [at("2025-02-01 00:45"), None, "aus"],
        ],
        sheet="Daten",
    )
    # The cover page has no data; without a name the first sheet with cells is taken.
    assert said(data, f"{PARIS}\nsheet: Daten", suffix=".xlsx") == [
        ("Energie (kWh)", "2025-01-31 23:15", 12.5),
        ("Energie (kWh)", "2025-01-31 23:30", 13.5),
    ]
    with pytest.raises(RefusedFileError, match="it has Sheet, Daten"):
        content(data, "sheet: Data", suffix=".xlsx")


def test_times_that_a_workbook_adds_up_fall_on_the_second() -> None:
    drifted = at("2025-02-01 00:14:59.998")
    data = workbook([["Time", "kW"], [drifted, 1.5]])
    assert said(data, PARIS, suffix=".xlsx") == [("kW", "2025-01-31 23:15", 1.5)]


def test_a_parquet_file_keeps_its_types() -> None:
    out = io.BytesIO()
    pl.DataFrame(
        {
            "timestamp": [datetime(2025, 2, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(2)],
            "a": [1.5, None],
            "b": [7, 8],
        }
    ).write_parquet(out)
    assert said(out.getvalue(), suffix=".parquet") == [
        ("a", "2025-02-01 00:00", 1.5),
        ("b", "2025-02-01 00:00", 7),
        ("b", "2025-02-01 01:00", 8),
    ]


def test_bad_lines_are_set_aside_one_by_one_with_their_line() -> None:
    read = content(
        "Time;Energy kWh;Power kW\n"
        "2025-02-01 00:15;10;1\n"
        "2025-02-01 00:30;broken;2\n"
        "2025-02-30 00:45;12;3\n"
        "Total;22;6\n",
        PARIS,
    )
    assert [(one.line, one.point, one.value_text) for one in read.bad_lines] == [
        (3, "Energy kWh", "broken"),
        (4, "", None),
        (5, "", None),
    ]
    assert "broken is not a number" in read.bad_lines[0].reason
    assert read.samples.height == 3
    assert {one.day for one in read.bad_lines} == {"2025-01-31"}


def test_a_mapping_renames_and_chooses_columns() -> None:
    mapping = (
        f"{PARIS}\n"
        "points:\n"
        "  Energy: {point: main, unit: MWh, kind: register}\n"
        "  Mode: {kind: state}\n"
    )
    read = content("Time;Energy;Power;Mode\n2025-02-01 00:15;10;1;on\n", mapping)
    assert read.samples.select("point", "value", "value_text", "unit").rows() == [
        ("Mode", None, "on", None),
        ("main", 10.0, None, "MWh"),
    ]


def test_a_column_that_the_mapping_names_and_the_file_lacks_refuses_the_file() -> None:
    with pytest.raises(RefusedFileError, match=r"no column 'Enrgy'.*it has Time, Energy"):
        content("Time;Energy\n2025-02-01 00:15;10\n", f"{PARIS}\npoints: {{Enrgy: {{}}}}")


@pytest.mark.parametrize(
    ("data", "mapping", "reason"),
    [
        ("", PARIS, "no line begins with a time"),
        ("a;b\n1;2\n", PARIS, "no line begins with a time"),
        ("Time;kWh\n2025-02-01 00:15;1\n", "", "say no zone .such as 2025-02-01 00:15"),
        ("Time;kWh\n01/02/2025 00:15;1\n", PARIS, "day_first: true or day_first: false"),
        ("Time;kWh\n2025-02-01 00:15;1,234\n", PARIS, "'1,234' can be read as 1234 or as 1.234"),
        ("Time;kWh\n2025-02-01 00:15;1,5\n2025-02-01 00:30;1.5\n", PARIS, "in two ways"),
        ("2025-02-01 00:15;1;2;3\n", PARIS, "4 columns and no line that names them"),
        ("Time;a;a\n2025-02-01 00:15;1;2\n", PARIS, "two columns are called 'a'"),
        ("Time;kWh\n2025-02-01 00:15;1\n\0\0\0", PARIS, "holds zero bytes"),
    ],
)
def test_what_is_in_doubt_is_refused_with_what_to_say(data: str, mapping: str, reason: str) -> None:
    with pytest.raises(RefusedFileError, match=reason):
        content(data, mapping)


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
def test_a_damaged_file_is_refused_in_one_sentence(suffix: str) -> None:
    good = workbook([["Time", "kW"], [at("2025-02-01 00:15"), 1]])
    for data in (b"no such thing", good[: len(good) // 2]):
        with pytest.raises(RefusedFileError) as caught:
            content(data, PARIS, suffix=suffix)
        assert "\n" not in str(caught.value)


def test_a_stamp_in_the_future_is_a_bad_line() -> None:
    read = read_file(
        b"Time;kWh\n2025-02-01 00:15;1\n2052-02-01 00:30;2\n",
        suffix=".csv",
        mapping=Mapping(timezone="UTC"),
        latest=datetime(2025, 3, 1, tzinfo=UTC),
    )
    assert [one.line for one in read.bad_lines] == [3]
    assert read.samples["line"].to_list() == [2]


def test_a_file_that_contradicts_itself_keeps_one_value_and_counts() -> None:
    read = content("Time;kWh\n2025-02-01 00:15;5\n2025-02-01 00:15;5\n2025-02-01 00:15;7\n", PARIS)
    assert (read.samples["value"].to_list(), read.duplicates, read.conflicts) == ([5], 1, 1)


def test_what_the_mapping_says_of_the_dialect_goes_before_what_is_recognised() -> None:
    mapping = (
        "timezone: '+01:00'\nencoding: cp1252\ndelimiter: comma\ndecimal: '.'\nthousands: none\n"
        "header_row: 2\ntime_column: when\ntime_format: '%Y%j%H%M'\n"
    )
    assert said("a,b\nwhen,Leistung\n20250320015,1.234\n", mapping) == [
        ("Leistung", "2025-01-31 23:15", 1.234)
    ]


@pytest.mark.parametrize(
    ("time_format", "stamp"),
    [("epoch", "1738365300"), ("epoch_ms", "1738365300000"), ("excel", "45688.96875")],
)
def test_stamps_that_are_numbers(time_format: str, stamp: str) -> None:
    mapping = f"timezone: UTC\ntime_format: {time_format}\n"
    assert said(f"ts;kW\n{stamp};1,5\n", mapping) == [("kW", "2025-01-31 23:15", 1.5)]


def test_a_headerless_file_takes_its_names_from_the_mapping() -> None:
    assert said("2025-02-01 00:15;1;2\n", f"{PARIS}\nheader: [time, a, b]") == [
        ("a", "2025-01-31 23:15", 1),
        ("b", "2025-01-31 23:15", 2),
    ]


def test_the_end_of_a_day_written_as_24_is_the_next_midnight() -> None:
    assert said("Zeit;kWh\n31.01.2025 24:00;5\n", "timezone: '+01:00'") == [
        ("kWh", "2025-01-31 23:00", 5)
    ]
