"""What is disputed, missing or contradicts itself on a page, and what to do about each."""

from __future__ import annotations

import shlex
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final

from energy_platform.days import day_of
from energy_platform.report.view import Item, Section

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from energy_platform.report.records import Figures, PointCoverage
    from energy_platform.report.words import Words

NAMED: Final = 5
"""Points that an item names; the others are counted."""

VIRTUAL: Final = "virtual"

_ORDER: Final = {"act": 0, "look": 1, "know": 2}


def attention(figures: Figures, words: Words) -> Section:
    """Return what wants a look, what must be decided first."""
    items = [
        *_disputed(figures, words),
        *_beginning(figures, words),
        *_missing(figures, words),
        *_unconfirmed(figures, words),
        *_tree(figures, words),
        *_contradictions(figures, words),
        *_limits(figures, words),
        *_set_aside(figures, words),
        *_streams(figures, words),
    ]
    items.sort(key=lambda one: _ORDER[one.weight])
    paragraph = words("attention.none") if not items else words.count("attention.some", len(items))
    return Section(
        id="attention",
        heading=words("attention.heading"),
        paragraphs=(paragraph,),
        items=tuple(items),
    )


def item(words: Words, weight: str, key: str, *, command: str = "", **values: object) -> Item:
    """Return an item by the key of its texts: title, text and todo."""
    return Item(
        weight=weight,
        weight_text=words(f"attention.weight.{weight}"),
        title=words(f"{key}.title", **values),
        text=words(f"{key}.text", **values),
        todo=words(f"{key}.todo", **values),
        command=command,
    )


def explain(point_id: str, day: date | None) -> str:
    """Return the command that explains a point's day; empty where no day is known."""
    return "" if day is None else f"energy-platform explain {shlex.quote(point_id)} {day}"


def _disputed(figures: Figures, words: Words) -> Iterator[Item]:
    refused = [one for one in figures.quality if one.refused_days]
    for one in sorted(refused, key=lambda q: -abs(q.refused_wh)):
        shown = words.amount(one.refused_wh, "Wh", digits=0, signed=True)
        if not one.refused_wh:
            shown = words.amount(one.refused_consumption, one.unit or "", signed=True)
        yield item(
            words,
            "act",
            "attention.disputed",
            command=explain(one.point_id, one.explain_day),
            name=one.name,
            point=one.point_id,
            refused=shown,
            days=words.count("count.days", one.refused_days),
        )


def _beginning(figures: Figures, words: Words) -> Iterator[Item]:
    first = min((one.local_day for one in figures.days), default=None)
    if first is not None and first > figures.period.first:
        before = first - timedelta(days=1)
        yield item(
            words,
            "look",
            "attention.beginning",
            command=f"energy-platform backfill all {figures.period.first} {before}",
            first=words.day(first),
        )


def _missing(figures: Figures, words: Words) -> Iterator[Item]:
    lacking = [one for one in figures.coverage if one.first_day and one.last_day]

    def source(one: PointCoverage) -> tuple[bool, str]:
        return one.site_term is None, one.vendor

    for (is_aside, vendor), group in groupby(sorted(lacking, key=source), key=source):
        points = sorted(group, key=lambda one: -one.uncovered_s)
        first = min(one.first_day for one in points if one.first_day)
        last = max(one.last_day for one in points if one.last_day)
        command = (
            f"energy-platform backfill {shlex.quote(vendor)} {_utc_days(figures, first, last)}"
        )
        yield item(
            words,
            "know" if is_aside else "look",
            "attention.missing_parts" if vendor == VIRTUAL else "attention.missing",
            command=explain(points[0].point_id, first) if vendor == VIRTUAL else command,
            source=vendor,
            points=words.count("count.points", len(points)),
            names=_names([one.name for one in points], words),
            longest=words.duration(points[0].uncovered_s),
            span=words(
                "attention.on_day" if first == last else "attention.between",
                first=words.day(first),
                last=words.day(last),
            ),
            counts=words("attention.aside" if is_aside else "attention.counts"),
        )
    if figures.use.points_unknown:
        yield item(
            words,
            "act",
            "attention.unknown",
            command="energy-platform status",
            points=words.count("count.points", figures.use.points_unknown),
            of=words.number(figures.use.points_counted, digits=0),
        )


