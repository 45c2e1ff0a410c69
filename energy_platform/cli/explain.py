"""``energy-platform explain POINT DAY``: from the vendor's rows to the day's figure."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from energy_platform.cli.accept_answer import sentence
from energy_platform.cli.console import add_row, table
from energy_platform.cli.days import day_by_word
from energy_platform.cli.progress import working
from energy_platform.explain import describe_said, explain, parse_as_of, said_of
from energy_platform.explain.descriptions import number
from energy_platform.identity import name_of
from energy_platform.installation.origin import installation
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import load_portfolio
from energy_platform.portfolio.find import find_point

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.table import Table

    from energy_platform.explain import (
        CarriedReading,
        Explanation,
        RawRow,
        SaidFigure,
        Sample,
    )


def run_explain(
    console: Console, *, point: str, day: str, as_of: str | None = None, as_json: bool
) -> int:
    """Print the chain from raw rows to a local day's energy.

    Args:
        console: Where to print.
        point: ``vendor/serial/key``, or words that fit one point only.
        day: Local day of the point's site; ``yesterday`` and ``today`` are by its clock.
        as_of: Instant, or local date, of which the figures are shown as they were said; None: those
            that changed after they were final.
        as_json: One JSON object in place of tables.

    Returns:
        0.

    Raises:
        ExplainError: ``day`` is not a date, or ``as_of`` no instant.
        PointNotFoundError: The portfolio has no such point, or several.
        SettingsError: A variable is wrong.
        PortfolioError: The portfolio cannot be used.
        LakeError: A file of the lake is damaged.
    """
    platform = installation().settings.platform
    portfolio = load_portfolio(platform.portfolio)
    lake = Lake.of(platform)
    found = find_point(portfolio, point)
    local_day = day_by_word(day, timezone=portfolio.sites[found.site_id].timezone)
    with working(f"reading {found.point_id} of {local_day}"):
        chain = explain(lake, portfolio, point_id=found.point_id, day=local_day)
    instant = None if as_of is None else parse_as_of(as_of, timezone=chain.timezone)
    said = said_of(platform.data_dir, scope_id=chain.point_id, day=local_day)
    if as_json:
        shown = chain.as_json() | {"as_of": instant, "final_figures": [asdict(one) for one in said]}
        print(json.dumps(shown, indent=2, default=_text))  # noqa: T201
    else:
        for line in _said(said, instant=instant):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        _print(console, chain)
        for line in _replacements(lake, chain):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def _said(said: tuple[SaidFigure, ...], *, instant: datetime | None) -> list[str]:
    """Return what was said of the figures, before the chain of the data as they are now."""
    if instant is None:
        lines = describe_said(said, as_of=None)
        return ["changed after it was final:", *lines, ""] if lines else []
    lines = describe_said(said, as_of=instant)
    if not lines:
        lines = ["nothing of this day, its week or its month has been published as final so far"]
    return [f"as of {instant:%Y-%m-%d %H:%M:%SZ}:", *lines, "", "of the data as they are now:"]


def _replacements(lake: Lake, chain: Explanation) -> list[str]:
    """Say which of the point's days have an answer that an operator accepted."""
    if not Catalogue.exists(lake):
        return []
    vendor, serial, _ = name_of(chain.point_id)
    with Catalogue.of(lake) as catalogue:
        return [
            sentence(one)
            for day in chain.utc_days
            for one in catalogue.replacements(vendor, day=day)
            if one.device in {"", serial}
        ]


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _print(console: Console, chain: Explanation) -> None:
    zone = ZoneInfo(chain.timezone)

    def say(text: str = "") -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    def local(at: datetime) -> str:
        return f"{at.astimezone(zone):%m-%d %H:%M:%S%z}"

    say(f"{chain.point_id} ({chain.name}), {chain.quantity}")
    say(
        f"{chain.local_day} in {chain.timezone} ({chain.site}): {chain.expected_s / 3600:g} h, "
        f"{chain.starts_at:%Y-%m-%dT%H:%MZ} to {chain.ends_at:%Y-%m-%dT%H:%MZ}"
    )
    for line in _settings(chain):
        say(line)
    say(f"\n1. {_before(chain)}")
    if chain.parts:
        console.print(_parts(chain))
    say(f"\n2. Samples of the local day: {len(chain.samples)}")
    if chain.samples:
        console.print(_samples(chain.samples, local=local))
    later = [step for step in chain.steps if step.end_at >= chain.ends_at]
    for step in later:
        say(f"settled later, at {local(step.end_at)} (file of {step.file_day}): {step.description}")
    say(f"\n3. {_after(chain)}")
    say(f"\n4. Intervals of 15 minutes inside the local day: {len(chain.intervals)}")
    if chain.intervals:
        console.print(_intervals(chain, local=local))
    say(f"\n5. {_figure(chain)}")


