"""What a person typed wrongly in a portfolio, and the one sentence that says so with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.portfolio import PortfolioError, load_portfolio, parse_portfolio
from energy_platform.portfolio.files import LARGEST_BYTES
from energy_platform.portfolio.messages import unfit_unit
from energy_platform.schemas import Quantity
from energy_platform.transforms.units import ANY_UNIT, conversion, units_of

if TYPE_CHECKING:
    from pathlib import Path

POINT = "{key: Global|0|1, name: Import, quantity: active_energy_import, unit: kWh}"

TEXT = f"""\
version: 1
sites:
  - {{id: paris, name: Paris, timezone: Europe/Paris}}
device_types:
  meter:
    points:
      - {POINT}
      - {{key: Global|0|2, name: Power, quantity: active_power, unit: kW}}
devices:
  - {{vendor: socomec, serial: SN1, site: paris, name: Meter, type: meter, max_power_w: 50000}}
corrections:
  - {{points: [socomec/SN1/Global|0|1], reason: read by hand, factor: 2}}
streams:
  - {{id: main, kind: value, site: paris, credential: default, interval: 15m, reading: cumulative,
     unit: kWh, fields: {{value: socomec/SN1/Global|0|1}}}}
"""


def refused(text: str) -> str:
    with pytest.raises(PortfolioError) as caught:
        parse_portfolio(text)
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


def test_the_text_that_the_mistakes_are_made_in_loads() -> None:
    assert parse_portfolio(TEXT).corrections[0].factor == 2


@pytest.mark.parametrize("number", ["nan", ".nan", "inf", ".inf", "-.inf", "Infinity", "1e999"])
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("factor: 2", "factor: {}", 12),
        ("factor: 2", "offset: {}", 12),
        ("unit: kWh}", "unit: kWh, maximum: {}}}", 7),
        ("unit: kWh}", "unit: kWh, rated_capacity_wh: {}}}", 7),
        ("unit: kWh}", "unit: kWh, register_modulus_wh: {}}}", 7),
        ("unit: kWh}", "unit: kWh, resolution_wh: {}}}", 7),
        ("unit: kWh}", "unit: kWh, dip_ratio: {}}}", 7),
        ("50000", "{}", 10),
    ],
)
def test_what_is_no_finite_number_is_refused(number: str, old: str, new: str, line: int) -> None:
    message = refused(changed(old, new.format(number)))
    assert message.startswith(f"portfolio.yaml:{line}: ")
    assert "expected a" in message
    assert "\n" not in message


@pytest.mark.parametrize("typed", ["true", "false", "yes", "[1]", "{}", "0x1F", "'1,5'", "8 kW"])
@pytest.mark.parametrize(("old", "new"), [("50000", "{}"), ("factor: 2", "factor: {}")])
def test_what_is_no_number_is_not_taken_for_one(typed: str, old: str, new: str) -> None:
    message = refused(changed(old, new.format(typed)))
    assert "number" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("typed", "watts"),
    [("8e3", 8000), ("'8000'", 8000), ("8_000", 8000), ("1.5E4", 15_000), (".5", 0.5)],
)
def test_numbers_that_yaml_takes_for_text_are_the_numbers_that_stand_there(
    typed: str, watts: float
) -> None:
    point = parse_portfolio(changed("50000", typed)).points["socomec/SN1/Global|0|1"]
    assert point.policy.max_power_w == watts


@pytest.mark.parametrize("entry", ["confirm: true", "confirm: 2.5", "sign: true", "sign: 2"])
def test_a_whole_number_is_neither_a_yes_nor_a_fraction(entry: str) -> None:
    assert "portfolio.yaml:7: " in refused(changed("unit: kWh}", f"unit: kWh, {entry}}}"))


@pytest.mark.parametrize(
    ("quantity", "typed", "meant"),
    [
        ("active_energy_import", "Kwh", "kWh"),
        ("active_energy_import", "kwh", "kWh"),
        ("active_energy_import", "mWh", "MWh"),
        ("active_energy_import", "kilowatt hours", "kWh"),
        ("active_power", "kilowatts", "kW"),
        ("active_power", "Kw", "kW"),
        ("temperature", "celsius", "°C"),
        ("volume", "M3", "m³"),
    ],
)
def test_a_misspelt_unit_is_refused_with_the_one_that_was_meant(
    quantity: str, typed: str, meant: str
) -> None:
    spelt = f"quantity: {quantity}, unit: {typed}}}"
    message = refused(changed("quantity: active_energy_import, unit: kWh}", spelt))
    assert message.startswith("portfolio.yaml:7: ")
    assert f"Did you mean {meant}?" in message
    assert f"Units that fit: {', '.join(units_of(quantity))}" in message


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [("active_energy_import", "kW"), ("active_power", "°C"), ("voltage", "A"), ("power", "kWh")],
)
def test_a_unit_of_something_else_is_refused(quantity: str, unit: str) -> None:
    spelt = f"quantity: {quantity}, unit: {unit}}}"
    message = refused(changed("quantity: active_energy_import, unit: kWh}", spelt))
    assert message.startswith("portfolio.yaml:7: ")


def test_a_streams_unit_must_fit_what_it_sends() -> None:
    message = refused(changed("unit: kWh, fields", "unit: kW, fields"))
    assert message.startswith("portfolio.yaml:15: 'kW' is not a unit of active_energy_import")


@pytest.mark.parametrize("unit", ["Kwh", "furlongs", "%", "°F", ""])
def test_what_a_vendor_says_of_an_unknown_quantity_stays_loadable(unit: str) -> None:
    for quantity in ("other", "state"):
        spelt = f'quantity: {quantity}, unit: "{unit}"}}'
        text = changed("quantity: active_energy_import, unit: kWh}", spelt)
        text = text[: text.index("streams:")]
        assert parse_portfolio(text).points["socomec/SN1/Global|0|1"].quantity == quantity


@given(st.sampled_from(get_args(Quantity)), st.text(max_size=6))
def test_a_unit_is_refused_exactly_when_no_reading_could_be_converted(
    quantity: str, unit: str
) -> None:
    is_usable = conversion(unit, quantity=quantity) is not None
    is_refused = unfit_unit(unit, quantity=quantity) is not None
    assert not (is_usable and is_refused)
    if unit.strip() and quantity not in ANY_UNIT | {"state"}:
        assert is_refused is not is_usable


def test_a_mistyped_key_is_told_with_the_one_that_was_meant() -> None:
    assert "devices.0.rol: there is no such key; did you mean role?" in refused(
        changed("type: meter", "type: meter, rol: main")
    )
    assert "did you mean quantity" in refused(changed("quantity: active_power", "quantiy: x"))
    assert "did you mean from" in refused(changed("factor: 2", "factor: 2, fron: 2026-01-01"))
    message = refused(changed("type: meter", "type: meter, colour: red"))
    assert "one of vendor, serial, site, name" in message


def test_what_may_stand_is_listed_once_however_often_the_same_is_wrong() -> None:
    text = TEXT.replace("quantity: active_energy_import", "quantity: zzz").replace(
        "quantity: active_power", "quantity: yyy"
    )
    message = refused(text)
    assert message.count("reactive_energy_export") == 1
    assert len(message.splitlines()) == 2
    near = refused(changed("quantity: active_energy_import", "quantity: activ_energy_import"))
    assert "did you mean active_energy_import" in near
    assert "temperature_difference" not in near


@pytest.mark.parametrize(
    "site", ['"a\\0b"', "../../etc", "a/../b", "..", '"a\\eb"', '" a"', "a" * 300, '"a\\u202eb"']
)
def test_a_site_id_is_no_path_and_holds_no_control_characters(site: str) -> None:
    message = refused(TEXT.replace("id: paris", f"id: {site}"))
    assert message.startswith("portfolio.yaml:3: sites.0.id: ")
    assert "an id" in message
    assert message.isprintable()


def test_ids_of_the_first_version_stay_usable() -> None:
    for site in ("Siège n° 1", "paris/office", "a.b", "x" * 200):
        assert parse_portfolio(TEXT.replace("paris", f'"{site}"')).sites[site]


def test_a_serial_number_may_hold_what_its_vendor_says() -> None:
    text = TEXT.replace("serial: SN1", 'serial: "SN1\\e[31m"').split("corrections")[0]
    assert list(parse_portfolio(text).devices) == ["socomec/SN1\x1b[31m"]


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def test_aliases_that_expand_without_end_are_refused() -> None:
    assert refused(bomb(40)) == (
        "portfolio.yaml:6: not valid YAML: aliases expand it to more than 1,000,000 entries"
    )


def test_merged_aliases_are_bounded_too() -> None:
    lines = ["a0: &a0 {k: 1, l: 2}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 40)]
    assert "aliases expand it" in refused("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nb: &b [1, *b]\n", 2), ("&a {b: *a}\n", 1), ("- &a\n  - &b [*b, *a]\n", 2)],
)
def test_an_alias_inside_what_it_names_is_refused_with_its_line(text: str, line: int) -> None:
    message = refused(text)
    assert message.startswith(f"portfolio.yaml:{line}: not valid YAML: the alias *")


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000, "[" * 200 + "]" * 200])
def test_lists_in_lists_without_end_are_refused(text: str) -> None:
    message = refused(f"version: 1\nsites:\n  {text}")
    assert message.startswith("portfolio.yaml:3: ")
    assert "nested deeper than 50 levels" in message


def test_aliases_of_a_portfolio_that_repeats_itself_are_welcome() -> None:
    text = TEXT.replace("points:\n", "points: &points\n").replace(
        "type: meter,", "points: *points,"
    )
    assert len(parse_portfolio(text).points) == 2


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("factor: 2", "factor: 2, from: 20260131", "2026-01-31"),
        ("factor: 2", "factor: 2, from: soon", "'soon' is not a date"),
        ("factor: 2", "factor: 2, from: 0001-01-01T00:00:00+14:00", "outside the calendar"),
        ("factor: 2", "factor: 2, from: 2026-02-30", "not valid YAML: day is out of range"),
        ("unit: kWh}", "unit: kWh, every: 99999999999999d}", "longer than a year"),
        ("unit: kWh}", "unit: kWh, gap_after: 5}", "has no unit"),
        ("50000", "-1", "greater than 0 (W), or none"),
        ("50000", "1" * 5000, "Exceeds the limit"),
    ],
)
def test_each_value_is_refused_in_one_line_that_names_its_place(
    old: str, new: str, part: str
) -> None:
    message = refused(changed(old, new))
    assert part in message
    assert message.startswith("portfolio.yaml:")
    assert message.split(":")[1].isdecimal()
    assert "\n" not in message
    assert len(message) < 400


def test_a_control_character_names_its_line() -> None:
    assert refused("version: 1\nsites: []\n# \x01\n").startswith(
        "portfolio.yaml:3: not valid YAML: the character U+0001"
    )


def test_what_is_no_file_of_text_is_refused_without_reading_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "portfolio.yaml"

    def problem() -> str:
        with pytest.raises(PortfolioError) as caught:
            load_portfolio(path)
        return str(caught.value)

    path.mkdir()
    assert "is a folder" in problem()
    path.rmdir()
    path.symlink_to("/dev/zero")
    assert "no regular file" in problem()
    path.unlink()
    with path.open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    assert "larger than 64 MiB" in problem()
    path.write_bytes(b"version: 1\nsites: [\xff]\n")
    assert problem().startswith(f"{path}:2: is not UTF-8 text")
