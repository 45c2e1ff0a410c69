"""A portfolio's text: what is accepted, and what a person is told about the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.portfolio import PortfolioError, load_portfolio, parse_portfolio
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.world import World
from energy_platform.transforms.policy import CounterPolicy

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
version: 1
sites:
  - {id: paris, name: Paris, timezone: Europe/Paris}
device_types:
  meter:
    points:
      - {key: Global|0|1, name: Import, quantity: active_energy_import, unit: kWh}
      - {key: Global|0|2, name: Power, quantity: active_power, unit: kW}
"""

DEVICES = """\
devices:
  - {vendor: socomec, serial: SN1, site: paris, name: Meter, type: meter, max_power_w: 50000}
"""

STREAM = """\
streams:
  - id: main
    kind: electricity
    site: paris
    credential: default
    interval: 15m
    reading: cumulative
    fields: {pC_1: socomec/SN1/Global|0|1, aP_1: socomec/SN1/Global|0|2}
"""


def refused(text: str) -> str:
    with pytest.raises(PortfolioError) as caught:
        parse_portfolio(text)
    return str(caught.value)


def test_the_demo_portfolio_loads() -> None:
    portfolio = parse_portfolio(demo_portfolio(World()))
    assert len(portfolio.devices) == 45
    assert portfolio.streams


def test_a_device_inherits_the_points_and_limits_of_its_type() -> None:
    portfolio = parse_portfolio(HEAD + DEVICES + STREAM)
    point = portfolio.points["socomec/SN1/Global|0|1"]
    assert point.kind == "register"
    assert point.policy.max_power_w == 50_000
    assert portfolio.points["socomec/SN1/Global|0|2"].kind == "gauge"
    assert portfolio.zone_of(portfolio.streams["main"]) == "Europe/Paris"


def test_a_points_own_limit_wins_over_its_devices() -> None:
    own = (
        "    points:\n"
        "      - {key: Global|0|1, name: Own, quantity: active_energy_import, unit: kWh,"
        " max_power_w: none}\n"
    )
    text = HEAD + DEVICES.replace("- {", "- \n    ").replace(", ", "\n    ").replace("}", "") + own
    point = parse_portfolio(text).points["socomec/SN1/Global|0|1"]
    assert point.name == "Own"
    assert point.policy.max_power_w is None


def test_a_register_without_a_rated_power_is_refused_until_someone_says_none() -> None:
    text = HEAD + DEVICES
    message = refused(text.replace(", max_power_w: 50000", ""))
    assert "portfolio.yaml:7" in message
    assert "max_power_w" in message
    loaded = parse_portfolio(text.replace("50000", "none"))
    assert loaded.points["socomec/SN1/Global|0|1"].policy.max_power_w is None


@pytest.mark.parametrize("power", ["0", "-5"])
def test_an_impossible_rated_power_of_a_device_names_its_line(power: str) -> None:
    assert "portfolio.yaml:10" in refused(HEAD + DEVICES.replace("50000", power))


@pytest.mark.parametrize(
    ("serial", "meant"),
    [("020000000001", "020000000001"), ("1_000", "1_000"), ("12:30", "12:30"), ("0x1F", "0x1F")],
)
def test_a_serial_number_is_never_read_as_another_number(serial: str, meant: str) -> None:
    portfolio = parse_portfolio(HEAD + DEVICES.replace("SN1", serial))
    assert list(portfolio.devices) == [f"socomec/{meant}"]


def test_plain_digits_are_a_serial_number_too() -> None:
    portfolio = parse_portfolio(HEAD + DEVICES.replace("SN1", "1000000001"))
    assert list(portfolio.devices) == ["socomec/1000000001"]


def test_norway_and_the_state_off_are_words() -> None:
    text = (
        HEAD.replace("timezone: Europe/Paris", "timezone: Europe/Oslo, country: NO").replace(
            "quantity: active_power, unit: kW", "quantity: state, states: {on: 1, off: 0}"
        )
        + DEVICES
    )
    portfolio = parse_portfolio(text)
    assert portfolio.sites["paris"].country == "NO"
    assert portfolio.points["socomec/SN1/Global|0|2"].states == (("off", 0.0), ("on", 1.0))


