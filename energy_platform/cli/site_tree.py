"""``energy-platform tree``: what stands behind what at each site, and what no meter shows."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from energy_platform.cli.console import add_row, error_console, print_error, table
from energy_platform.cli.days import typed_day
from energy_platform.cli.near import meant
from energy_platform.cli.progress import working
from energy_platform.cli.published import not_yet, open_published
from energy_platform.settings import Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    import duckdb
    from rich.console import Console

Row = dict[str, Any]

_MONTH: Final = re.compile(r"\d{4}-\d{2}")

_NEWEST: Final = """
select site_id, coalesce(max(local_day) filter (where status <> 'open'), max(local_day))
from mart_submetering
where grain = 'day' and member = 'remainder'
group by site_id
"""
"""The newest day of each site that is over: one under way has children that lag behind."""

_ROWS: Final = """
select
    rows.parent_point_id, rows.member, rows.point_id, rows.energy_kwh, rows.share_of_parent,
    rows.share_of_site, rows.covered_share, rows.missing_children, rows.missing_point_ids,
    rows.status, rows.timezone,
    coalesce(points.device_name || ': ' || points.point_name, rows.point_id) as name
from mart_submetering as rows
left join dim_point as points on rows.point_id = points.point_id
where rows.site_id = $site and rows.grain = $grain and rows.local_day = $day
order by rows.energy_kwh desc nulls last, rows.point_id
"""

_INSTRUMENTS: Final = """
select
    point_id, other_point_id, sum(energy_wh) as energy_wh, sum(difference_wh) as difference_wh,
    sum(allowed_wh) as allowed_wh, count(*) as days,
    count(*) filter (where verdict = 'differ') as differ,
    count(*) filter (where verdict in ('agree', 'differ')) as judged
from mart_instruments
where site_id = $site and date_trunc($grain, local_day) = $day and verdict <> 'not_comparable'
group by point_id, other_point_id
order by other_point_id
"""

_ADDED_UP: Final = """
select
    count(distinct energy.point_id),
    sum(abs(energy.energy_wh)) / 1000,
    (
        select case when count(*) = count(site_use_kwh) then sum(site_use_kwh) end
        from mart_site_energy
        where site_id = $site and date_trunc($grain, local_day) = $day
    )
from fct_energy_daily as energy
inner join dim_point as points on energy.point_id = points.point_id
where energy.site_id = $site and date_trunc($grain, energy.local_day) = $day
    and points.quantity not in ('heating_energy', 'cooling_energy')
    and points.vendor <> 'virtual'
"""


@dataclass(frozen=True, kw_only=True)
class _Tree:
    """The tree of a site in a day or month.

    Attributes:
        site_id: The site.
        grain: ``day`` or ``month``.
        first_day: The local day, or the first of the month.
        members: Rows of parents, children and remainders.
        instruments: How far second instruments of a load are from its first.
        site_use_kwh: Use of the site; None where it is not known.
        electricity_points: Number of its points of electricity.
        points_added_up_kwh: What they add up to.
    """

    site_id: str
    grain: str
    first_day: date
    members: Sequence[Row]
    instruments: Sequence[Row]
    site_use_kwh: float | None
    electricity_points: int
    points_added_up_kwh: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the tree for JSON; its days are texts there."""
        return asdict(self)


def run_tree(
    console: Console, *, site: str | None, period: str | None, as_json: bool = False
) -> int:
    """Print the tree of each site, or of one.

    Args:
        console: Where to.
        site: Id of a site; None for all that have a tree.
        period: A local day or month, as typed; None for the newest day that is over.
        as_json: A JSON array with an object for each tree in place of text.

    Returns:
        0 when a tree was printed, 1 when there is none, 2 when nothing is published yet.

    Raises:
        SettingsError: The period is neither a day nor a month, or a variable is wrong.
        duckdb.IOException: The published file is damaged.
    """
    wanted = None if period is None else typed_period(period)
    try:
        published = open_published(Settings.load().platform, live=False)
    except FileNotFoundError as error:
        print_error(error_console(), not_yet(error))
        return 2
    with closing(published) as db:
        sites = [one for (one,) in db.execute("select site_id from dim_site").fetchall()]
        if site is not None and site not in sites:
            print_error(error_console(), f"there is no site {site!r}; {meant(site, sites)}")
            return 1
        with working("reading the published file"):
            found = list(_trees(db, site=site, period=wanted))
    if as_json:
        print(json.dumps([one.as_json() for one in found], indent=2, default=str))  # noqa: T201
    else:
        _print_all(console, found)
    if not found:
        where = f" of site {site}" if site else ""
        when = f" in {period}" if period else ""
        print_error(
            error_console(),
            f"no meter{where} stands behind another one{when}: say it in the portfolio, "
            "`parent: vendor/serial/key` of a point or device, and refresh",
        )
        return 1
    return 0


def typed_period(typed: str) -> tuple[str, date]:
    """Return the grain and first day of a local day or month as typed.

    Raises:
        SettingsError: It is neither.

    >>> typed_period("2026-03")
    ('month', datetime.date(2026, 3, 1))
    """
    if _MONTH.fullmatch(typed):
        return "month", typed_day(f"{typed}-01")
    try:
        return "day", typed_day(typed)
    except SettingsError as error:
        raise SettingsError(
            f"{typed!r} is neither a day nor a month; expected 2026-01-31 or 2026-01"
        ) from error


