"""Why a figure that was final is another one: what differs between two publications' bases.

A basis is what a build rests on, piece by piece, as its preparation noted it: the versions of the
rules, what each day file was made from, the settings of each point, and the corrections.
The journal keeps that of the figures that were said last. What differs in the new one, and touches
a figure's period, is why the figure changed; a reason is never guessed from the figure.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.lake.digests import digest_of
from energy_platform.lake.footers import FINGERPRINT
from energy_platform.schemas import CORE_READINGS
from energy_platform.sources.registry import day_tables
from energy_platform.warehouse.inputs import INPUTS
from energy_platform.warehouse.sql_text import take_over

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import duckdb

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio

LATE_DATA: Final = "late data"
"""The source's raw days that the figure rests on have other rows."""

CORRECTION: Final = "correction"
"""A correction or an acceptance of the portfolio that touches the period came, went or changed."""

RULE: Final = "rule"
"""A rule of the platform has another version."""

PORTFOLIO: Final = "portfolio"
"""The settings of the point, its device or its site are others."""

SETTING: Final = "setting"
"""More late days are read again than before, so that what was final is not final yet."""

UNKNOWN: Final = "unknown"
"""Nothing that was noted differs for the figure; the journal or its basis was not complete."""

_MARGIN: Final = timedelta(days=1)
"""How far a local day and what holds or steps into it reach beyond the UTC day of its date."""

_FIRST: Final = date(1970, 1, 1)
_LAST: Final = date(9999, 1, 1)

_RULES_KEY: Final = "rules"
_FINAL_BEFORE: Final = "final_before"


BASIS_TABLE: Final = (
    "create table if not exists state.basis (kind text, id text, part text, digest text)"
)
"""What the build under way rests on, a row for each piece; see :class:`BasisRow`."""


class BasisRow(NamedTuple):
    """A piece of what a build rests on.

    Attributes:
        kind: ``rules``, ``file``, ``point``, ``correction`` or ``final_before``.
        id: Table, point or vendor.
        part: Day of a file, site of a point, bounds of a correction.
        digest: What another one says that the piece differs.
    """

    kind: str
    id: str
    part: str
    digest: str


class Cause(NamedTuple):
    """Something that differs, and which figures it touches.

    Attributes:
        point_id: Of this point; None for any.
        site_id: Of this site; None for any.
        vendor: Of this source's points; None for any.
        first: First local day that it may touch.
        last: Last one.
        why: The reason.
    """

    point_id: str | None
    site_id: str | None
    vendor: str | None
    first: date
    last: date
    why: str


def note_basis(
    db: duckdb.DuckDBPyConnection,
    *,
    lake: Lake,
    portfolio: Portfolio,
    fingerprints: Mapping[str, str],
    info: Mapping[str, str],
) -> None:
    """Note in the work file what the build under way rests on; only what differs is written.

    Args:
        db: The work file.
        lake: The day files.
        portfolio: The portfolio as it is now.
        fingerprints: Those of its devices.
        info: What the build rests on, as ``build_info`` says it.
    """
    rows = [
        BasisRow("rules", "marts", "", info["rules_digest"]),
        *(
            BasisRow(_FINAL_BEFORE, key.removeprefix(f"{_FINAL_BEFORE}_"), "", instant)
            for key, instant in info.items()
            if key.startswith(_FINAL_BEFORE)
        ),
        *_files(lake),
        *_settings(portfolio, fingerprints),
    ]
    frame = pl.DataFrame(rows, schema=list(BasisRow._fields), orient="row")
    db.register("basis_rows", frame.to_arrow())
    db.execute(BASIS_TABLE)
    taken_over = take_over("state.basis", rows="basis_rows", key=", ".join(BasisRow._fields))
    db.execute(f"begin; {taken_over} commit")
    db.unregister("basis_rows")


def _files(lake: Lake) -> Iterator[BasisRow]:
    for one in lake.day_files(*INPUTS):
        if one.footer is not None and FINGERPRINT in one.footer.meta:
            yield BasisRow("file", one.table, one.day, one.footer.meta[FINGERPRINT])


def _settings(portfolio: Portfolio, fingerprints: Mapping[str, str]) -> Iterator[BasisRow]:
    for point in portfolio.points.values():
        digest = digest_of(point.stamp() + fingerprints[point.device_id])
        yield BasisRow("point", point.point_id, point.site_id, digest)
    for correction in portfolio.corrections:
        said = correction.model_dump_json(exclude={"points"})
        bounds = f"{_text(correction.start)}|{_text(correction.end)}"
        for point_id in correction.points:
            yield BasisRow("correction", point_id, bounds, said)
    for one in portfolio.accepted:
        bounds = f"{_text(one.start)}|{_text(one.end)}"
        yield BasisRow("correction", one.point_id, bounds, f"accept {one.reason}")


def _text(instant: datetime | None) -> str:
    return "" if instant is None else instant.isoformat()


def causes(old: set[BasisRow], new: set[BasisRow]) -> list[Cause]:
    """Return what differs between two bases, with what it touches.

    Args:
        old: What the figures rested on that were said last.
        new: What those rest on that are said now.
    """
    found: set[Cause] = set()
    sites = {row.id: row.part for row in (*old, *new) if row.kind == "point"}
    compared: dict[tuple[str, str, str], dict[int, str]] = {}
    for side, rows in enumerate((old - new, new - old)):
        for row in rows:
            if row.kind in {"file", _FINAL_BEFORE}:
                compared.setdefault((row.kind, row.id, row.part), {})[side] = row.digest
            else:
                found.add(_cause(row, sites=sites))
    for (kind, name, day), sides in compared.items():
        if kind == "file":
            found |= {*_file_causes(name, day, sides)}
        elif sides.get(1, "") < sides.get(0, ""):  # instants in UTC, as text
            found.add(Cause(None, None, name, _FIRST, _LAST, SETTING))
    return sorted(found, key=repr)