def test_a_section_written_twice_is_refused_rather_than_half_lost() -> None:
    message = refused(HEAD + DEVICES + DEVICES.replace("SN1", "SN2"))
    assert "portfolio.yaml:11: 'devices' is there twice" in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected a mapping"),
        ("- 1\n", "expected a mapping"),
        ("version: 1\nsites: [\n", "portfolio.yaml:3: not valid YAML"),
        ("version: 1\nsites: []\x01", "not valid YAML"),
        ("version: 1\nsites: []\nnew: 2026-13-45\n", "not valid YAML: month"),
        ("--- {}\n--- {}\n", "another document"),
        ("version: 2\nsites: []\n", "portfolio.yaml:1: version"),
        ("version: 1\nsites: []\nsite: []\n", "portfolio.yaml:3: site"),
    ],
)
def test_what_is_no_portfolio_is_told_in_one_line(text: str, part: str) -> None:
    message = refused(text)
    assert part in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("old", "new", "line", "part"),
    [
        ("Europe/Paris", "Paris/Europe", 3, "not an IANA time zone"),
        ("site: paris, name: Meter", "site: lyon, name: Meter", 10, "unknown site 'lyon'"),
        ("type: meter", "type: valve", 10, "unknown device type 'valve'"),
        ("interval: 15m", "interval: 7m", 12, "divide a day"),
        ("interval: 15m", "interval: 15", 16, "has no unit"),
        ("interval: 15m", "interval: 0s", 16, "longer than nothing"),
        ("pC_1: socomec/SN1/Global|0|1", "pC_1: socomec/SN1/Global|0|2", 18, "needs an energy"),
        ("aP_1: socomec/SN1/Global|0|2", "aP_1: socomec/SN1/Global|0|1", 18, "needs a gauge"),
        ("aP_1: socomec/SN1/Global|0|2", "aP_9: socomec/SN1/Global|0|2", 12, "unknown fields"),
        ("aP_1: socomec/SN1/Global|0|2", "aP_1: socomec/SN1/Global|0|9", 18, "unknown point"),
        ("reading: cumulative", "reading: average", 12, "is cumulative"),
        ("name: Power,", "nmae: Power,", 8, "nmae"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, line: int, part: str) -> None:
    text = HEAD + DEVICES + STREAM
    assert old in text
    message = refused(text.replace(old, new))
    assert part in message
    assert f"portfolio.yaml:{line}:" in message


def test_every_mistake_is_told_at_once() -> None:
    text = HEAD + DEVICES + STREAM
    message = refused(
        text.replace("site: paris, name: Meter", "site: x, name: Meter").replace(
            "site: paris\n", "site: y\n"
        )
    )
    assert len(message.splitlines()) == 2


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(PortfolioError, match="energy-platform discover"):
        load_portfolio(tmp_path / "portfolio.yaml")


def test_a_correction_says_when_and_why() -> None:
    text = (
        HEAD
        + DEVICES
        + """\
corrections:
  - points: [socomec/SN1/Global|0|1]
    reason: current transformers swapped
    from: 2026-01-31T08:00:00+01:00
    to: 2026-02-02
    factor: 2
"""
    )
    (correction,) = parse_portfolio(text).corrections
    assert correction.start == datetime(2026, 1, 31, 7, tzinfo=UTC)
    # A date without a time is the start of that day on the site's clock.
    assert correction.end == datetime(2026, 2, 1, 23, tzinfo=UTC)
    assert "has no zone" in refused(text.replace("08:00:00+01:00", "08:00:00"))
    assert "unknown point" in refused(text.replace("[socomec/SN1/Global|0|1]", "[socomec/x/y]"))
    assert "'to' must lie after 'from'" in refused(text.replace("2026-02-02", "2026-01-02"))
    assert "either drops" in refused(text.replace("factor: 2", "factor: 2\n    drop: true"))


def net(entries: str = "") -> CounterPolicy:
    """Return the policy of a net register with further entries."""
    text = (HEAD + DEVICES).replace(
        "name: Import, quantity: active_energy_import",
        f"name: Net, {entries}quantity: active_energy_net",
    )
    return parse_portfolio(text).points["socomec/SN1/Global|0|1"].policy


def test_a_net_register_may_fall_without_anyone_saying_so() -> None:
    assert net() == CounterPolicy(glitch="keep", on_fall="signed", dip_ratio=None)
    assert parse_portfolio(HEAD + DEVICES).points["socomec/SN1/Global|0|1"].policy.on_fall == (
        "count_after"
    )


def test_what_the_portfolio_says_of_a_net_register_counts() -> None:
    found = net("glitch: drop, on_fall: zero, dip_ratio: 0.5, max_power_w: 700, ")
    assert found == CounterPolicy(on_fall="zero", dip_ratio=0.5, max_power_w=700)
    assert net("gap_after: 1h, ") == replace(net(), gap_after=timedelta(hours=1))


def test_net_power_is_no_register() -> None:
    text = (HEAD + DEVICES).replace(
        "quantity: active_energy_import", "kind: gauge, quantity: active_energy_net"
    )
    assert parse_portfolio(text).points["socomec/SN1/Global|0|1"].policy.glitch == "drop"


def test_a_policy_is_read_with_its_units() -> None:
    policy = "gap_after: 90m, dip_ratio: none, reset_markers: [{at: 2026-01-05T10:00:00Z}]"
    text = (HEAD + DEVICES).replace(
        "name: Import, quantity: active_energy_import",
        f"name: Import, {policy}, quantity: active_energy_import",
    )
    found = parse_portfolio(text).points["socomec/SN1/Global|0|1"].policy
    assert found.gap_after == timedelta(minutes=90)
    assert found.dip_ratio is None
    assert found.reset_markers == (datetime(2026, 1, 5, 10, tzinfo=UTC),)
    assert (
        parse_portfolio(text.replace("90m", "never"))
        .points["socomec/SN1/Global|0|1"]
        .policy.gap_after
        is None
    )
    assert "portfolio.yaml:7" in refused(text.replace("dip_ratio: none", "dip_ratio: 2"))
    half = "reset_markers: [{at: 2026-01-05T10:00:00Z, final_wh: 5}]"
    assert "together" in refused(text.replace("reset_markers: [{at: 2026-01-05T10:00:00Z}]", half))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2026-01-05", datetime(2026, 1, 4, 23, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-01-05T00:00:00Z", datetime(2026, 1, 5, tzinfo=UTC)),
    ],
)
def test_the_date_of_a_marker_is_a_day_on_the_sites_clock(typed: str, meant: datetime) -> None:
    point = "name: Import, quantity: active_energy_import"
    marked = point.replace("Import,", f"Import, reset_markers: [{{at: {typed}}}],")
    found = parse_portfolio((HEAD + DEVICES).replace(point, marked))
    assert found.points["socomec/SN1/Global|0|1"].policy.reset_markers == (meant,)
    corrected = (
        HEAD
        + DEVICES
        + (
            "corrections:\n  - {points: ['socomec/SN1/Global|0|1'], reason: exchanged,\n"
            f"     policy: {{reset_markers: [{{at: {typed}}}]}}}}\n"
        )
    )
    policy = parse_portfolio(corrected).policy_on("socomec/SN1/Global|0|1", day="2026-01-05")
    assert policy.reset_markers == (meant,)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("start: 2026-01-05", datetime(2026, 1, 4, 23, tzinfo=UTC)),
        ("start: 2026-01-05T00:00:00+00:00", datetime(2026, 1, 5, tzinfo=UTC)),
        (
            "start: 2026-01-05\n    timezone: Asia/Kolkata",
            datetime(2026, 1, 4, 18, 30, tzinfo=UTC),
        ),
    ],
)
def test_a_stream_goes_live_at_midnight_of_its_own_clock(typed: str, meant: datetime) -> None:
    portfolio = parse_portfolio(HEAD + DEVICES + STREAM + f"    {typed}\n")
    assert portfolio.streams["main"].start == meant


