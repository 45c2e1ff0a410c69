"""The parts of a page on the site's use: against other periods, day by day, hour by hour, peak."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from energy_platform.report.charts import (
    DISPUTED_MARK,
    UNKNOWN_MARK,
    comparison_bars,
    daily_bars,
    heat_and_cold,
    load_curve,
    state_of,
)
from energy_platform.report.drawing import NARROW, WIDE, drawn
from energy_platform.report.glance import is_settled, status_note
from energy_platform.report.view import Cell, Picture, Section, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from energy_platform.report.records import Day, Figures, Hour
    from energy_platform.report.words import Words

_STEP: Final = timedelta(minutes=15)
"""Every zone's changes of the clock are whole steps of it."""

AGAIN: Final = "*"
"""Marks the second of two hours that the clock shows alike."""


def charted(
    spec: Mapping[str, Any],
    *,
    id: str,  # noqa: A002 - what HTML calls it
    title: str,
    description: str,
    table: Table,
    is_short: bool = False,
) -> Picture:
    """Return a chart as a picture: drawn for a sheet and for a phone, with its spec and table."""
    wide, narrow = (
        drawn(spec, width=width, name=f"{id}-{size}", title=title, description=description)
        for width, size in ((WIDE, "wide"), (NARROW, "narrow"))
    )
    return Picture(
        id=id,
        title=title,
        description=description,
        wide=wide,
        narrow=narrow,
        spec=spec,
        table=table,
        is_short=is_short,
    )


def with_status(text: str, status: str | None, words: Words) -> str:
    """Return a figure's text, with a word beside it where it is not final."""
    return text if is_settled(status) else f"{text} ({words(f'status.{status}.word')})"


def use_section(figures: Figures, words: Words) -> Section | None:
    """Return use against the period before and last year; None without electricity."""
    comparison, use = figures.comparison, figures.use
    if comparison is None or use.status is None:
        return None
    grain = figures.period.grain
    rows: list[tuple[str, date | None, float | None, str | None, str]] = [
        ("this", figures.period.first, use.site_use_kwh, use.status, "")
    ]
    for name, other in (("previous", comparison.previous), ("last_year", comparison.last_year)):
        reason = "" if other.comparison == "like_for_like" else other.comparison
        rows.append((name, other.start, other.use_kwh, other.status, reason))
    values, cells = [], []
    for name, start, kwh, status, reason in rows:
        label = words(f"use.{name}_{grain}")
        shown = words.amount(kwh, "kWh")
        values.append(
            {
                "name": label,
                "kwh": kwh,
                "end": max(kwh or 0, 0),
                "shown": with_status(shown, status, words) if kwh is not None else shown,
                "state_key": state_of(status) if kwh is not None else "",
                "state": words(f"state.{state_of(status)}"),
            }
        )
        cells.append(
            (
                Cell(text=label, is_heading=True),
                Cell(text=words.day(start) if start else words.none),
                Cell(text=shown, name=f"{name}_use_kwh", value=kwh),
                Cell(text=words(f"status.{status}.word") if status else words.unknown),
                Cell(text=words(f"comparison.{reason}") if reason else words.none),
            )
        )
    table = Table(
        caption=words("use.table"),
        columns=tuple(
            words(f"column.{one}") for one in ("period", "from", "use", "status", "not_compared")
        ),
        rows=tuple(cells),
        numeric=frozenset({2}),
    )
    paragraphs = [_change(figures, words)]
    if comparison.year_months is not None:
        paragraphs.append(
            words("use.year", use=words.amount(comparison.year_use_kwh, "kWh"))
            if comparison.year_use_kwh is not None
            else words("use.year_unknown", months=words.number(comparison.year_months, digits=0))
        )
    return Section(
        id="use",
        heading=words("use.heading"),
        paragraphs=tuple(paragraphs),
        pictures=(
            charted(
                comparison_bars(values, words),
                id="comparison",
                title=words("use.picture"),
                description=" ".join(f"{row['name']}: {row['shown']}." for row in values),
                table=table,
                is_short=True,
            ),
        ),
    )