def _state(carried: tuple[CarriedReading, ...], *, unit: str) -> str:
    if not carried:
        return "nothing, the register was not known"
    return ", ".join(
        f"{one.kind} {number(one.register)} {unit} of {one.at:%m-%d %H:%M:%SZ}"
        + (
            f" (total {number(one.total)} {unit})"
            if one.kind == "good" and one.total is not None
            else ""
        )
        for one in carried
    )


def _settings(chain: Explanation) -> list[str]:
    """Say how the point was read on these days, and what waits to be read so."""
    return [
        *(f"policy on {day} (UTC): {policy}" for day, policy in chain.policy.items()),
        *([f"learned limit: {chain.learned}"] if chain.learned else []),
        *(f"correction: {correction}" for correction in chain.corrections),
        *(f"waits for a refresh: {day}: {'; '.join(why)}" for day, why in chain.stale.items()),
    ]


def _before(chain: Explanation) -> str:
    if not chain.parts:
        return f"Carried into {chain.utc_days[0]} (UTC): {_state(chain.before, unit=chain.unit)}"
    constant = f", and a constant {number(chain.constant_w)} W" if chain.constant_w else ""
    return f"Parts on the local day (explain each by its id){constant}"


def _after(chain: Explanation) -> str:
    if not chain.parts:
        return f"Carried out of {chain.utc_days[-1]} (UTC): {_state(chain.after, unit=chain.unit)}"
    return "Carried over midnight: nothing, each quarter-hour is made of its parts"


def _parts(chain: Explanation) -> Table:
    shown = table("part", "name", "factor", "figure", "covered", box=None)
    for one in chain.parts:
        covered = "" if one.covered_s is None else f"{one.covered_s / chain.expected_s:.2%}"
        figure = "nothing known" if one.amount is None else f"{one.amount:,.6f}"
        add_row(shown, one.point_id, one.name, number(one.factor), figure, covered)
    return shown


def _samples(samples: tuple[Sample, ...], *, local: Callable[[datetime], str]) -> Table:
    shown = table("local time", "raw", "reading", "decision", box=None)
    for one in samples:
        judged = "" if one.value is None else f"{number(one.value)} {one.unit or ''}"
        raw = " / ".join(map(_raw, one.raw)) or "no raw row any more"
        add_row(shown, local(one.at), raw, judged, "; ".join(one.decisions))
    return shown


def _raw(one: RawRow) -> str:
    value = "null" if one.value is None else f"{one.value:.15g}"
    shown = one.text if one.value is None and one.text is not None else value
    return f"{shown} {one.unit or ''}".rstrip()


def _intervals(chain: Explanation, *, local: Callable[[datetime], str]) -> Table:
    shown = table(
        "local time", chain.unit, f"estimated {chain.unit}", "covered s", "files", box=None
    )
    for one in chain.intervals:
        add_row(
            shown,
            local(one.start),
            f"{one.amount:,.6f}",
            f"{one.estimated_amount:,.6f}" if one.estimated_amount else "",
            f"{one.covered_s:g}",
            ", ".join(one.file_days),
        )
    return shown


def _figure(chain: Explanation) -> str:
    what = "Energy" if chain.is_energy else f"Consumption ({chain.quantity})"
    if chain.amount is None:
        return f"{what} of {chain.local_day}: no data ({_extent(chain)})"
    share = chain.covered_s / chain.expected_s
    closed = (
        f"closed by the reading of {chain.closed_by:%Y-%m-%d %H:%M:%SZ}"
        if chain.closed_by
        else "not closed: no settled reading at or after its end yet"
    )
    refused = (
        f"; {number(chain.refused_amount)} {chain.unit} that the register showed are refused: "
        "disputed"
        if chain.refused_amount
        else ""
    )
    return (
        f"{what} of {chain.local_day}: {chain.amount:,.6f} {chain.unit}"
        + (f" = {chain.amount / 1000:,.3f} kWh" if chain.is_energy else "")
        + f" ({chain.estimated_amount:,.6f} {chain.unit} of it estimated), "
        f"{share:.2%} of the day covered; {closed}{refused}"
    )


def _extent(chain: Explanation) -> str:
    if chain.data_from is None or chain.data_until is None:
        return "the lake holds no amounts of this point so far"
    return (
        f"the lake holds amounts of this point from {chain.data_from:%Y-%m-%d %H:%MZ} "
        f"to {chain.data_until:%Y-%m-%d %H:%MZ}"
    )