def test_a_section_with_everything_commented_out_is_empty() -> None:
    portfolio = parse_portfolio(HEAD + DEVICES + "streams:\n#  - id: main\ncorrections:\n")
    assert not portfolio.streams
    assert portfolio.devices


def with_increment(settings: str) -> str:
    increment = (
        "      - {key: Global|0|3, name: Delta, quantity: active_energy_import, unit: kWh, "
        f"kind: increment, {settings}}}\n"
    )
    return HEAD + increment + DEVICES


def test_an_increment_says_which_period_it_is_the_energy_of() -> None:
    for settings, width_s, stamp, zone in [
        ("every: 15m", None, "end", None),
        ("stamp: start, width: 15m", 900.0, "start", None),
        ("stamp: start, every: 15m", None, "start", None),
        ("stamp: end, width: 1d", 86_400.0, "end", "Europe/Paris"),
        ("every: 1d", None, "end", "Europe/Paris"),
    ]:
        frame = parse_portfolio(with_increment(settings)).increments_frame()
        assert frame.rows() == [("socomec/SN1/Global|0|3", width_s, stamp, zone)], settings


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ("stamp: start", "width says how long its period is, such as 15m"),
        ("stamp: middle", "stamp"),
        ("width: 15", "has no unit"),
        ("width: 0s", "longer than nothing"),
    ],
)
def test_a_period_that_is_not_clear_is_refused(settings: str, part: str) -> None:
    assert part in refused(with_increment(settings))