def _change(figures: Figures, words: Words) -> str:
    if figures.comparison is None:
        return ""
    said = []
    for name, other in (
        ("previous", figures.comparison.previous),
        ("last_year", figures.comparison.last_year),
    ):
        against = words(f"use.against_{name}_{figures.period.grain}")
        if other.change_share is None:
            said.append(
                words("use.no_change", against=against, why=words(f"comparison.{other.comparison}"))
            )
            continue
        key = "use.more" if other.change_share >= 0 else "use.less"
        said.append(
            words(
                key,
                against=against,
                share=words.share(abs(other.change_share)),
                energy=words.amount(abs(other.change_kwh or 0), "kWh"),
            )
        )
    return " ".join(said)


def days_section(figures: Figures, words: Words) -> Section | None:
    """Return each day's use; None without electricity."""
    if figures.use.status is None:
        return None
    by_day = {one.local_day: one for one in figures.days}
    today = _today(figures)
    most = max((one.site_use_kwh or 0 for one in figures.days), default=0)
    values, rows = [], []
    for day in figures.period.days:
        one = by_day.get(day)
        kwh = None if one is None else one.site_use_kwh
        status = None if one is None else one.status
        is_ahead = day > today
        key = state_of(status if one is not None else "incomplete")
        mark = None
        if kwh is None and not is_ahead:
            mark = UNKNOWN_MARK
        elif key == "disputed":
            mark = DISPUTED_MARK
        state = words("status.ahead") if is_ahead else words(f"state.{key}")
        values.append(
            {
                "day": _axis_day(day, figures, words),
                "kwh": kwh,
                "at": max(kwh or 0, 0) or most * 0.02,
                "mark": mark,
                "state_key": key if kwh is not None else "",
                "state": state,
                "when": words.day(day),
                "shown": words("status.ahead") if is_ahead else words.amount(kwh, "kWh"),
            }
        )
        if not is_ahead:
            rows.append(_day_row(day, one, words))
    # A day without a bar has no place in the legend of bars.
    bars = daily_bars(values, words)
    known = [one for one in figures.days if one.site_use_kwh is not None]
    description = words(
        "days.description",
        days=words.count("count.days", len(known)),
        least=words.amount(min((d.site_use_kwh or 0 for d in known), default=None), "kWh"),
        most=words.amount(max((d.site_use_kwh or 0 for d in known), default=None), "kWh"),
        unknown=words.count("count.days", sum(one["mark"] == UNKNOWN_MARK for one in values)),
        disputed=words.count("count.days", sum(one["mark"] == DISPUTED_MARK for one in values)),
    )
    table = Table(
        caption=words("days.table"),
        columns=tuple(
            words(f"column.{one}") for one in ("day", "use", "peak", "covered", "status")
        ),
        rows=tuple(rows),
        numeric=frozenset({1, 2, 3}),
    )
    return Section(
        id="days",
        heading=words("days.heading"),
        paragraphs=(description,),
        pictures=(
            charted(
                bars,
                id="daily",
                title=words("days.picture", site=figures.site.site_name),
                description=description,
                table=table,
            ),
        ),
        notes=(words("days.marks"),),
    )


def _day_row(day: date, one: Day | None, words: Words) -> tuple[Cell, ...]:
    use = None if one is None else one.site_use_kwh
    peak = None if one is None else one.peak_kw
    covered = None if one is None else one.least_covered_share
    status = None if one is None else one.status
    return (
        Cell(text=words.day(day), is_heading=True),
        Cell(text=words.amount(use, "kWh"), name=f"day.{day}.site_use_kwh", value=use),
        Cell(text=words.amount(peak, "kW"), name=f"day.{day}.peak_kw", value=peak),
        Cell(text=words.share(covered), name=f"day.{day}.least_covered_share", value=covered),
        Cell(text=words.unknown if status is None else words(f"status.{status}.word")),
    )


class _Slot(NamedTuple):
    """An hour that the site's clock has."""

    start: datetime
    is_again: bool
    begins: datetime


