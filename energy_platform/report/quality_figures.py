"""Figures of how sure a page is: coverage, what was set right, refused, restated or not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.report.records import (
    Instruments,
    PointCoverage,
    PointQuality,
    Restatement,
    Stream,
    Unconfirmed,
)
from energy_platform.report.rows import Scope, records

if TYPE_CHECKING:
    import duckdb

_POINT_NAME: Final = "points.device_name || ': ' || points.point_name"

_QUALITY: Final = f"""
with days as (

    select
        *,
        abs(coalesce(refused_wh, 0)) + abs(coalesce(refused_consumption, 0)) > 0 as is_refused,
        rejects + resets + rollovers + exchanges + dips + spike_reversals + over_limit_steps
        + gaps + quarantined_samples + corrected_samples > 0 as is_touched
    from fct_quality_daily
    where site_id = $site and local_day between $first and $last

)

select
    days.point_id,
    coalesce(any_value({_POINT_NAME}), days.point_id) as name,
    any_value(points.unit) as unit,
    sum(days.expected_samples)::bigint as expected_samples,
    sum(days.received_samples)::bigint as received_samples,
    sum(days.quarantined_samples)::bigint as quarantined_samples,
    sum(days.corrected_samples)::bigint as corrected_samples,
    sum(days.rejects)::bigint as rejects,
    sum(days.gaps)::bigint as gaps,
    sum(days.resets)::bigint as resets,
    sum(days.rollovers)::bigint as rollovers,
    sum(days.exchanges)::bigint as exchanges,
    sum(days.dips)::bigint as dips,
    sum(days.spike_reversals)::bigint as spike_reversals,
    sum(days.over_limit_steps)::bigint as over_limit_steps,
    sum(days.estimated_steps)::bigint as estimated_steps,
    coalesce(sum(days.refused_wh), 0) as refused_wh,
    coalesce(sum(days.refused_consumption), 0) as refused_consumption,
    count(*) filter (where days.is_refused) as refused_days,
    coalesce(
        max(days.local_day) filter (where days.is_refused),
        max(days.local_day) filter (where days.is_touched)
    ) as explain_day
from days
left join dim_point as points on days.point_id = points.point_id
group by days.point_id
order by days.point_id
"""  # noqa: S608 - names of ours

_COVERAGE: Final = f"""
select
    energy.point_id,
    any_value({_POINT_NAME}) as name,
    any_value(points.vendor) as vendor,
    any_value(points.site_term) as site_term,
    sum(energy.covered_s) / nullif(sum(energy.expected_s), 0) as covered_share,
    coalesce(
        sum(energy.expected_s - coalesce(energy.covered_s, 0))
            filter (where energy.local_day < $today),
        0
    ) as uncovered_s,
    min(energy.local_day) filter (
        where energy.local_day < $today
        and coalesce(energy.covered_s, 0) < 0.99 * energy.expected_s
    ) as first_day,
    max(energy.local_day) filter (
        where energy.local_day < $today
        and coalesce(energy.covered_s, 0) < 0.99 * energy.expected_s
    ) as last_day
from fct_energy_daily as energy
inner join dim_point as points on energy.point_id = points.point_id
where
    energy.site_id = $site
    and energy.local_day between $first and $last
    and points.same_as_point_id is null
group by energy.point_id
order by energy.point_id
"""  # noqa: S608 - names of ours

_INSTRUMENTS: Final = """
select
    point_id,
    other_point_id,
    100 * sum(difference_wh) filter (where verdict in ('agree', 'differ'))
    / nullif(sum(energy_wh) filter (where verdict in ('agree', 'differ')), 0)
        as difference_percent,
    100 * sum(allowed_wh) filter (where verdict in ('agree', 'differ'))
    / nullif(sum(energy_wh) filter (where verdict in ('agree', 'differ')), 0) as allowed_percent,
    count(*) filter (where verdict in ('agree', 'differ')) as judged,
    count(*) filter (where verdict = 'differ') as differ
from mart_instruments
where site_id = $site and local_day between $first and $last
group by point_id, other_point_id
order by point_id, other_point_id
"""

_RESTATEMENTS: Final = f"""
select
    restated.scope,
    coalesce({_POINT_NAME}, sites.site_name, restated.scope_id) as scope_name,
    restated.figure, restated.grain, restated.period_start, restated.unit,
    restated.old_value, restated.new_value, restated.restated_at, restated.why
from mart_restatements as restated
left join dim_point as points
    on restated.scope = 'point' and restated.scope_id = points.point_id
left join dim_site as sites on restated.scope = 'site' and restated.scope_id = sites.site_id
where
    restated.site_id = $site
    and restated.period_start between $first and $last
    and restated.grain in ('day', $grain)
order by restated.restated_at desc, restated.scope desc, restated.scope_id, restated.period_start
"""  # noqa: S608 - names of ours

_STREAMS: Final = """
select stream_id, packets_refused, behind_since, blocked, reason
from mart_delivery
where site_id = $site and (blocked or packets_refused > 0)
order by stream_id
"""

_UNCONFIRMED: Final = f"""
select distinct points.point_id, {_POINT_NAME} as name
from dim_point as points
inner join fct_energy_daily as energy on points.point_id = energy.point_id
where
    points.site_id = $site
    and points.site_term is not null
    and not points.is_confirmed
    and energy.local_day between $first and $last
order by points.point_id
"""  # noqa: S608 - names of ours


def quality(connection: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[PointQuality, ...]:
    """Return what came of each point and what was set right."""
    return records(connection, PointQuality, _QUALITY, scope)


def coverage(connection: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[PointCoverage, ...]:
    """Return how much of the period each energy point is known for, second instruments left out."""
    return records(connection, PointCoverage, _COVERAGE, scope)


def instruments(connection: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[Instruments, ...]:
    """Return how far instruments of one load are apart."""
    return records(connection, Instruments, _INSTRUMENTS, scope)


def restatements(connection: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[Restatement, ...]:
    """Return what was published as final for these days and changed afterwards, newest first."""
    return records(connection, Restatement, _RESTATEMENTS, scope)


def streams(connection: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[Stream, ...]:
    """Return the site's streams that are not through."""
    return records(connection, Stream, _STREAMS, scope)


def unconfirmed(connection: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[Unconfirmed, ...]:
    """Return the points that count for the site as guesses of ``discover``."""
    return records(connection, Unconfirmed, _UNCONFIRMED, scope)
