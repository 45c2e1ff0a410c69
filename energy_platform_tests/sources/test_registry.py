"""What is refused when a source is registered, and what its registration brings."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import pytest
from pydantic_settings import SettingsConfigDict

from energy_platform.portfolio import PortfolioError, parse_portfolio
from energy_platform.settings import ApiSettings
from energy_platform.sources import GROUP, other_sources
from energy_platform.sources.base import Poll
from energy_platform.sources.registry import SourceError, get_source, registered, sources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from pathlib import Path

BELIMO = get_source("belimo")


class Unprefixed(ApiSettings):
    model_config = SettingsConfigDict(env_prefix="OTHER_")


class Shown(ApiSettings):
    model_config = SettingsConfigDict(env_prefix="BELIMO_")
    password: str | None = None


class Unfinished(ApiSettings):
    model_config = SettingsConfigDict(env_prefix="BELIMO_")
    started: Fraction | None = None


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"name": "Belimo Cloud"}, "name: expected lower-case letters"),
    ({"name": "all"}, "name: expected lower-case letters"),
    ({"title": ""}, "title: expected the name shown to users"),
    ({"settings": dict}, "settings: expected a class derived from SourceSettings"),
    ({"settings": Unprefixed}, "settings: expected env_prefix 'BELIMO_'"),
    (
        {"settings": Shown, "login": ("password",), "enabled_by": ()},
        "settings: password is a secret by its name",
    ),
    ({"simulated_settings": {"RPS": "9"}}, "simulated_settings: RPS does not begin with BELIMO_"),
    ({"settings": Unfinished}, "settings: import the types of their fields at run time"),
    ({"login": ()}, "login: expected at least one setting"),
    ({"login": ("licence",), "enabled_by": ()}, "login: the settings have no licence"),
    ({"login": ("rps",), "enabled_by": ()}, "login: rps has a default"),
    ({"enabled_by": ("rps",)}, "enabled_by: rps is none of the login settings"),
    ({"day_table": None}, "day_table: expected a Table"),
    ({"day_table": replace(BELIMO.day_table, partitioned=False)}, "day_table: expected a part"),
    ({"day_table": replace(BELIMO.day_table, columns=())}, "day_table: expected a column at"),
    ({"day_table": replace(BELIMO.day_table, name="samples")}, "table samples: expected a name"),
    ({"device_column": "serial"}, "device_column: the day table has no serial"),
    ({"own_id_column": "uuid"}, "own_id_column: the day table has no uuid"),
    ({"inventory_tables": ()}, "inventory_tables: expected at least one"),
    ({"inventory_tables": (BELIMO.day_table,)}, "inventory_tables: raw_belimo__samples is part"),
    ({"not_for_days": (BELIMO.day_table,)}, "not_for_days: raw_belimo__samples is none of"),
    ({"open": None}, "open: expected a function"),
    ({"discover": None}, "discover: expected a function"),
    ({"readings": lambda raw: raw.drop("nothing")}, "readings: a day without rows gives"),
    ({"readings": lambda raw: raw}, "readings: expected a column point_id of String"),
    ({"poll": "each minute"}, "poll: expected a Poll"),
    (
        {"poll": Poll(run=None, polled_at=max, days=max, archive=max)},  # type: ignore[arg-type]
        "poll.run: expected a function",
    ),
]


@pytest.mark.parametrize(("part", "said"), BROKEN, ids=[said[:40] for _, said in BROKEN])
def test_a_source_that_lacks_a_part_is_refused_by_its_name(part: dict[str, Any], said: str) -> None:
    broken = replace(BELIMO, **part)
    with pytest.raises(SourceError) as raised:
        registered([("belimo_energy", broken)])
    assert said in str(raised.value)
    assert str(raised.value).startswith(f"source {broken.name!r} (belimo_energy): ")


def test_something_else_than_a_source_is_refused() -> None:
    with pytest.raises(SourceError, match="expected a SourceSpec, came dict"):
        registered([("acme_energy", {"name": "acme"})])  # type: ignore[list-item]


def test_a_built_in_source_without_its_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("energy_platform.sources.registry.BUILT_IN", ("acme",))
    sources.cache_clear()
    try:
        with pytest.raises(SourceError, match=r"'acme' .* cannot be imported: ModuleNotF"):
            sources()
    finally:
        sources.cache_clear()


def test_two_sources_of_one_name_are_refused() -> None:
    with pytest.raises(SourceError, match=r"'belimo' \(other\): another source has this name"):
        registered([("own", BELIMO), ("other", BELIMO)])


def test_two_tables_of_one_name_are_refused() -> None:
    device = replace(BELIMO.inventory_tables[0], name="raw_belimo__rejects")
    with pytest.raises(SourceError, match="table raw_belimo__rejects is already one of belimo"):
        registered([("own", replace(BELIMO, inventory_tables=(device,)))])


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SourceError, match="unknown source 'acme'; one of socomec, belimo, sky"):
        get_source("acme")


def test_an_unknown_source_in_a_portfolio_is_refused_with_the_known_ones() -> None:
    text = """\
sites: {s: {name: S, timezone: Europe/Paris}}
devices:
  - {vendor: acme, serial: A1, site: s, name: A, points: [{key: E, name: E,
     quantity: active_energy_import, kind: register, unit: kWh}]}
"""
    with pytest.raises(PortfolioError) as raised:
        parse_portfolio(text)
    for name in sources():
        assert name in str(raised.value)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages; what stands in it is installed."""
    info = tmp_path / "acme_energy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-energy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nacme = acme_energy:SOURCE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    other_sources.cache_clear()
    sources.cache_clear()
    assert [one.name for one in entry_points(group=GROUP)] == ["acme"]
    yield tmp_path
    sys.modules.pop("acme_energy", None)
    monkeypatch.undo()
    other_sources.cache_clear()
    sources.cache_clear()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_like_it", "cannot be imported: ModuleNotFoundError"),
        ("X = 1", "cannot be imported: AttributeError"),
        ("SOURCE = 1", "name: expected 'acme', by which it is registered"),
        (
            "from energy_platform.sources.belimo import SOURCE",
            "source 'belimo' (entry point acme = acme_energy:SOURCE): name: expected 'acme'",
        ),
    ],
)
def test_a_broken_package_is_named_when_the_sources_are_read(
    installed: Path, code: str, said: str
) -> None:
    (installed / "acme_energy.py").write_text(code)
    with pytest.raises(SourceError) as raised:
        sources()
    assert said in str(raised.value)
    assert "acme_energy" in str(raised.value)
