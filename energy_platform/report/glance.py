"""What a page opens with: its status, the figures at a glance, use against other periods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.report.view import Cell, Fact

if TYPE_CHECKING:
    from energy_platform.report.records import Compared, Figures
    from energy_platform.report.words import Words

PROVISIONAL: Final = frozenset({"open", "closed"})
"""Data may still come; what there is looks well."""

LACKING: Final = frozenset({"partial", "incomplete"})
"""Something is missing and will not come by itself."""


def is_settled(status: str | None) -> bool:
    """Say whether a figure of this status needs no word beside it."""
    return status in {None, "final"}


def status_note(status: str | None, words: Words) -> str:
    """Return what stands beside a figure that is not final; empty beside one that is."""
    return "" if is_settled(status) else words(f"status.{status}.short")


def status_sentence(figures: Figures, words: Words) -> str:
    """Return in a sentence how far the page can be trusted."""
    said = words(f"status.{figures.status}.sentence")
    if figures.is_running:
        over = sum(one.local_day < figures.as_of.date() for one in figures.days)
        said = f"{words('status.running')} {said}" if over or said else said
    if count := unconfirmed_count(figures):
        said += f" {words.count('status.unconfirmed_points', count)}"
    return said


def unconfirmed_count(figures: Figures) -> int:
    """Return how many points count for the site that nobody has confirmed."""
    use = figures.use
    heat = (use.heating_unconfirmed_points or 0) + (use.cooling_unconfirmed_points or 0)
    return use.unconfirmed_points + heat


def glance(figures: Figures, words: Words) -> tuple[Fact, ...]:
    """Return the figures that a page opens with."""
    use, comparison = figures.use, figures.comparison
    facts = [_use(figures, words)]
    if comparison is not None and use.status is not None:
        grain = figures.period.grain
        facts += [
            _change("previous", comparison.previous, words, label=f"glance.previous_{grain}"),
            _change("last_year", comparison.last_year, words, label=f"glance.last_year_{grain}"),
        ]
    if use.status is not None:
        facts += [_peak(figures, words), _base_load(figures, words), _load_factor(figures, words)]
        facts.append(_intensity(figures, words))
    for name, kwh, status in (
        ("heating", use.heating_kwh, use.heating_status),
        ("cooling", use.cooling_kwh, use.cooling_status),
    ):
        if status is not None:
            facts.append(
                Fact(
                    label=words(f"glance.{name}"),
                    cell=Cell(text=words.amount(kwh, "kWh"), name=f"{name}_kwh", value=kwh),
                    note=status_note(status, words),
                    is_provisional=not is_settled(status),
                )
            )
    if figures.flows is not None and figures.flows.self_sufficiency is not None:
        share = figures.flows.self_sufficiency
        facts.append(
            Fact(
                label=words("glance.self_sufficiency"),
                cell=Cell(text=words.share(share), name="glance.self_sufficiency", value=share),
                note=status_note(figures.flows.status, words),
                is_provisional=not is_settled(figures.flows.status),
            )
        )
    return tuple(facts)


def _use(figures: Figures, words: Words) -> Fact:
    use = figures.use
    if use.status is None:
        note = words("glance.no_electricity")
    elif use.site_use_kwh is None:
        note = words(
            "glance.use_unknown",
            unknown=words.number(use.points_unknown, digits=0),
            points=words.number(use.points_counted, digits=0),
        )
    else:
        note = status_note(use.status, words)
        if use.least_covered_share is not None and not is_settled(use.status):
            covered = words.share(use.least_covered_share)
            note += f"; {words('glance.least_covered', share=covered)}"
    return Fact(
        label=words("glance.use"),
        cell=Cell(
            text=words.amount(use.site_use_kwh, "kWh"), name="site_use_kwh", value=use.site_use_kwh
        ),
        note=note,
        is_provisional=not is_settled(use.status),
    )


def _change(name: str, other: Compared, words: Words, *, label: str) -> Fact:
    note = words("glance.not_compared", why=words(f"comparison.{other.comparison}"))
    if other.comparison == "like_for_like":
        note = words("glance.change", change=words.amount(other.change_kwh, "kWh", signed=True))
    return Fact(
        label=words(label),
        cell=Cell(
            text=words.share(other.change_share, signed=True),
            name=f"{name}_change_share",
            value=other.change_share,
        ),
        note=note,
        is_provisional=not is_settled(other.status) and other.change_share is not None,
    )


def _peak(figures: Figures, words: Words) -> Fact:
    use = figures.use
    note = words("glance.peak_unknown")
    if use.peak_local_start is not None:
        note = words.moment(use.peak_local_start)
        if use.peak_is_estimated:
            note += f"; {words('glance.peak_estimated')}"
    if not is_settled(use.status) and use.peak_kw is not None:
        note += f"; {status_note(use.status, words)}"
    return Fact(
        label=words("glance.peak"),
        cell=Cell(text=words.amount(use.peak_kw, "kW"), name="peak_kw", value=use.peak_kw),
        note=note,
        is_provisional=bool(use.peak_is_estimated) or not is_settled(use.status),
    )


def _base_load(figures: Figures, words: Words) -> Fact:
    use = figures.use
    if use.base_load_kw is None:
        note = words("glance.base_load_unknown")
    else:
        note = words(
            f"glance.base_load_{use.occupancy_basis}",
            hours=words.number(use.base_load_hours, digits=0),
            of=words.number(use.unoccupied_hours, digits=0),
        )
    return Fact(
        label=words("glance.base_load"),
        cell=Cell(
            text=words.amount(use.base_load_kw, "kW"), name="base_load_kw", value=use.base_load_kw
        ),
        note=note,
        is_provisional=use.base_load_kw is not None and not is_settled(use.status),
    )


def _load_factor(figures: Figures, words: Words) -> Fact:
    factor = figures.use.load_factor
    key = "glance.load_factor_unknown" if factor is None else "glance.load_factor_means"
    return Fact(
        label=words("glance.load_factor"),
        cell=Cell(text=words.share(factor), name="load_factor", value=factor),
        note=words(key),
        is_provisional=factor is not None and not is_settled(figures.use.status),
    )


def _intensity(figures: Figures, words: Words) -> Fact:
    comparison = figures.comparison
    eui = None if comparison is None else comparison.eui_kwh_per_m2
    if eui is not None:
        return Fact(
            label=words("glance.eui"),
            cell=Cell(text=words.amount(eui, "kWh/m²"), name="eui_kwh_per_m2", value=eui),
            note=words("glance.eui_means"),
        )
    density = figures.use.use_kwh_per_m2
    has_area = figures.site.floor_area_m2 is not None
    note = words("glance.no_area")
    if has_area:
        note = words("glance.density_means") if density is not None else words("glance.use_needed")
    return Fact(
        label=words("glance.density"),
        cell=Cell(text=words.amount(density, "kWh/m²"), name="use_kwh_per_m2", value=density),
        note=note,
        is_provisional=density is not None and not is_settled(figures.use.status),
    )
