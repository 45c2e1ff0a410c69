"""The parts of a page on batteries, valves and UPS: a table each, and what wants a look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar

from energy_platform.report.findings import rank, ups_reasons, valve_reasons
from energy_platform.report.view import Cell, Item, Section, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from energy_platform.report.findings import Reason
    from energy_platform.report.records import Battery, Figures, Ups, Valve
    from energy_platform.report.words import Words

NAMED: Final = 10
"""Devices that a part names one by one."""


class _Device(Protocol):
    @property
    def device_id(self) -> str: ...

    @property
    def name(self) -> str: ...


_Kind = TypeVar("_Kind", bound=_Device)


class _Column(NamedTuple, Generic[_Kind]):
    """A column of a table of devices.

    Attributes:
        key: Key of its head among the words of the table.
        text: How a device's value is written.
        figure: The column of the marts where it is one that the page is compared with.
    """

    key: str
    text: Callable[[Words, _Kind], str]
    figure: str = ""


_BATTERY: Final[tuple[_Column[Battery], ...]] = (
    _Column("charged", lambda words, one: words.amount(one.charge_kwh, "kWh"), "charge_kwh"),
    _Column(
        "discharged", lambda words, one: words.amount(one.discharge_kwh, "kWh"), "discharge_kwh"
    ),
    _Column(
        "efficiency",
        lambda words, one: words.share(one.round_trip_efficiency),
        "round_trip_efficiency",
    ),
    _Column(
        "cycles",
        lambda words, one: words.number(one.equivalent_cycles, digits=1),
        "equivalent_cycles",
    ),
    _Column("soc", lambda words, one: _charge(one, words)),
    _Column("usable", lambda words, one: words.amount(one.usable_capacity_kwh, "kWh")),
    _Column("rated", lambda words, one: words.amount(one.rated_capacity_kwh, "kWh")),
    _Column("status", lambda words, one: words(f"status.{one.status}.word")),
)

_VALVE: Final[tuple[_Column[Valve], ...]] = (
    _Column("energy", lambda words, one: words.amount(one.energy_kwh, "kWh"), "energy_kwh"),
    _Column("delta_t", lambda words, one: words.amount(one.delta_t_k, "K", digits=1), "delta_t_k"),
    _Column("design", lambda words, one: words.amount(one.design_delta_t_k, "K", digits=1)),
    _Column("below", lambda words, one: words.share(one.below_design_share, digits=0)),
    _Column("saturated", lambda words, one: words.share(one.saturated_share, digits=0)),
    _Column("hunting", lambda words, one: words.number(one.reversals_per_hour, digits=1)),
    _Column("ratio", lambda words, one: words.number(one.flow_energy_ratio, digits=2)),
    _Column("covered", lambda words, one: _covered(one.covered_share, one.not_final_days, words)),
)

_UPS: Final[tuple[_Column[Ups], ...]] = (
    _Column(
        "p95", lambda words, one: words.amount(one.load_rate_p95, "%", digits=0), "load_rate_p95"
    ),
    _Column(
        "max", lambda words, one: words.amount(one.load_rate_max, "%", digits=0), "load_rate_max"
    ),
    _Column("overload", lambda words, one: words.duration(one.overload_s)),
    _Column("battery", lambda words, one: words.duration(one.time_on_battery_s)),
    _Column("bypass", lambda words, one: words.duration(one.time_on_bypass_s)),
    _Column("efficiency", lambda words, one: words.share(one.efficiency), "efficiency"),
    _Column("covered", lambda words, one: _covered(one.covered_share, one.not_final_days, words)),
)


def battery_table(figures: Figures, words: Words) -> tuple[Table, ...]:
    """Return the batteries of a site as a table; none without any."""
    if not figures.batteries:
        return ()
    columns = [words(f"battery.{one}") for one in ("battery", *(one.key for one in _BATTERY))]
    return (_table(words("battery.caption"), columns, _BATTERY, figures.batteries, words),)


def valves_section(figures: Figures, words: Words) -> Section | None:
    """Return the valves that want a look, and all of them as a table; None without any."""
    if not figures.valves:
        return None
    reasons = [valve_reasons(one) for one in figures.valves]
    wanting = sum(bool(one) for one in reasons)
    unjudged = sum(one.delta_t_k is None and one.saturated_share is None for one in figures.valves)
    said = [
        words.count("valves.some", wanting, of=words.count("valves.valves", len(reasons)))
        if wanting
        else words("valves.none", valves=words.count("valves.valves", len(reasons)))
    ]
    if unjudged:
        said.append(words.count("valves.unjudged", unjudged))
    return _section("valves", "valve", " ".join(said), _VALVE, figures.valves, reasons, words)


def ups_section(figures: Figures, words: Words) -> Section | None:
    """Return each UPS, those first that want a look; None without any."""
    if not figures.ups:
        return None
    reasons = [ups_reasons(one) for one in figures.ups]
    wanting = sum(bool(one) for one in reasons)
    said = (
        words.count("ups.some", wanting, of=words.number(len(reasons), digits=0))
        if wanting
        else words("ups.none")
    )
    return _section("ups", "ups", said, _UPS, figures.ups, reasons, words)


def _section(
    kind: str,
    heading: str,
    said: str,
    columns: Sequence[_Column[_Kind]],
    devices: Sequence[_Kind],
    reasons: Sequence[list[Reason]],
    words: Words,
) -> Section:
    """Return the part of one kind of device, those first that want a look."""
    order = rank(reasons)
    rest = [n for n in range(len(devices)) if n not in order]
    heads = [words(f"{kind}.column.{one}") for one in (heading, *(one.key for one in columns))]
    ordered = [devices[n] for n in [*order, *rest]]
    return Section(
        id=kind,
        heading=words(f"{kind}.heading"),
        paragraphs=(said,),
        items=tuple(_item(kind, devices[n].name, reasons[n], words) for n in order[:NAMED]),
        tables=(_table(words(f"{kind}.table"), heads, columns, ordered, words),),
    )


def _table(
    caption: str,
    heads: Sequence[str],
    columns: Sequence[_Column[_Kind]],
    devices: Iterable[_Kind],
    words: Words,
) -> Table:
    return Table(
        caption=caption,
        columns=tuple(heads),
        rows=tuple(
            (
                Cell(text=one.name, is_heading=True),
                *(_cell(column, one, words) for column in columns),
            )
            for one in devices
        ),
        numeric=frozenset(n for n, one in enumerate(columns, start=1) if one.key != "status"),
    )


def _cell(column: _Column[_Kind], one: _Kind, words: Words) -> Cell:
    text = column.text(words, one)
    if not column.figure:
        return Cell(text=text)
    name = f"device.{one.device_id}.{column.figure}"
    return Cell(text=text, name=name, value=getattr(one, column.figure))


def _charge(one: Battery, words: Words) -> str:
    """Return the least and the most charge."""
    if one.soc_min is None:
        return words.unknown
    least, most = words.number(one.soc_min, digits=0), words.amount(one.soc_max, "%", digits=0)
    return f"{least}\N{EN DASH}{most}"


def _covered(share: float | None, days: int, words: Words) -> str:
    """Return a covered share, and how many of the days are not final."""
    shown = words.share(share)
    return shown if not days else f"{shown} ({words.count('count.days_not_final', days)})"


def _plain(value: float, words: Words) -> str:
    """Return a figure of a reason: counts whole, small ones with two digits."""
    is_whole = abs(value - round(value)) < 0.05  # noqa: PLR2004 - of one digit after the point
    return words.number(value, digits=0 if is_whole else 2 if abs(value) < 2 else 1)  # noqa: PLR2004


def _item(kind: str, name: str, reasons: Sequence[Reason], words: Words) -> Item:
    said = [
        words(
            f"{kind}.reason.{one.key}",
            value=_plain(one.value, words),
            share=words.share(one.value, digits=0),
            duration=words.duration(one.value),
            limit=words.number(one.limit, digits=0 if one.limit >= 1 else 2),
            limit_share=words.share(one.limit, digits=0),
            limit_duration=words.duration(one.limit),
        )
        for one in reasons
    ]
    return Item(
        weight="look",
        weight_text=words("attention.weight.look"),
        title=name,
        text=" ".join(said),
        todo=words(f"{kind}.todo.{reasons[0].key}"),
    )
