"""How sure a page is: coverage, what was set right, what changed after it had been final."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.report.view import Cell, Section, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from energy_platform.report.records import Figures, PointQuality, Restatement
    from energy_platform.report.words import Words

SET_RIGHT: Final = (
    "resets",
    "exchanges",
    "rollovers",
    "rejects",
    "dips",
    "spike_reversals",
    "quarantined_samples",
    "corrected_samples",
    "gaps",
    "estimated_steps",
)
"""What was done to readings and steps, as columns of ``fct_quality_daily``."""

_SHOWN: Final = 25
"""Points that the table of what was set right shows."""

_WH: Final = "Wh"


def trust(figures: Figures, words: Words) -> Section:
    """Return the part on how the figures came about."""
    tables = [_coverage(figures, words), *_set_right(figures, words)]
    if figures.restatements:
        tables.append(_restatements(figures, words))
    if figures.entries:
        tables.append(_entries(figures, words))
    if judged := [one for one in figures.instruments if one.judged]:
        tables.append(
            Table(
                caption=words("trust.instruments.caption"),
                columns=_columns(
                    words, "trust.instruments", "first", "other", "apart", "allowed", "differ"
                ),
                rows=tuple(
                    (
                        Cell(text=one.point_id, is_heading=True),
                        Cell(text=one.other_point_id),
                        Cell(
                            text=words.amount(one.difference_percent, "%", digits=3, signed=True),
                            name=f"instruments.{one.other_point_id}.difference_percent",
                            value=one.difference_percent,
                        ),
                        Cell(text=words.amount(one.allowed_percent, "%", digits=2)),
                        Cell(text=f"{one.differ} / {one.judged}"),
                    )
                    for one in judged
                ),
                numeric=frozenset({2, 3, 4}),
            )
        )
    return Section(
        id="trust",
        heading=words("trust.heading"),
        paragraphs=tuple(_sentences(figures, words)),
        tables=tuple(tables),
    )


def _sentences(figures: Figures, words: Words) -> Iterator[str]:
    shares = [one.covered_share for one in figures.coverage if one.site_term is not None]
    known = [one for one in shares if one is not None]
    if known:
        whole = sum(one >= 0.99 for one in known)  # noqa: PLR2004 - the status rule's own share
        yield words(
            "trust.covered",
            points=words.count("count.points", len(shares)),
            whole=words.number(whole, digits=0),
            least=words.share(min(known)),
        )
    if figures.use.estimated_wh:
        yield words("trust.estimated", energy=words.amount(figures.use.estimated_wh / 1000, "kWh"))
    yield (
        words.count("trust.restated", len(figures.restatements))
        if figures.restatements
        else words("trust.not_restated")
    )


def _coverage(figures: Figures, words: Words) -> Table:
    wanted = [one for one in figures.coverage if one.site_term is not None]
    return Table(
        caption=words("trust.coverage.caption"),
        columns=_columns(words, "trust.coverage", "point", "term", "share", "uncovered"),
        rows=tuple(
            (
                Cell(text=one.name, is_heading=True),
                Cell(text=words(f"term.{one.site_term}")),
                Cell(
                    text=words.share(one.covered_share),
                    name=f"coverage.{one.point_id}",
                    value=one.covered_share,
                ),
                Cell(text=words.duration(one.uncovered_s) if one.uncovered_s else words.none),
            )
            for one in wanted
        ),
        numeric=frozenset({2, 3}),
    )


def _set_right(figures: Figures, words: Words) -> Iterator[Table]:
    totals = {name: sum(getattr(one, name) for one in figures.quality) for name in SET_RIGHT}
    yield Table(
        caption=words("trust.set_right.caption"),
        columns=_columns(words, "trust.set_right", "what", "count", "means"),
        rows=tuple(
            (
                Cell(text=words(f"set_right.{name}.name"), is_heading=True),
                Cell(
                    text=words.number(total, digits=0), name=f"set_right.{name}", value=float(total)
                ),
                Cell(text=words(f"set_right.{name}.means")),
            )
            for name, total in totals.items()
        ),
        numeric=frozenset({1}),
    )
    touched = [one for one in figures.quality if any(getattr(one, n) for n in SET_RIGHT)]
    touched.sort(key=lambda one: -sum(getattr(one, name) for name in SET_RIGHT[:6]))
    if touched:
        yield Table(
            caption=words("trust.points.caption")
            if len(touched) <= _SHOWN
            else words("trust.points.caption_most", shown=_SHOWN, of=len(touched)),
            columns=_columns(words, "trust.points", "point", "what", "day"),
            rows=tuple(
                (
                    Cell(text=one.name, is_heading=True),
                    Cell(text=_what(one, words)),
                    Cell(text=words.short_day(one.explain_day) if one.explain_day else words.none),
                )
                for one in touched[:_SHOWN]
            ),
        )


def _what(point: PointQuality, words: Words) -> str:
    return ", ".join(
        f"{words(f'set_right.{name}.name')} {words.number(count, digits=0)}"
        for name in SET_RIGHT
        if (count := getattr(point, name))
    )


def _restatements(figures: Figures, words: Words) -> Table:
    return Table(
        caption=words("trust.restatements.caption"),
        columns=_columns(words, "trust.restatements", "whose", "period", "old", "new", "at", "why"),
        rows=tuple(
            (
                Cell(text=f"{one.scope_name}: {words(f'figure.{one.figure}')}", is_heading=True),
                Cell(text=f"{words(f'grain.{one.grain}')} {words.short_day(one.period_start)}"),
                Cell(text=_value(one, one.old_value, words)),
                Cell(text=_value(one, one.new_value, words)),
                Cell(text=f"{one.restated_at:%Y-%m-%d %H:%M} UTC"),
                Cell(text=one.why),
            )
            for one in figures.restatements
        ),
        numeric=frozenset({2, 3}),
    )


def _value(one: Restatement, value: float | None, words: Words) -> str:
    if value is not None and one.unit == _WH:
        return words.amount(value / 1000, "kWh")
    return words.amount(value, one.unit)


def _entries(figures: Figures, words: Words) -> Table:
    return Table(
        caption=words("trust.entries.caption"),
        columns=_columns(words, "trust.entries", "point", "kind", "from", "to", "reason"),
        rows=tuple(
            (
                Cell(text=one.point_id, is_heading=True),
                Cell(text=words(f"entry.{one.kind}")),
                Cell(text=f"{one.start:%Y-%m-%d %H:%M} UTC" if one.start else words.none),
                Cell(text=f"{one.end:%Y-%m-%d %H:%M} UTC" if one.end else words.none),
                Cell(text=one.reason),
            )
            for one in figures.entries
        ),
    )


def _columns(words: Words, key: str, *names: str) -> tuple[str, ...]:
    return tuple(words(f"{key}.{name}") for name in names)