def _utc_days(figures: Figures, first: date, last: date) -> str:
    """Return the UTC days of some local days, as ``backfill`` takes them; a day more at each end.

    Whole zones lie up to half a day from UTC, and a register's step into a day begins before it.
    """
    today = day_of(figures.as_of)
    begin, end = first - timedelta(days=1), last + timedelta(days=1)
    return f"{begin} {min(end.isoformat(), today)}"


def _names(names: list[str], words: Words) -> str:
    shown = ", ".join(names[:NAMED])
    if len(names) > NAMED:
        shown += f" {words.count('count.more', len(names) - NAMED)}"
    return shown


def _unconfirmed(figures: Figures, words: Words) -> Iterator[Item]:
    if figures.unconfirmed:
        yield item(
            words,
            "act",
            "attention.unconfirmed",
            points=words.count("count.points", len(figures.unconfirmed)),
            names=_names([one.name for one in figures.unconfirmed], words),
        )


def _tree(figures: Figures, words: Words) -> Iterator[Item]:
    names = {one.point_id: one.name or "" for one in figures.tree if one.point_id}
    for one in figures.tree:
        if one.member != "remainder":
            continue
        parent = names.get(one.parent_point_id) or one.parent_point_id
        if one.is_negative and one.energy_kwh is not None:
            yield item(
                words,
                "act",
                "attention.negative_remainder",
                command="energy-platform tree",
                parent=parent,
                more=words.amount(-one.energy_kwh, "kWh"),
            )
        if one.missing_children:
            yield item(
                words,
                "look",
                "attention.missing_children",
                command="energy-platform tree",
                parent=parent,
                meters=words.count("count.meters", one.missing_children),
                names=one.missing_point_ids or "",
            )


def _contradictions(figures: Figures, words: Words) -> Iterator[Item]:
    for one in figures.instruments:
        if one.differ:
            yield item(
                words,
                "look",
                "attention.instruments",
                command="energy-platform tree",
                first=one.point_id,
                other=one.other_point_id,
                apart=words.amount(one.difference_percent, "%", digits=2, signed=True),
                allowed=words.amount(one.allowed_percent, "%", digits=2),
                differ=words.count("count.days", one.differ),
                judged=words.number(one.judged, digits=0),
            )
    unexplained = figures.flows.unexplained if figures.flows else None
    if unexplained:
        yield item(words, "look", "attention.unexplained", energy=words.amount(unexplained, "kWh"))


def _limits(figures: Figures, words: Words) -> Iterator[Item]:
    for one in figures.quality:
        if one.over_limit_steps:
            yield item(
                words,
                "look",
                "attention.over_limit",
                command=explain(one.point_id, one.explain_day),
                name=one.name,
                point=one.point_id,
                steps=words.count("count.steps", one.over_limit_steps),
            )


def _set_aside(figures: Figures, words: Words) -> Iterator[Item]:
    aside = [one for one in figures.quality if one.quarantined_samples]
    if aside:
        aside.sort(key=lambda one: -one.quarantined_samples)
        yield item(
            words,
            "know",
            "attention.set_aside",
            command=explain(aside[0].point_id, aside[0].explain_day),
            points=words.count("count.points", len(aside)),
            readings=words.count("count.readings", sum(one.quarantined_samples for one in aside)),
            names=_names([one.name for one in aside], words),
        )


def _streams(figures: Figures, words: Words) -> Iterator[Item]:
    for one in figures.streams:
        key = "attention.stream_refused" if one.packets_refused else "attention.stream_waits"
        dead = "dead-letters" if one.packets_refused else "status"
        yield item(
            words,
            "act" if one.packets_refused else "look",
            key,
            command=f"energy-platform delivery {dead}",
            stream=one.stream_id,
            packets=words.count("count.packets", one.packets_refused),
            why=one.reason or words.unknown,
        )
