"""Everything a page says, read once from the published file.

What a mart has is taken from it as it is. Only what no mart has is added up here: hours of a site,
weeks of what has days, and days of devices over the period.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from energy_platform.report.device_figures import batteries, flows, tree, ups, valves
from energy_platform.report.errors import ReportError
from energy_platform.report.period import Period
from energy_platform.report.quality_figures import (
    coverage,
    instruments,
    quality,
    restatements,
    streams,
    unconfirmed,
)
from energy_platform.report.records import (
    Compared,
    Comparison,
    Day,
    Figures,
    Hour,
    PeakShare,
    SiteInfo,
    Use,
)
from energy_platform.report.rows import Scope, columns, records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import duckdb

    from energy_platform.report.period import Grain
    from energy_platform.report.records import Entry

_TABLES: Final = {
    "month": ("mart_site_energy_monthly", "local_month"),
    "week": ("mart_site_energy_weekly", "local_week"),
}

_COMPARISON: Final = """
select
    previous_start, previous_use_wh / 1000, previous_status, previous_comparison,
    previous_change_kwh, previous_change_share,
    last_year_start, last_year_use_wh / 1000, last_year_status, last_year_comparison,
    last_year_change_kwh, last_year_change_share,
    year_months, year_use_kwh, eui_kwh_per_m2
from mart_site_comparison
where site_id = $site and grain = $grain and local_day = $first
"""

_HOURS: Final = """
with added as (

    select
        energy.hour_start_at,
        energy.local_hour,
        max(energy.expected_s) as expected_s,
        sum(
            energy.energy_wh
            * case when points.site_term in ('export', 'charge') then -1 else 1 end
        ) as use_wh,
        count(energy.energy_wh) as points_known,
        max(days.points_counted) as points_counted,
        bool_and(
            energy.covered_s >= 0.99 * energy.expected_s and coalesce(energy.estimated_wh, 0) = 0
        ) as is_measured
    from fct_energy_hourly as energy
    inner join dim_point as points on energy.point_id = points.point_id
    inner join mart_site_energy as days
        on energy.site_id = days.site_id and energy.local_day = days.local_day
    where
        energy.site_id = $site
        and energy.local_day between $first and $last
        and points.site_term in ('import', 'export', 'net', 'generation', 'charge', 'discharge')
    group by energy.hour_start_at, energy.local_hour

)

select
    local_hour,
    row_number() over (partition by local_hour order by hour_start_at) > 1 as is_again,
    case
        when points_known = points_counted and expected_s > 0 then use_wh * 3.6 / expected_s
    end as use_kw,
    points_known = points_counted and is_measured as is_measured
from added
order by hour_start_at
"""
"""The rule of int_site_hourly, which is not published: known where every point is. kW are Wh per
second times 3.6."""

_PEAK_SHARES: Final = """
select
    coalesce(points.device_name, rows.point_id, '') as name,
    sum(rows.energy_kwh) as energy_kwh
from mart_submetering as rows
inner join mart_submetering as tops
    on
        rows.parent_point_id = tops.point_id
        and rows.starts_at = tops.starts_at
        and tops.grain = 'hour'
        and tops.member = 'parent'
left join dim_point as points on rows.point_id = points.point_id
where
    rows.site_id = $site
    and rows.grain = 'hour'
    and rows.member = 'child'
    and rows.local_day between $first and $last
    and tops.point_id not in (
        select children.point_id from mart_submetering as children
        where children.member = 'child' and children.site_id = $site
    )
    and exists (
        select 1 from {table} as peaks
        where
            peaks.site_id = $site
            and peaks.{start} = $first
            and rows.starts_at <= peaks.peak_at
            and peaks.peak_at < rows.starts_at + interval 1 hour
    )
