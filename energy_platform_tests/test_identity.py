"""One id per device and point, and never one for two."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.identity import Identity, device_of, name_of, names_apart, point_id, with_names
from energy_platform.schemas import INSTANT, Table
from energy_platform.sources.belimo.readings import belimo_to_readings
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform.sources.skycentrics.readings import skycentrics_to_readings
from energy_platform.sources.skycentrics.tables import RAW_SKYCENTRICS_SAMPLES
from energy_platform.sources.socomec.keys import socomec_key
from energy_platform.sources.socomec.readings import socomec_to_readings
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

TEXTS = st.one_of(
    st.text(alphabet="/|%~ aA\u0301é2F7C5\n", max_size=5),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
"""Separators and what escapes them, blanks, case, composed and decomposed letters, anything."""

PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=12)


def raw(table: Table, rows: list[dict[str, Any]]) -> pl.DataFrame:
    nothing = dict.fromkeys(table.schema)
    frame = pl.DataFrame([nothing | row for row in rows], schema=table.schema, orient="row")
    return frame.with_columns(at=pl.lit(0, dtype=pl.Int64).cast(INSTANT))


@given(PAIRS)
def test_two_points_never_have_one_id(pairs: list[tuple[str, str]]) -> None:
    ids = {pair: point_id("belimo", *pair) for pair in pairs}
    assert len(set(ids.values())) == len(ids)
    for (serial, key), one in ids.items():
        assert name_of(one) == ("belimo", serial, key)
        assert one.removeprefix(device_of(one)) == f"/{key}"


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=12))
def test_two_services_never_have_one_key(triples: list[tuple[str, str, str]]) -> None:
    assert len({socomec_key(*one) for one in triples}) == len(set(triples))


@given(PAIRS, st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), max_size=12))
def test_rows_have_the_ids_of_the_portfolio(
    pairs: list[tuple[str, str]], series: list[tuple[str, str, str, str]]
) -> None:
    belimo = raw(
        RAW_BELIMO_SAMPLES,
        [{"device_id": s, "serial_number": s, "datapoint_id": k} for s, k in pairs],
    )
    skycentrics = raw(RAW_SKYCENTRICS_SAMPLES, [{"device_id": s, "sensor_id": k} for s, k in pairs])
    socomec = raw(
        RAW_SOCOMEC_DATAPOINTS,
        [
            {
                "device_uuid": s,
                "serial_number": s,
                "item_type": t,
                "item_index": i,
                "service_id": v,
            }
            for s, t, i, v in series
        ],
    )
    assert belimo_to_readings(belimo)["point_id"].to_list() == [
        point_id("belimo", *pair) for pair in pairs
    ]
    assert skycentrics_to_readings(skycentrics)["point_id"].to_list() == [
        point_id("skycentrics", *pair) for pair in pairs
    ]
    assert socomec_to_readings(socomec)["point_id"].to_list() == [
        point_id("socomec", s, socomec_key(*triple)) for s, *triple in series
    ]


@pytest.mark.parametrize("serial", ["SN000001", " 12 34 ", "é", "e\u0301", "50%2F", "a~b", "A|B"])
def test_ids_that_were_never_ambiguous_are_what_they_were(serial: str) -> None:
    key = socomec_key("Global", "0", "140100")
    assert point_id("socomec", serial, key) == f"socomec/{serial}/Global|0|140100"


def test_a_serial_number_with_a_slash_is_a_device() -> None:
    assert point_id("socomec", "12/3456", "a/b") == "socomec//12%2F3456/a/b"
    assert point_id("socomec", "12", "3456/a/b") == "socomec/12/3456/a/b"


@given(
    st.lists(st.tuples(st.sampled_from(["000000", "000000~a", "7"]), st.sampled_from("abcd"))),
    st.lists(st.tuples(st.sampled_from(["000000", "000000~a", "7"]), st.sampled_from("abcd"))),
)
def test_no_two_devices_have_one_name(
    first: list[tuple[str, str]], second: list[tuple[str, str]]
) -> None:
    def ids(pairs: list[tuple[str, str]]) -> list[Identity]:
        return list({own: Identity(serial, own) for serial, own in pairs}.values())

    names = names_apart(ids(first))
    assert len(set(names.values())) == len(names)
    again = names_apart(ids(second), before=[(one.own_id, name) for one, name in names.items()])
    assert len(set(again.values())) == len(again)
    for one in names.keys() & again.keys():
        assert again[one] == names[one], "a device keeps its name, whoever comes or goes"
    alone = {one.serial for one in names}
    for serial in alone:
        if [one.serial for one in names].count(serial) == 1 and "~" not in serial:
            (own,) = (one for one in names if one.serial == serial)
            assert names[own] == serial


def test_a_device_that_was_there_first_keeps_the_number() -> None:
    schema = {"serial_number": pl.String, "uuid": pl.String}
    alone = with_names(pl.DataFrame([("000000", "b")], schema=schema, orient="row"), own_id="uuid")
    assert alone["serial_number"].to_list() == ["000000"]
    both = pl.DataFrame([("000000", "a"), ("000000", "b")], schema=schema, orient="row")
    named = with_names(both, own_id="uuid", before=alone)
    assert named["serial_number"].to_list() == ["000000~a", "000000"]
    assert with_names(both, own_id="uuid")["serial_number"].to_list() == ["000000", "000000~b"]
    # The one with the number is away: the other one does not take its place.
    left = with_names(both.head(1), own_id="uuid", before=named)
    assert left["serial_number"].to_list() == ["000000~a"]
    # Version 0.1.0 kept both under the number.
    assert with_names(both, own_id="uuid", before=both).equals(with_names(both, own_id="uuid"))


def test_a_valve_that_is_set_up_anew_keeps_its_number() -> None:
    """The old id is listed no more, or still is, beside the new one of the same production id."""
    schema = {"serial_number": pl.String, "production_id": pl.String}
    before = pl.DataFrame([("1-2-3", "P1")], schema=schema, orient="row")
    both = pl.DataFrame([("1-2-3", "P1"), ("1-2-3", "P1")], schema=schema, orient="row")
    for own in ("P1", None):
        now = both.with_columns(production_id=pl.lit(own, dtype=pl.String))
        named = with_names(now, own_id="production_id", before=before)
        assert named["serial_number"].to_list() == ["1-2-3", "1-2-3"]