def print_trees(
    console: Console,
    db: duckdb.DuckDBPyConnection,
    *,
    site: str | None = None,
    period: tuple[str, date] | None = None,
) -> int:
    """Print the trees of a published file; return how many.

    Args:
        console: Where to.
        db: The published file.
        site: Id of a site; None for all.
        period: Grain and first day; None for the newest day of each site that is over.
    """
    found = list(_trees(db, site=site, period=period))
    _print_all(console, found)
    return len(found)


def _trees(
    db: duckdb.DuckDBPyConnection, *, site: str | None, period: tuple[str, date] | None
) -> Iterator[_Tree]:
    newest = {found: ("day", day) for found, day in db.execute(_NEWEST).fetchall()}
    for site_id in sorted(newest):
        if site not in (None, site_id):
            continue
        grain, day = period or newest[site_id]
        asked = {"site": site_id, "grain": grain, "day": day}
        rows = _dicts(db, _ROWS, asked)
        if rows:
            points, kwh, use = db.execute(_ADDED_UP, dict(asked)).fetchone() or (0, None, None)
            yield _Tree(
                site_id=site_id,
                grain=grain,
                first_day=day,
                members=rows,
                instruments=_dicts(db, _INSTRUMENTS, asked),
                site_use_kwh=use,
                electricity_points=points,
                points_added_up_kwh=kwh,
            )


def _print_all(console: Console, trees: Iterable[_Tree]) -> None:
    for one in trees:
        shown = f"{one.first_day:%Y-%m}" if one.grain == "month" else str(one.first_day)
        console.print(
            f"{one.site_id}, {shown} ({one.members[0]['timezone']})",
            style="italic",
            markup=False,
            highlight=False,
        )
        console.print(_table(one.members))
        for line in (
            *_missing(one.members),
            *map(_comparison, one.instruments),
            *_added_up(one),
        ):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        console.print()


def _dicts(db: duckdb.DuckDBPyConnection, query: str, asked: Mapping[str, Any]) -> list[Row]:
    found = db.execute(query, dict(asked))
    names = [one[0] for one in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _table(rows: Sequence[Row]) -> Any:
    shown = table("meter", "kWh", "of parent", "of site", "covered", "status")
    for column in shown.columns[1:5]:
        column.justify = "right"
    branches: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        branch = branches.setdefault(row["parent_point_id"], {})
        branch.setdefault(row["member"], []).append(row)
    children = {one["point_id"] for one in rows if one["member"] == "child"}

    def add(row: Row, name: str, *, is_top: bool) -> None:
        add_row(
            shown,
            name,
            "-" if row["energy_kwh"] is None else f"{row['energy_kwh']:,.1f}",
            "" if is_top else _share(row["share_of_parent"]),
            _share(row["share_of_site"]),
            _share(row["covered_share"]),
            row["status"],
        )

    def add_branch(parent: str, indent: str) -> None:
        branch = branches[parent]
        members = [*branch.get("child", ()), *branch["remainder"]]
        for n, row in enumerate(members):
            is_last = n == len(members) - 1
            name = row["name"] if row["member"] == "child" else "(behind no other meter)"
            add(row, f"{indent}{'└' if is_last else '├'} {name}", is_top=False)
            if row["point_id"] in branches and row["member"] == "child":
                add_branch(row["point_id"], f"{indent}{' ' if is_last else '│'} ")

    for parent, branch in branches.items():
        if parent not in children:
            for row in branch.get("parent", ()):
                add(row, row["name"], is_top=True)
            add_branch(parent, "")
    return shown


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _missing(rows: Sequence[Row]) -> list[str]:
    """Say what is unknown in a remainder, and which is below zero."""
    lines = []
    for row in rows:
        if row["member"] != "remainder":
            continue
        if row["missing_children"]:
            lines.append(
                f"behind {row['parent_point_id']}: nothing of {row['missing_point_ids']}, "
                "what they took is in the remainder"
            )
        if (row["energy_kwh"] or 0) < 0:
            lines.append(
                f"behind {row['parent_point_id']}: {-row['energy_kwh']:,.1f} kWh more than through "
                "it; something feeds in there, or a parent is wrong"
            )
    return lines


def _comparison(row: Row) -> str:
    """Say how far two instruments on one load are apart."""
    percent = 100 * row["difference_wh"] / row["energy_wh"] if row["energy_wh"] else 0.0
    allowed = (
        f"{100 * row['allowed_wh'] / row['energy_wh']:.2f} % allowed"
        if row["allowed_wh"] is not None and row["energy_wh"]
        else "class not known"
    )
    verdict = f"{row['differ']} of {row['judged']} days beyond it" if row["differ"] else ""
    return (
        f"same load: {row['other_point_id']} {percent:+.3f} % against {row['point_id']}, "
        f"{allowed}{', ' if verdict else ''}{verdict}"
    )


def _added_up(tree: _Tree) -> list[str]:
    """Say what adding up all points of the site would make of its use."""
    points, kwh, use = tree.electricity_points, tree.points_added_up_kwh, tree.site_use_kwh
    if not use or kwh is None:
        return []
    times = f"{kwh / use:.1f} times that"
    return [f"use of the site {use:,.1f} kWh; its {points} electricity points add up to {times}"]
