"""What flows from where to where, as bands whose width is the energy (a Sankey diagram).

Drawn here, in SVG: Vega has no such mark. Each box says its own name and figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from energy_platform.report.drawing import (
    ACCENT,
    FONT,
    INK,
    NARROW,
    PALE,
    QUIET,
    WIDE,
    standing,
)
from energy_platform.report.view import Picture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from energy_platform.report.view import Table

_HEIGHT: Final = 300
"""Height of the fullest column, px, without its gaps."""

_GAP: Final = 26
"""Room between two boxes of a column: two lines of text."""

_BOX: Final = 10
_TOP: Final = 14
_LEAST: Final = 1.5
"""A band is at least this thick, px, so that it is seen."""

_CHARACTER: Final = 6.0
"""Mean width of a character, px."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where energy comes from or goes to.

    Attributes:
        id: Unique in the picture.
        column: From the left, 0 first.
        label: Its name.
        shown: Its figure.
        is_remainder: Whether it is what no meter shows; outlined.
    """

    id: str
    column: int
    label: str
    shown: str
    energy: float
    is_remainder: bool = False


@dataclass(frozen=True, kw_only=True)
class Band:
    """Energy that flows from one box to another."""

    source: str
    target: str
    energy: float
    shown: str


def flow_picture(
    boxes: Sequence[Box],
    bands: Sequence[Band],
    *,
    width: int,
    name: str,
    title: str,
    description: str,
) -> str:
    """Draw boxes and bands.

    Args:
        boxes: In the order in which they stand in their column, from the top.
        bands: Each between two columns, from left to right.
        width: Width, px.
        name: Prefix of its ids.
        title: What it is.
        description: What it shows.
    """
    columns = max(one.column for one in boxes) + 1
    fullest = max(
        sum(one.energy for one in boxes if one.column == column) for column in range(columns)
    )
    scale = _HEIGHT / fullest if fullest > 0 else 0
    label_room = min(190, (width - columns * _BOX) / columns)
    step = (width - label_room - _BOX) / max(columns - 1, 1)
    places, height = _places(boxes, scale=scale, step=step)
    parts = _bands(bands, places, scale=scale)
    for one in boxes:
        parts.append(
            _box(
                one,
                places[one.id],
                room=min(step - _BOX - 8, label_room)
                if one.column < columns - 1
                else label_room - 8,
            )
        )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0f}" '
        f'font-family="{escape(FONT, {chr(34): "&quot;"})}" font-size="11">{"".join(parts)}</svg>'
    )
    return standing(svg, name=name, title=title, description=description)


def _places(
    boxes: Sequence[Box], *, scale: float, step: float
) -> tuple[dict[str, tuple[float, float, float]], float]:
    """Return left, top and height of each box, and the height of the picture."""
    tops: dict[int, float] = {}
    places = {}
    for one in boxes:
        top = tops.get(one.column, float(_TOP))
        height = max(one.energy * scale, _LEAST)
        places[one.id] = (one.column * step, top, height)
        tops[one.column] = top + max(height, _GAP - 8) + (_GAP if height < _GAP else 12)
    return places, max(tops.values()) + 6


def _bands(
    bands: Sequence[Band], places: Mapping[str, tuple[float, float, float]], *, scale: float
) -> list[str]:
    out: dict[str, float] = {}
    into: dict[str, float] = {}
    parts = []
    for one in bands:
        left, top, _ = places[one.source]
        right, bottom, _ = places[one.target]
        thick = max(one.energy * scale, _LEAST)
        y0 = top + out.get(one.source, 0.0) + thick / 2
        y1 = bottom + into.get(one.target, 0.0) + thick / 2
        out[one.source] = out.get(one.source, 0.0) + one.energy * scale
        into[one.target] = into.get(one.target, 0.0) + one.energy * scale
        x0, x1 = left + _BOX, right
        middle = (x0 + x1) / 2
        parts.append(
            f'<path d="M{x0:.1f},{y0:.1f} C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} '
            f'{x1:.1f},{y1:.1f}" fill="none" stroke="{PALE}" stroke-opacity="0.65" '
            f'stroke-width="{thick:.1f}"><title>{escape(one.shown)}</title></path>'
        )
    return parts


def _box(one: Box, place: tuple[float, float, float], *, room: float) -> str:
    left, top, height = place
    look = (
        f'fill="#ffffff" stroke="{ACCENT}" stroke-dasharray="3 2"'
        if one.is_remainder
        else f'fill="{ACCENT}"'
    )
    x, y = left + _BOX + 5, top + max(height / 2 - 3, 8)
    # A white edge keeps the text readable on a band.
    edge = 'stroke="#ffffff" stroke-width="3" paint-order="stroke" stroke-linejoin="round"'
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{_BOX}" height="{height:.1f}" {look}/>'
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}" {edge}>'
        f"{escape(_fitted(one.label, room))}</text>"
        f'<text x="{x:.1f}" y="{y + 13:.1f}" fill="{QUIET}" {edge}>{escape(one.shown)}</text>'
    )


def _fitted(text: str, room: float) -> str:
    """Return a text that fits; the table next to the picture has it whole.

    >>> _fitted("Distribution board of the second floor", 100)
    'Distribution bo…'
    """
    most = max(int(room / _CHARACTER), 4)
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def flow_of(
    name: str,
    boxes: Sequence[Box],
    bands: Sequence[Band],
    *,
    title: str,
    description: str,
    table: Table,
) -> Picture:
    """Return the picture for a screen and for a phone.

    Args:
        name: Unique in the page.
        boxes: Column by column.
        bands: What flows between them.
        title: What is drawn, in one line.
        description: What it shows, for who does not see it.
        table: The same figures.
    """
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