group by all
order by energy_kwh desc nulls last, name
"""
"""The meters behind the mains, in the hour of mart_submetering that the peak lies in."""


def site_infos(connection: duckdb.DuckDBPyConnection) -> tuple[SiteInfo, ...]:
    """Return the sites of the published file by id."""
    found = connection.execute(
        "select site_id, site_name, timezone, country, floor_area_m2 from dim_site order by site_id"
    )
    names = [one[0] for one in found.description or ()]
    return tuple(SiteInfo(**dict(zip(names, row, strict=True))) for row in found.fetchall())


def horizon(connection: duckdb.DuckDBPyConnection) -> tuple[datetime, datetime]:
    """Return up to when the publication knows anything, and when it was built.

    Raises:
        ReportError: The file does not say.
    """
    about = dict(connection.execute("select key, value from about").fetchall())
    try:
        built = datetime.fromisoformat(about["built_at"])
        known = datetime.fromisoformat(about.get("horizon_at") or about["built_at"])
    except (KeyError, ValueError):
        raise ReportError(
            "the published file does not say when it was built; publish it again: "
            "`energy-platform ui` or a `backfill` does"
        ) from None
    # What is ahead of the clock is not known: the last day is open until midnight of UTC.
    return min(known, built).astimezone(UTC), built.astimezone(UTC)


def periods_with_data(
    connection: duckdb.DuckDBPyConnection, site: SiteInfo, *, grain: Grain
) -> list[Period]:
    """Return the months or weeks that a site has rows of, oldest first."""
    table, start = _TABLES[grain]
    found = connection.execute(
        f"select {start} from {table} where site_id = ? order by 1",  # noqa: S608 - ours
        [site.site_id],
    )
    return [Period(grain, first) for (first,) in found.fetchall()]


def default_period(site: SiteInfo, known: Sequence[Period], *, as_of: datetime) -> Period | None:
    """Return the last whole period that a site has data of, else the one that is running.

    Args:
        site: The site.
        known: Periods with data, oldest first; of one grain.
        as_of: Up to when anything is known.
    """
    today = as_of.astimezone(ZoneInfo(site.timezone)).date()
    over = [one for one in known if one.last < today]
    candidates = over or [*known]
    return candidates[-1] if candidates else None


def read_figures(
    connection: duckdb.DuckDBPyConnection,
    site: SiteInfo,
    period: Period,
    *,
    entries: Sequence[Entry] = (),
) -> Figures:
    """Read everything a page says.

    Args:
        connection: The published file.
        site: The site.
        period: Month or week of its local days.
        entries: What the portfolio corrects and accepts of the site's points in the period.

    Raises:
        ReportError: The file has nothing of the site in the period.
        duckdb.Error: The file is damaged or has not the tables of this version.
    """
    as_of, built_at = horizon(connection)
    today = as_of.astimezone(ZoneInfo(site.timezone)).date()
    scope = Scope(site.site_id, period, today)
    table, start = _TABLES[period.grain]
    use = records(
        connection,
        Use,
        f"select {columns(Use, of='t')} from {table} as t "  # noqa: S608 - ours
        f"where t.site_id = $site and t.{start} = $first",
        scope,
    )
    if not use:
        known = periods_with_data(connection, site, grain=period.grain)
        has = f"it has {known[0].key} to {known[-1].key}" if known else "it has none yet"
        raise ReportError(f"there are no figures of {site.site_id} in {period.key}: {has}")
    days = records(
        connection,
        Day,
        f"select {columns(Day, of='t')} from mart_site_energy as t "  # noqa: S608 - ours
        "where t.site_id = $site and t.local_day between $first and $last order by t.local_day",
        scope,
    )
    return Figures(
        site=site,
        period=period,
        as_of=as_of,
        built_at=built_at,
        is_running=period.last >= today,
        use=use[0],
        comparison=_comparison(connection, scope),
        days=days,
        hours=records(connection, Hour, _HOURS, scope),
        tree=tree(connection, scope),
        peak_shares=records(
            connection, PeakShare, _PEAK_SHARES.format(table=table, start=start), scope
        ),
        flows=flows(connection, scope),
        batteries=batteries(connection, scope),
        ups=ups(connection, scope),
        valves=valves(connection, scope),
        quality=quality(connection, scope),
        coverage=coverage(connection, scope),
        instruments=instruments(connection, scope),
        restatements=restatements(connection, scope),
        streams=streams(connection, scope),
        unconfirmed=unconfirmed(connection, scope),
        entries=tuple(entries),
    )


def _comparison(connection: duckdb.DuckDBPyConnection, scope: Scope) -> Comparison | None:
    given = {name: scope.parameters[name] for name in ("site", "grain", "first")}
    row = connection.execute(_COMPARISON, given).fetchone()
    if row is None:
        return None
    return Comparison(
        previous=_compared(*row[:6]),
        last_year=_compared(*row[6:12]),
        year_months=row[12],
        year_use_kwh=row[13],
        eui_kwh_per_m2=row[14],
    )


def _compared(
    start: date | None,
    use: float | None,
    status: str | None,
    comparison: str | None,
    change: float | None,
    share: float | None,
) -> Compared:
    return Compared(
        start=start,
        use_kwh=use,
        status=status,
        comparison=comparison or "no_data",
        change_kwh=change,
        change_share=share,
    )
