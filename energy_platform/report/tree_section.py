"""The part of a page on what stands behind each meter of the site, and what is left over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.report.flow_picture import Band, Box, flow_of
from energy_platform.report.view import Cell, Section, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from energy_platform.report.records import Figures, TreeMember
    from energy_platform.report.words import Words

DRAWN: Final = 8
"""Children of a meter that are drawn each; the smaller ones are one box."""


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
            flow_of(
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