def hours_of_day(day: date, timezone: str) -> Iterator[_Slot]:
    """Yield the hours that a local day has on the clock: 23, 24 or 25.

    Args:
        day: The day.
        timezone: IANA zone of the clock.

    >>> from datetime import date
    >>> [len(list(hours_of_day(date(2026, *d), "Europe/Paris"))) for d in ((3, 29), (10, 25))]
    [23, 25]
    """
    zone = ZoneInfo(timezone)
    at = datetime.combine(day, datetime.min.time(), tzinfo=zone).astimezone(ZoneInfo("UTC"))
    seen: dict[datetime, int] = {}
    last: tuple[datetime, timedelta | None] | None = None
    while (here := at.astimezone(zone)).date() == day:
        start = here.replace(minute=0, second=0, microsecond=0, tzinfo=None)
        if (start, here.utcoffset()) != last:
            last = (start, here.utcoffset())
            seen[start] = seen.get(start, 0) + 1
            yield _Slot(start, seen[start] > 1, at)
        at += _STEP


def load_section(figures: Figures, words: Words) -> Section | None:
    """Return the load of each hour; None without electricity."""
    if figures.use.status is None:
        return None
    by_hour = {(one.local_hour, one.is_again): one for one in figures.hours}
    values: list[dict[str, Any]] = []
    labels: set[str] = set()
    cells: dict[tuple[date, str], Cell] = {}
    for day in figures.period.days:
        for slot in hours_of_day(day, figures.site.timezone):
            if slot.begins >= figures.as_of:
                continue
            found = by_hour.get((slot.start, slot.is_again))
            kw = None if found is None else found.use_kw
            label = f"{slot.start:%H}{AGAIN if slot.is_again else ''}"
            labels.add(label)
            cells[day, label] = _hour_cell(day, label, kw, found, words)
            values.append(
                {
                    "day": _axis_day(day, figures, words),
                    "hour": label,
                    "kw": kw,
                    "mark": UNKNOWN_MARK if kw is None else None,
                    "when": words.moment(slot.start),
                    "shown": words.amount(kw, "kW"),
                }
            )
    hours = sorted({f"{hour:02d}" for hour in range(24)} | labels)
    days = [_axis_day(day, figures, words) for day in figures.period.days]
    table = Table(
        caption=words("load.table"),
        columns=(words("column.day"), *(_hour_head(one, words) for one in hours)),
        rows=tuple(
            (
                Cell(text=words.short_day(day), is_heading=True),
                *(cells.get((day, hour), Cell(text=words.none)) for hour in hours),
            )
            for day in figures.period.days
            if any((day, hour) in cells for hour in hours)
        ),
        numeric=frozenset(range(1, len(hours) + 1)),
    )
    known = [one for one in figures.hours if one.use_kw is not None]
    description = words("load.nothing")
    if known:
        high = max(known, key=lambda one: one.use_kw or 0)
        low = min(known, key=lambda one: one.use_kw or 0)
        description = words(
            "load.description",
            high=words.amount(high.use_kw, "kW"),
            high_at=words.moment(high.local_hour),
            low=words.amount(low.use_kw, "kW"),
            low_at=words.moment(low.local_hour),
            unknown=words.count("count.hours", len(values) - len(known)),
        )
    notes = [words("load.marks")]
    if any(label.endswith(AGAIN) for label in labels):
        notes.append(words("load.again"))
    return Section(
        id="load",
        heading=words("load.heading"),
        paragraphs=(description,),
        pictures=(
            charted(
                load_curve(values, words, days=days, hours=hours),
                id="curve",
                title=words("load.picture", site=figures.site.site_name),
                description=description,
                table=table,
            ),
        ),
        notes=tuple(notes),
    )


def _hour_head(label: str, words: Words) -> str:
    return words("load.again_head", hour=label[:2]) if label.endswith(AGAIN) else f"{label}:00"


def _hour_cell(day: date, label: str, kw: float | None, found: Hour | None, words: Words) -> Cell:
    text = "?" if kw is None else words.number(kw)
    if found is not None and kw is not None and not found.is_measured:
        text = f"~{text}"
    return Cell(text=text, name=f"hour.{day}.{label}.use_kw", value=kw)


