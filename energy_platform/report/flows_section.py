"""The part of a page on where the electricity of plant, battery and grid went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.report.device_sections import battery_table
from energy_platform.report.flow_picture import Band, Box, flow_of
from energy_platform.report.glance import is_settled, status_note
from energy_platform.report.view import Cell, Fact, Section, Table

if TYPE_CHECKING:
    from energy_platform.report.records import Figures, Flows
    from energy_platform.report.view import Picture
    from energy_platform.report.words import Words

_FLOWS: Final = (
    ("production", "load"),
    ("production", "battery"),
    ("production", "grid"),
    ("battery", "load"),
    ("battery", "grid"),
    ("grid", "load"),
    ("grid", "battery"),
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
            flow_of("flows", ordered, bands, title=title, description=description, table=table),
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
        tables=(*(() if pictures else (table,)), *battery_table(figures, words)),
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
