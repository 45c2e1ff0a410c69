"""The files of a portfolio: read once per change, in one file or in several, with right lines."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from energy_platform.portfolio import PortfolioError, load_portfolio, portfolio_state
from energy_platform.portfolio.text import PortfolioLoader, compose
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.world import World

if TYPE_CHECKING:
    from pathlib import Path

SITES = """\
version: 1
sites:
  - {id: paris, name: Paris, timezone: Europe/Paris}
"""

TYPES = """\
device_types:
  meter:
    points:
      - {key: "1", name: Import, quantity: active_energy_import, unit: kWh}
"""


def device(serial: str, *, site: str = "paris") -> str:
    return (
        f"  - {{vendor: socomec, serial: {serial}, site: {site}, name: Meter, type: meter, "
        "max_power_w: 50000}\n"
    )


@pytest.fixture
def main(tmp_path: Path) -> Path:
    path = tmp_path / "portfolio.yaml"
    path.write_text(SITES + TYPES + "devices:\n" + device("SN1"))
    (tmp_path / "portfolio.d").mkdir()
    return path


def write_part(main: Path, name: str, text: str) -> Path:
    path = main.with_name("portfolio.d") / name
    path.write_text(text)
    return path


def refused(main: Path) -> str:
    with pytest.raises(PortfolioError) as caught:
        load_portfolio(main)
    return str(caught.value)


def make_old(*paths: Path) -> None:
    """Have files look as if nobody had touched them lately."""
    then = time.time() - 60
    for path in paths:
        os.utime(path, (then, then))


def test_an_unchanged_portfolio_is_read_once(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("energy_platform.portfolio.files._RACY_NS", 0)
    first = load_portfolio(main)
    assert load_portfolio(main) is first
    main.write_text(main.read_text() + device("SN2"))
    assert list(load_portfolio(main).devices) == ["socomec/SN1", "socomec/SN2"]


def test_a_file_that_was_just_written_is_not_remembered(main: Path) -> None:
    """Within one tick of the file system's clock a second change looks like the first."""
    assert load_portfolio(main) is not load_portfolio(main)