def heat_section(figures: Figures, words: Words) -> Section | None:
    """Return heat and cold by day; None at a site that meters neither."""
    kinds = [
        (name, words(f"glance.{name}"))
        for name, status in (
            ("heating", figures.use.heating_status),
            ("cooling", figures.use.cooling_status),
        )
        if status is not None
    ]
    if not kinds:
        return None
    by_day = {one.local_day: one for one in figures.days}
    today = _today(figures)
    values, rows = [], []
    for day in figures.period.days:
        one = by_day.get(day)
        row = [Cell(text=words.day(day), is_heading=True)]
        for name, kind in kinds:
            kwh = None if one is None else getattr(one, f"{name}_kwh")
            status = None if one is None else getattr(one, f"{name}_status")
            values.append(
                {
                    "day": _axis_day(day, figures, words),
                    "kind": kind,
                    "kwh": kwh,
                    "when": words.day(day),
                    "shown": words.amount(kwh, "kWh"),
                }
            )
            row.append(
                Cell(
                    text=with_status(words.amount(kwh, "kWh"), status, words),
                    name=f"day.{day}.{name}_kwh",
                    value=kwh,
                )
            )
        if day <= today:
            rows.append(tuple(row))
    table = Table(
        caption=words("heat.table"),
        columns=(words("column.day"), *(kind for _, kind in kinds)),
        rows=tuple(rows),
        numeric=frozenset({1, 2}),
    )
    totals = [
        f"{kind}: "
        + with_status(
            words.amount(getattr(figures.use, f"{name}_kwh"), "kWh"),
            getattr(figures.use, f"{name}_status"),
            words,
        )
        for name, kind in kinds
    ]
    return Section(
        id="heat",
        heading=words("heat.heading"),
        paragraphs=(f"{'; '.join(totals)}.", words("heat.apart")),
        pictures=(
            charted(
                heat_and_cold(values, words),
                id="warmth",
                title=words("heat.picture", site=figures.site.site_name),
                description=f"{'; '.join(totals)}.",
                table=table,
            ),
        ),
    )


def peak_section(figures: Figures, words: Words) -> Section | None:
    """Return the peak with what is known of its hour; None without one."""
    use = figures.use
    if use.peak_kw is None or use.peak_local_start is None:
        return None
    said = words(
        "peak.sentence",
        peak=words.amount(use.peak_kw, "kW"),
        at=words.moment(use.peak_local_start),
    )
    if use.peak_is_estimated:
        said += f" {words('peak.estimated')}"
    context = []
    if use.peak_outdoor_temperature is not None:
        context.append(
            words("peak.outdoors", temperature=words.amount(use.peak_outdoor_temperature, "°C"))
        )
    if use.base_load_kw:
        times = words.number(use.peak_kw / use.base_load_kw, digits=1)
        context.append(words("peak.base", times=times))
    context.append(
        words(
            "peak.covered",
            share=words.share(use.peak_covered_share),
            points=words.share(use.peak_points_share, digits=0),
        )
    )
    if note := status_note(use.status, words):
        context.append(words("peak.not_final", note=note))
    tables: tuple[Table, ...] = ()
    if figures.peak_shares:
        tables = (
            Table(
                caption=words("peak.table"),
                columns=(words("column.meter"), words("column.energy")),
                rows=tuple(
                    (
                        Cell(text=one.name, is_heading=True),
                        Cell(
                            text=words.amount(one.energy_kwh, "kWh"),
                            name=f"peak_share.{n}",
                            value=one.energy_kwh,
                        ),
                    )
                    for n, one in enumerate(figures.peak_shares)
                ),
                numeric=frozenset({1}),
            ),
        )
    return Section(
        id="peak",
        heading=words("peak.heading"),
        paragraphs=(said, " ".join(context)),
        tables=tables,
    )


def _today(figures: Figures) -> date:
    return figures.as_of.astimezone(ZoneInfo(figures.site.timezone)).date()


def _axis_day(day: date, figures: Figures, words: Words) -> str:
    if figures.period.grain == "month":
        return str(day.day)
    return words.short_day(day)