def _cause(row: BasisRow, *, sites: Mapping[str, str]) -> Cause:
    if row.kind == "rules":
        return Cause(None, None, None, _FIRST, _LAST, RULE)
    site = sites.get(row.id)
    if row.kind == "point":
        return Cause(row.id, site, None, _FIRST, _LAST, PORTFOLIO)
    start, _, end = row.part.partition("|")
    first = datetime.fromisoformat(start).date() - _MARGIN if start else _FIRST
    last = datetime.fromisoformat(end).date() + _MARGIN if end else _LAST
    return Cause(row.id, site, None, first, last, CORRECTION)


def _file_causes(table: str, day: str, sides: Mapping[int, str]) -> Iterator[Cause]:
    """Yield why a day file is another one, from what its two versions were made of."""
    before, after = (json.loads(sides.get(side, "{}")) for side in (0, 1))
    vendors = {one.name: vendor for vendor, one in day_tables().items()}
    own = date.fromisoformat(day)
    window = (own - _MARGIN, own + _MARGIN)
    for key in before.keys() | after.keys():
        if before.get(key) == after.get(key):
            continue
        if key == _RULES_KEY and before and after:
            yield Cause(None, None, None, *window, RULE)
        elif table == CORE_READINGS.name and key in vendors:
            yield Cause(None, None, vendors[key], *window, LATE_DATA)


_ADD: Final = """
update unsaid set why = reasons.why
from (
    with changed as (
        select
            scope, scope_id, site_id, figure, grain, period_start,
            split_part(scope_id, '/', 1) as vendor,
            case grain
                when 'day' then period_start
                when 'week' then period_start + 6
                else last_day(period_start)
            end as period_end
        from unsaid
        where not is_first and scope = $scope
    ),
    touching as (
        select changed.*, causes.why from changed
        inner join causes on causes.point_id = changed.scope_id
        where causes.first <= changed.period_end and causes.last >= changed.period_start
        union all by name
        select changed.*, causes.why from changed
        inner join causes on causes.point_id is null and causes.site_id = changed.site_id
        where causes.first <= changed.period_end and causes.last >= changed.period_start
        union all by name
        select changed.*, causes.why from changed
        inner join causes on causes.vendor = changed.vendor
        where causes.first <= changed.period_end and causes.last >= changed.period_start
        union all by name
        select changed.*, causes.why from changed
        inner join causes
            on causes.first <= changed.period_end and causes.last >= changed.period_start
        where causes.point_id is null and causes.site_id is null and causes.vendor is null
    )
    select
        scope, scope_id, figure, grain, period_start,
        string_agg(distinct why, ', ' order by why) as why
    from touching
    group by all
) as reasons
where
    unsaid.scope = reasons.scope and unsaid.scope_id = reasons.scope_id
    and unsaid.figure = reasons.figure and unsaid.grain = reasons.grain
    and unsaid.period_start = reasons.period_start and unsaid.why is null and not unsaid.is_first
"""

_OF_POINTS: Final = """
update unsaid set why = reasons.why
from (
    select
        points.site_id, points.grain, points.period_start,
        string_agg(distinct points.why, ', ' order by points.why) as why
    from (
        select site_id, grain, period_start, unnest(string_split(why, ', ')) as why
        from unsaid
        where scope = 'point' and not is_first
    ) as points
    group by all
) as reasons
where
    unsaid.scope = 'site' and not unsaid.is_first and unsaid.scope_id = reasons.site_id
    and unsaid.grain = reasons.grain and unsaid.period_start = reasons.period_start
"""


def add_reasons(db: duckdb.DuckDBPyConnection, *, basis: Path) -> None:
    """Say of each restated figure in the table ``unsaid`` why it changed.

    A point's reasons are what touches its period; where nothing does, what touches an earlier one,
    since a register carries what it showed into the days that follow. A site's reasons are those of
    its points' figures, and where none of them changed, what differs of the points or the rules.

    Args:
        db: The work file, with the basis of the build in it.
        basis: That of the figures that were said last.
    """
    old: set[BasisRow] = set()
    if basis.exists():
        old = {BasisRow(*row) for row in pl.read_parquet(basis).iter_rows()}
    new = {BasisRow(*row) for row in db.execute("from state.basis").fetchall()}
    found = causes(old, new) if old and new else []
    schema = {
        **dict.fromkeys(("point_id", "site_id", "vendor"), pl.String()),
        **dict.fromkeys(("first", "last"), pl.Date()),
        "why": pl.String(),
    }
    frame = pl.DataFrame(found, schema=schema, orient="row")
    for later in (frame, frame.with_columns(last=pl.lit(_LAST))):
        db.register("causes", later.to_arrow())
        db.execute(_ADD, {"scope": "point"})
        db.unregister("causes")
    db.execute(f"update unsaid set why = '{UNKNOWN}' where why is null and scope = 'point' "  # noqa: S608
               "and not is_first")  # fmt: skip
    db.execute(_OF_POINTS)
    of_sites = frame.filter(
        pl.col("vendor").is_null()
        & (pl.col("point_id").is_null() | pl.col("site_id").is_not_null())
    ).with_columns(point_id=pl.lit(None, pl.String()))
    db.register("causes", of_sites.to_arrow())
    db.execute(_ADD, {"scope": "site"})
    db.unregister("causes")
    db.execute(f"update unsaid set why = '{UNKNOWN}' where why is null and not is_first")  # noqa: S608