def test_only_increments_have_periods() -> None:
    text = HEAD.replace("quantity: active_power, unit: kW", "quantity: active_power, width: 15m")
    assert "stamp and width are of increments, 'Global|0|2' is a gauge" in refused(text + DEVICES)


def test_dates_of_a_correction_are_days_on_the_clock_of_each_site_or_as_it_says() -> None:
    text = """\
version: 1
sites:
  - {id: paris, name: Paris, timezone: Europe/Paris}
  - {id: la, name: LA, timezone: America/Los_Angeles}
devices:
  - {vendor: socomec, serial: A, site: paris, name: A,
     points: [{key: v, name: V, quantity: voltage}]}
  - {vendor: socomec, serial: B, site: la, name: B,
     points: [{key: v, name: V, quantity: voltage}]}
corrections:
  - {points: [socomec/A/v, socomec/B/v], reason: reviewed, from: 2026-02-20, factor: 2}
  - {points: [socomec/B/v], reason: reviewed, from: 2026-02-20, factor: 2, timezone: UTC}
"""
    rows = parse_portfolio(text).corrections_frame().select("point_id", "start").rows()
    assert rows == [
        ("socomec/A/v", datetime(2026, 2, 19, 23, tzinfo=UTC)),
        ("socomec/B/v", datetime(2026, 2, 20, 8, tzinfo=UTC)),
        ("socomec/B/v", datetime(2026, 2, 20, tzinfo=UTC)),
    ]


def test_the_earlier_until_of_a_point_and_its_device_holds() -> None:
    text = """\
version: 1
sites: [{id: paris, name: Paris, timezone: Europe/Paris}]
devices:
  - vendor: socomec
    serial: A
    site: paris
    name: A
    until: 2026-07-01
    points:
      - {key: v, name: V, quantity: voltage}
      - {key: c, name: C, quantity: current, until: 2026-06-01T12:00:00Z}
"""
    points = parse_portfolio(text).points
    assert points["socomec/A/v"].until == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert points["socomec/A/c"].until == datetime(2026, 6, 1, 12, tzinfo=UTC)
    with pytest.raises(PortfolioError, match=r"yaml:8: .*not a date such as"):
        parse_portfolio(text.replace("until: 2026-07-01", "until: next summer"))
