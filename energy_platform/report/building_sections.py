"""The parts of a page on what stands in the building: tree, sun and storage, valves, UPS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.report.drawing import NARROW, WIDE
from energy_platform.report.findings import rank, ups_reasons, valve_reasons
from energy_platform.report.flow_picture import Band, Box, flow_picture
from energy_platform.report.glance import is_settled, status_note
from energy_platform.report.view import Cell, Fact, Item, Picture, Section, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from energy_platform.report.findings import Reason
    from energy_platform.report.records import Figures, Flows, TreeMember
    from energy_platform.report.words import Words

DRAWN: Final = 8
"""Children of a meter that are drawn each; the smaller ones are one box."""

NAMED: Final = 10
"""Devices that a part names one by one."""

_FLOWS: Final = (
    ("production", "load"),
    ("production", "battery"),
    ("production", "grid"),
    ("battery", "load"),
    ("battery", "grid"),
    ("grid", "load"),
    ("grid", "battery"),
)


def tree_section(figures: Figures, words: Words) -> Section | None:
    """Return what stands behind each meter, the remainder among it; None without a tree."""
    if not figures.tree:
        return None
    branches: dict[str, list[TreeMember]] = {}
    for one in figures.tree:
        branches.setdefault(one.parent_point_id, []).append(one)
    children = {one.point_id for one in figures.tree if one.member == "child"}
    tops = [one for one in branches if one not in children]
    rows: list[tuple[Cell, ...]] = []
    for top in tops:
        _rows(top, branches, words, rows, depth=0)
    table = Table(
        caption=words("tree.table"),
        columns=tuple(
            words(f"column.{one}")
            for one in ("meter", "energy", "of_parent", "of_site", "covered", "status")
        ),
        rows=tuple(rows),
        numeric=frozenset({1, 2, 3, 4}),
    )
    remainders = [one for one in figures.tree if one.member == "remainder"]
    said = [
        words(
            "tree.remainder" if (one.energy_kwh or 0) >= 0 else "tree.negative",
            parent=_name_of(one.parent_point_id, figures.tree),
            energy=words.amount(None if one.energy_kwh is None else abs(one.energy_kwh), "kWh"),
            share=words.share(None if one.share_of_parent is None else abs(one.share_of_parent)),
        )
        for one in remainders
        if one.parent_point_id in tops
    ]
    pictures = []
    drawing = _Drawing(branches, words)
    for top in tops:
        for one in branches[top]:
            if one.member == "parent":
                drawing.add(one, 0)
    if drawing.bands:
        title = words("tree.picture", site=figures.site.site_name)
        pictures.append(
            _flow(
                "tree",
                drawing.boxes,
                drawing.bands,
                title=title,
                description=" ".join(said) or title,
                table=table,
            )
        )
    return Section(
        id="tree",
        heading=words("tree.heading"),
        paragraphs=(" ".join(said) or words("tree.nothing"),),
        pictures=tuple(pictures),
        tables=() if pictures else (table,),
        notes=(words("tree.marks"),),
    )


def _name_of(point_id: str, tree: Sequence[TreeMember]) -> str:
    return next((one.name for one in tree if one.point_id == point_id and one.name), point_id)


def _rows(
    parent: str,
    branches: Mapping[str, Sequence[TreeMember]],
    words: Words,
    rows: list[tuple[Cell, ...]],
    *,
    depth: int,
) -> None:
    members = branches[parent]
    if depth == 0:
        rows += [_row(one, words, depth=0) for one in members if one.member == "parent"]
    for one in members:
        if one.member == "child":
            rows.append(_row(one, words, depth=depth + 1))
            if one.point_id in branches:
                _rows(str(one.point_id), branches, words, rows, depth=depth + 1)
    rows += [_row(one, words, depth=depth + 1) for one in members if one.member == "remainder"]


def _row(one: TreeMember, words: Words, *, depth: int) -> tuple[Cell, ...]:
    name = words("tree.rest") if one.member == "remainder" else one.name or one.point_id or ""
    key = f"tree.{one.parent_point_id}.{one.point_id or 'remainder'}"
    return (
        Cell(text=f"{'— ' * depth}{name}", is_heading=True),
        Cell(
            text=words.amount(one.energy_kwh, "kWh"), name=f"{key}.energy_kwh", value=one.energy_kwh
        ),
        Cell(text=words.none if one.member == "parent" else words.share(one.share_of_parent)),
        Cell(text=words.share(one.share_of_site)),
        Cell(text=words.share(one.covered_share)),
        Cell(text=words(f"status.{one.status}.word")),
    )


class _Drawing:
    """The boxes and bands of a tree: what flows; what is unknown or below zero cannot be drawn."""

    def __init__(self, branches: Mapping[str, Sequence[TreeMember]], words: Words) -> None:
        self._branches = branches
        self._words = words
        self.boxes: list[Box] = []
        self.bands: list[Band] = []

    def add(self, one: TreeMember, column: int) -> None:
        """Add a meter or a remainder, and what stands behind it."""
        energy = one.energy_kwh or 0
        if energy <= 0:
            return
        words, is_rest = self._words, one.member == "remainder"
        here = f"{one.parent_point_id} rest" if is_rest else str(one.point_id)
        name = words("tree.rest") if is_rest else one.name or here
        shown = words.amount(energy, "kWh")
        part = f"{shown}, {words.share(one.share_of_parent, digits=0)}" if column else shown
        self.boxes.append(
            Box(id=here, column=column, label=name, shown=part, energy=energy, is_remainder=is_rest)
        )
        if column:
            self._band(one.parent_point_id, here, energy, f"{name}: {shown}")
        if not is_rest and one.point_id in self._branches:
            self._add_branch(str(one.point_id), column + 1)

    def _add_branch(self, parent: str, column: int) -> None:
        children = [one for one in self._branches[parent] if one.member == "child"]
        for one in children[:DRAWN]:
            self.add(one, column)
        if smaller := [one for one in children[DRAWN:] if (one.energy_kwh or 0) > 0]:
            energy = sum(one.energy_kwh or 0 for one in smaller)
            label = self._words.count("tree.smaller", len(smaller))
            shown = self._words.amount(energy, "kWh")
            here = f"{parent} smaller"
            self.boxes.append(Box(id=here, column=column, label=label, shown=shown, energy=energy))
            self._band(parent, here, energy, f"{label}: {shown}")
        for one in self._branches[parent]:
            if one.member == "remainder":
                self.add(one, column)

    def _band(self, source: str, target: str, energy: float, shown: str) -> None:
        self.bands.append(Band(source=source, target=target, energy=energy, shown=shown))


def _flow(
    name: str,
    boxes: Sequence[Box],
    bands: Sequence[Band],
    *,
    title: str,
    description: str,
    table: Table,
) -> Picture:
    wide, narrow = (
        flow_picture(
            boxes,
            bands,
            width=width,
            name=f"{name}-picture-{size}",
            title=title,
            description=description,
        )
        for width, size in ((WIDE, "wide"), (NARROW, "narrow"))
    )
    return Picture(
        id=f"{name}-picture",
        title=title,
        description=description,
        wide=wide,
        narrow=narrow,
        spec=None,
        table=table,
        is_short=True,
    )


def flows_section(figures: Figures, words: Words) -> Section | None:
    """Return where sun, battery and grid went; None at a site without plant or battery."""
    flows = figures.flows
    if flows is None:
        return None
    rows, boxes, bands = [], {}, []
    for source, target in _FLOWS:
        energy: float | None = getattr(flows, f"{source}_to_{target}")
        label = words(
            "flows.band", source=words(f"flows.{source}"), target=words(f"flows.{target}")
        )
        shown = words.amount(energy, "kWh")
        rows.append(
            (
                Cell(text=label, is_heading=True),
                Cell(text=shown, name=f"flows.{source}_to_{target}_kwh", value=energy),
            )
        )
        # A thousandth of a kWh is arithmetic, not a flow.
        if energy is None or energy < 0.001:  # noqa: PLR2004
            continue
        bands.append(
            Band(
                source=f"{source} out",
                target=f"{target} in",
                energy=energy,
                shown=f"{label}: {shown}",
            )
        )
        for place, column in ((f"{source} out", 0), (f"{target} in", 1)):
            total = sum(one.energy for one in bands if place in {one.source, one.target})
            boxes[place] = Box(
                id=place,
                column=column,
                label=words(f"flows.{place.split()[0]}"),
                shown=words.amount(total, "kWh"),
                energy=total,
            )
    table = Table(
        caption=words("flows.table"),
        columns=(words("column.flow"), words("column.energy")),
        rows=tuple(rows),
        numeric=frozenset({1}),
    )
    title = words("flows.picture", site=figures.site.site_name)
    pictures: tuple[Picture, ...] = ()
    if bands:
        description = " ".join(f"{one.shown}." for one in bands)
        ordered = sorted(boxes.values(), key=lambda one: (one.column, list(boxes).index(one.id)))
        pictures = (
            _flow("flows", ordered, bands, title=title, description=description, table=table),
        )
    return Section(
        id="flows",
        heading=words("flows.heading"),
        paragraphs=(
            words("flows.covered", share=words.share(flows.covered_share)),
            words("flows.rule"),
        ),
        facts=_flow_facts(flows, words),
        pictures=pictures,
        tables=(*(() if pictures else (table,)), *_batteries(figures, words)),
    )


def _flow_facts(flows: Flows, words: Words) -> tuple[Fact, ...]:
    note = status_note(flows.status, words)
    is_provisional = not is_settled(flows.status)

    def fact(name: str, text: str, value: float | None, more: str = "") -> Fact:
        said = "; ".join(one for one in (more, note) if one) if value is not None else more
        return Fact(
            label=words(f"flows.{name}"),
            cell=Cell(text=text, name=name, value=value),
            note=said or words("flows.not_known"),
            is_provisional=is_provisional and value is not None,
        )

    least, most = flows.self_sufficiency_least, flows.self_sufficiency_most
    span = ""
    if least is not None and most is not None and most - least > 0.001:  # noqa: PLR2004
        span = words("flows.between", least=words.share(least), most=words.share(most))
    found = [
        fact(
            "self_consumption",
            words.share(flows.self_consumption),
            flows.self_consumption,
            words("flows.self_consumption_means"),
        ),
        fact(
            "self_sufficiency",
            words.share(flows.self_sufficiency),
            flows.self_sufficiency,
            span or words("flows.self_sufficiency_means"),
        ),
        fact("production_kwh", words.amount(flows.production, "kWh"), flows.production),
    ]
    if flows.specific_yield_kwh_per_kwp is not None:
        found.append(
            fact(
                "specific_yield_kwh_per_kwp",
                words.amount(flows.specific_yield_kwh_per_kwp, "kWh/kWp"),
                flows.specific_yield_kwh_per_kwp,
            )
        )
    return tuple(found)


def _batteries(figures: Figures, words: Words) -> tuple[Table, ...]:
    if not figures.batteries:
        return ()
    names = (
        "battery",
        "charged",
        "discharged",
        "efficiency",
        "cycles",
        "soc",
        "usable",
        "rated",
        "status",
    )
    return (
        Table(
            caption=words("battery.caption"),
            columns=tuple(words(f"battery.{one}") for one in names),
            rows=tuple(
                (
                    Cell(text=one.name, is_heading=True),
                    _cell(
                        one.device_id,
                        "charge_kwh",
                        words.amount(one.charge_kwh, "kWh"),
                        one.charge_kwh,
                    ),
                    _cell(
                        one.device_id,
                        "discharge_kwh",
                        words.amount(one.discharge_kwh, "kWh"),
                        one.discharge_kwh,
                    ),
                    _cell(
                        one.device_id,
                        "round_trip_efficiency",
                        words.share(one.round_trip_efficiency),
                        one.round_trip_efficiency,
                    ),
                    _cell(
                        one.device_id,
                        "equivalent_cycles",
                        words.number(one.equivalent_cycles, digits=1),
                        one.equivalent_cycles,
                    ),
                    Cell(
                        text=f"{words.number(one.soc_min, digits=0)}\N{EN DASH}"
                        f"{words.amount(one.soc_max, '%', digits=0)}"
                        if one.soc_min is not None
                        else words.unknown
                    ),
                    Cell(text=words.amount(one.usable_capacity_kwh, "kWh")),
                    Cell(text=words.amount(one.rated_capacity_kwh, "kWh")),
                    Cell(text=words(f"status.{one.status}.word")),
                )
                for one in figures.batteries
            ),
            numeric=frozenset(range(1, 8)),
        ),
    )


def _cell(device: str, name: str, text: str, value: float | None) -> Cell:
    return Cell(text=text, name=f"device.{device}.{name}", value=value)


def valves_section(figures: Figures, words: Words) -> Section | None:
    """Return the valves that want a look, and all of them as a table; None without any."""
    if not figures.valves:
        return None
    reasons = [valve_reasons(one) for one in figures.valves]
    order = rank(reasons)
    items = tuple(
        _device_item("valves", figures.valves[n].name, reasons[n], words) for n in order[:NAMED]
    )
    unjudged = sum(one.delta_t_k is None and one.saturated_share is None for one in figures.valves)
    said = [
        words.count("valves.some", len(order), of=words.count("valves.valves", len(reasons)))
        if order
        else words("valves.none", valves=words.count("valves.valves", len(reasons)))
    ]
    if unjudged:
        said.append(words.count("valves.unjudged", unjudged))
    rest = [n for n in range(len(reasons)) if n not in order]
    names = (
        "valve",
        "energy",
        "delta_t",
        "design",
        "below",
        "saturated",
        "hunting",
        "ratio",
        "covered",
    )
    return Section(
        id="valves",
        heading=words("valves.heading"),
        paragraphs=(" ".join(said),),
        items=items,
        tables=(
            Table(
                caption=words("valves.table"),
                columns=tuple(words(f"valves.column.{one}") for one in names),
                rows=tuple(
                    (
                        Cell(text=one.name, is_heading=True),
                        _cell(
                            one.device_id,
                            "energy_kwh",
                            words.amount(one.energy_kwh, "kWh"),
                            one.energy_kwh,
                        ),
                        _cell(
                            one.device_id,
                            "delta_t_k",
                            words.amount(one.delta_t_k, "K", digits=1),
                            one.delta_t_k,
                        ),
                        Cell(text=words.amount(one.design_delta_t_k, "K", digits=1)),
                        Cell(text=words.share(one.below_design_share, digits=0)),
                        Cell(text=words.share(one.saturated_share, digits=0)),
                        Cell(text=words.number(one.reversals_per_hour, digits=1)),
                        Cell(text=words.number(one.flow_energy_ratio, digits=2)),
                        Cell(text=with_not_final(one.covered_share, one.not_final_days, words)),
                    )
                    for one in (figures.valves[n] for n in [*order, *rest])
                ),
                numeric=frozenset(range(1, 9)),
            ),
        ),
    )


def ups_section(figures: Figures, words: Words) -> Section | None:
    """Return each UPS, those first that want a look; None without any."""
    if not figures.ups:
        return None
    reasons = [ups_reasons(one) for one in figures.ups]
    order = rank(reasons)
    rest = [n for n in range(len(reasons)) if n not in order]
    said = (
        words.count("ups.some", len(order), of=words.number(len(reasons), digits=0))
        if order
        else words("ups.none")
    )
    names = ("ups", "p95", "max", "overload", "battery", "bypass", "efficiency", "covered")
    return Section(
        id="ups",
        heading=words("ups.heading"),
        paragraphs=(said,),
        items=tuple(
            _device_item("ups", figures.ups[n].name, reasons[n], words) for n in order[:NAMED]
        ),
        tables=(
            Table(
                caption=words("ups.table"),
                columns=tuple(words(f"ups.column.{one}") for one in names),
                rows=tuple(
                    (
                        Cell(text=one.name, is_heading=True),
                        _cell(
                            one.device_id,
                            "load_rate_p95",
                            words.amount(one.load_rate_p95, "%", digits=0),
                            one.load_rate_p95,
                        ),
                        _cell(
                            one.device_id,
                            "load_rate_max",
                            words.amount(one.load_rate_max, "%", digits=0),
                            one.load_rate_max,
                        ),
                        Cell(text=words.duration(one.overload_s)),
                        Cell(text=words.duration(one.time_on_battery_s)),
                        Cell(text=words.duration(one.time_on_bypass_s)),
                        _cell(
                            one.device_id, "efficiency", words.share(one.efficiency), one.efficiency
                        ),
                        Cell(text=with_not_final(one.covered_share, one.not_final_days, words)),
                    )
                    for one in (figures.ups[n] for n in [*order, *rest])
                ),
                numeric=frozenset(range(1, 8)),
            ),
        ),
    )


def with_not_final(covered: float | None, days: int, words: Words) -> str:
    """Return a covered share, and how many of the days are not final."""
    shown = words.share(covered)
    return shown if not days else f"{shown} ({words.count('count.days_not_final', days)})"


def _plain(value: float, words: Words) -> str:
    """Return a figure of a reason: counts whole, small ones with two digits."""
    is_whole = abs(value - round(value)) < 0.05  # noqa: PLR2004 - of one digit after the point
    return words.number(value, digits=0 if is_whole else 2 if abs(value) < 2 else 1)  # noqa: PLR2004


def _device_item(kind: str, name: str, reasons: Sequence[Reason], words: Words) -> Item:
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
