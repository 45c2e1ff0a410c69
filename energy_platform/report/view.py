"""What a page shows, in words and before any markup: HTML and PDF are two writings of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A text of a table or a figure.

    Attributes:
        text: As it is read.
        name: Name of the figure, unique in the page; empty for words.
        value: The figure as the marts have it; None is unknown.
        is_heading: Whether it heads its row.
    """

    text: str
    name: str = ""
    value: float | None = None
    is_heading: bool = False

    @property
    def is_figure(self) -> bool:
        """Whether it is a figure of the marts."""
        return bool(self.name)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with a caption.

    Attributes:
        columns: Heads of the columns.
        numeric: Which columns are numbers, aligned to the right.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A drawing, and its data as a table.

    Attributes:
        id: Unique in the page.
        title: What is drawn, in one line.
        description: What it shows, for who does not see it.
        wide: SVG for a screen or a sheet.
        narrow: SVG for a phone.
        spec: Vega-Lite, which makes it interactive; None for one that stands still.
        table: The same figures.
        is_short: Whether the table is short enough to stand open.
    """

    id: str
    title: str
    description: str
    wide: str
    narrow: str
    spec: Mapping[str, Any] | None
    table: Table
    is_short: bool = False


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A figure that is shown by itself.

    Attributes:
        note: What must be known with it: that it is not final, or why it is unknown.
    """

    label: str
    cell: Cell
    note: str = ""
    is_provisional: bool = False


@dataclass(frozen=True, kw_only=True)
class Item:
    """Something that wants a look.

    Attributes:
        weight: ``act``, ``look`` or ``know``; how it is marked, in words too.
        title: What it is about.
        text: What is so, with its figures.
        todo: What to do.
        command: What to type; empty where there is nothing.
    """

    weight: str
    weight_text: str
    title: str
    text: str
    todo: str = ""
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page, in the order of its fields."""

    id: str
    heading: str
    paragraphs: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    pictures: tuple[Picture, ...] = ()
    items: tuple[Item, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Page:
    """A whole page.

    Attributes:
        is_final: Whether its status is final.
        is_disputed: Whether something on it is not booked.
        glossary: Words and what they mean.
    """

    language: str
    title: str
    site_name: str
    period_name: str
    status: str
    status_sentence: str
    is_final: bool
    is_disputed: bool
    as_of: str
    glance: tuple[Fact, ...]
    sections: tuple[Section, ...]
    glossary: tuple[tuple[str, str], ...]
    made_by: str