def test_a_file_put_back_with_its_old_time_is_read_again(
    main: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("energy_platform.portfolio.files._RACY_NS", 0)
    make_old(main)
    load_portfolio(main)
    before = main.stat()
    main.write_text(main.read_text().replace("SN1", "SN9"))
    os.utime(main, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert main.stat().st_size == before.st_size
    assert list(load_portfolio(main).devices) == ["socomec/SN9"]


def test_a_mended_portfolio_loads_and_a_broken_one_goes_on_being_refused(
    main: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("energy_platform.portfolio.files._RACY_NS", 0)
    good = main.read_text()
    main.write_text(good.replace("site: paris", "site: pari"))
    assert refused(main) == refused(main) == f"{main}:9: unknown site 'pari'"
    main.write_text(good)
    assert load_portfolio(main).devices


def test_parts_are_joined_with_the_main_file(main: Path) -> None:
    write_part(
        main,
        "b.yaml",
        "devices:\n" + device("SN3", site="rome") + "corrections:\n"
        '  - {points: ["socomec/SN3/1"], reason: read by hand, factor: 2}\n',
    )
    write_part(
        main, "a.yaml", "version: 1\nsites:\n  - {id: rome, name: Rome, timezone: Europe/Rome}\n"
    )
    write_part(main, "empty.yaml", "# nothing yet\n")
    portfolio = load_portfolio(main)
    assert list(portfolio.sites) == ["paris", "rome"]
    assert list(portfolio.points) == ["socomec/SN1/1", "socomec/SN3/1"]
    assert portfolio.corrections[0].points == ("socomec/SN3/1",)


def test_a_type_and_its_streams_may_stand_in_parts(main: Path) -> None:
    main.write_text(SITES)
    write_part(main, "types.yaml", TYPES)
    write_part(main, "devices.yaml", "devices:\n" + device("SN1"))
    write_part(
        main,
        "streams.yaml",
        "streams:\n  - {id: main, kind: value, site: paris, credential: default, interval: 15m, "
        'reading: cumulative, unit: kWh, fields: {value: "socomec/SN1/1"}}\n',
    )
    assert list(load_portfolio(main).streams) == ["main"]


@pytest.mark.parametrize(
    ("text", "line", "what", "first"),
    [
        ("sites:\n  - {id: paris, name: P, timezone: UTC}\n", 2, "site 'paris'", 3),
        ("devices:\n\n" + device("SN1"), 3, "device 'socomec/SN1'", 9),
        (TYPES, 2, "device type 'meter'", 5),
    ],
)
def test_the_same_id_in_two_files_is_refused_with_both_places(
    main: Path, text: str, line: int, what: str, first: int
) -> None:
    part = write_part(main, "more.yaml", text)
    assert refused(main) == f"{part}:{line}: {what} is there twice, first in {main}:{first}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("devices:\n" + device("SN2", site="oslo"), "2: unknown site 'oslo'"),
        ("devices:\n" + device("SN2").replace("50000", "fast"), "2: devices.1.max_power_w: "),
        ("devics: []\n", "1: devics: there is no such key; did you mean devices"),
        ("devices: {}\n", "1: devices: expected a list"),
        ("device_types: []\n", "1: device_types: expected names with points"),
        ("- a\n", "1: expected a mapping"),
        ("a: 1\na: 2\n", "2: 'a' is there twice; only the last one would count"),
        ("a: [1\n", "2: not valid YAML"),
    ],
)
def test_a_problem_names_the_part_and_its_line(main: Path, text: str, message: str) -> None:
    part = write_part(main, "more.yaml", text)
    assert refused(main).startswith(f"{part}:{message}")


def test_another_version_in_a_part_is_refused(main: Path) -> None:
    part = write_part(main, "more.yaml", "version: 2\n")
    assert refused(main) == f"{part}:1: version: 2 here, 1 in {main}:1"


def test_a_part_that_would_not_be_read_is_named(main: Path) -> None:
    part = write_part(main, "more.yml", "devices: []\n")
    assert refused(main) == f"{part}: is not read; rename it so that it ends in .yaml"


def test_hidden_files_and_backups_of_editors_are_no_parts(main: Path) -> None:
    write_part(main, ".more.yaml.swp", "devices: [")
    write_part(main, ".more.yaml", "devices: [")
    write_part(main, "more.yaml~", "devices: [")
    assert list(load_portfolio(main).devices) == ["socomec/SN1"]


def test_a_part_that_comes_changes_or_goes_changes_the_state(
    main: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("energy_platform.portfolio.files._RACY_NS", 0)
    states = [portfolio_state(main)]
    part = write_part(main, "more.yaml", "devices:\n" + device("SN2"))
    states.append(portfolio_state(main))
    assert len(load_portfolio(main).devices) == 2
    part.write_text("devices:\n" + device("SN22") + device("SN3"))
    states.append(portfolio_state(main))
    assert len(load_portfolio(main).devices) == 3
    part.unlink()
    assert len(load_portfolio(main).devices) == 1
    assert len({*states}) == 3
    assert portfolio_state(main) == states[0]


class PurePython(yaml.SafeLoader):
    """The same reading without libyaml, as a PyYAML built without it does."""

    yaml_implicit_resolvers = PortfolioLoader.yaml_implicit_resolvers


def leaves(node: yaml.Node | None) -> list[tuple[object, ...]]:
    if isinstance(node, yaml.MappingNode):
        return [one for pair in node.value for part in pair for one in leaves(part)]
    if isinstance(node, yaml.SequenceNode):
        return [one for part in node.value for one in leaves(part)]
    assert isinstance(node, yaml.ScalarNode)
    start, end = node.start_mark, node.end_mark
    return [(node.tag, node.value, start.line, start.column, start.index, end.index)]


@pytest.mark.parametrize(
    "text",
    [
        demo_portfolio(World()),
        "é: [é, 'x y', \"a\\n\n  b\"]\r\n# ü\r\nb:\r\n  - |\r\n    two\r\n    l\r\n  - x: 1\r\n",
        "a: &a {x: 1, <<: {y: 2}}\nb: *a\nc:\n- ~\n- 020\n- on\n- 2026-01-31\nd: 😀 # e\ne: f",
    ],
)
def test_libyaml_reads_the_same_at_the_same_places(text: str) -> None:
    """Edits of ``discover`` and the lines of errors rest on the places."""
    assert leaves(compose(text)) == leaves(PurePython(text).get_single_node())
