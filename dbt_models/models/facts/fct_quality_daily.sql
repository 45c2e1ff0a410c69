{{ config(period="local_day") }}

-- Points that the portfolio does not know are counted on the UTC day, with no site.
with judged_readings as (

    select * from {{ ref("stg_core__readings") }}

),

energy_deltas as (

    select * from {{ ref("stg_core__energy_deltas") }}

),

consumption_deltas as (

    select * from {{ ref("stg_core__consumption_deltas") }}

),

register_rejects as (

    select * from {{ ref("stg_core__register_rejects") }}

),

points as (

    select * from {{ ref("int_affected_points") }}

),

-- Also those that do not change: who is in none of them is unknown to the portfolio.
known_points as (

    select * from {{ ref("int_points") }}

),

affected_points as (

    select * from {{ ref("stg_build__affected_points") }}

),

calendar as (

    select * from {{ ref("stg_build__calendar") }}

),

affected_periods as (

    select * from {{ ref("stg_build__affected_periods") }}

),

rules as (

    select * from {{ source("build", "rules") }}

),

known as (

    select
        points.point_id,
        points.site_id,
        affected_periods.timezone,
        affected_periods.period_start as local_day,
        {{ seconds_between(
            "greatest(affected_periods.starts_at, points.first_reading_at)",
            "least(affected_periods.ends_at, points.horizon_at)"
        ) }} as known_s,
        case
            when points.every_s > 0
                then greatest(floor(known_s / points.every_s), 0)::bigint
        end as expected_samples
    from points
    inner join affected_periods using (timezone)
    where
        affected_periods.grain = 'day'
        and affected_periods.ends_at > points.first_reading_at
        and affected_periods.starts_at < points.horizon_at

),

zones as (

    select
        affected_points.point_id,
        coalesce(points.timezone, 'UTC') as timezone
    from affected_points
    left join points using (point_id)

),

readings as (

    select
        judged_readings.point_id,
        calendar.timezone,
        calendar.local_day,
        count(*) as received_samples,
        count(*) filter (where judged_readings.status = 'quarantined') as quarantined_samples,
        count(*) filter (
            where
            starts_with(judged_readings.reason, rules.corrected_prefix)
            or judged_readings.reason = rules.dropped_reason
        ) as corrected_samples
    from judged_readings
    inner join zones using (point_id)
    inner join calendar
        on
            {{ zone_of("judged_readings", "zones") }} = calendar.timezone
            and judged_readings.interval_start = calendar.interval_start
    cross join rules
    group by all

),

deltas as (

    select
        point_id,
        end_interval_start,
        status,
        estimated,
        refused_wh,
        0 as refused
    from energy_deltas
    union all
    select
        point_id,
        end_interval_start,
        status,
        estimated,
        0 as refused_wh,
        refused
    from consumption_deltas

),

-- All other steps count nowhere, and they are nearly all.
notable_deltas as (

    select * from deltas
    where status <> 'ok' or estimated or refused_wh <> 0 or refused <> 0

),

steps as (

    select
        deltas.point_id,
        calendar.local_day,
        count(*) filter (where deltas.status = 'gap') as gaps,
        count(*) filter (where deltas.status = 'reset') as resets,
        count(*) filter (where deltas.status = 'rollover') as rollovers,
        count(*) filter (where deltas.status = 'exchange') as exchanges,
        count(*) filter (where deltas.status = 'dip') as dips,
        count(*) filter (where deltas.status = 'spike_reversal') as spike_reversals,
        count(*) filter (where deltas.status = 'over_limit') as over_limit_steps,
        {{ exact_sum("deltas.refused_wh") }} as refused_wh,
        {{ exact_sum("deltas.refused") }} as refused_consumption,
        count(*) filter (where deltas.estimated) as estimated_steps
    from notable_deltas as deltas
    inner join points using (point_id)
    inner join calendar
        on
            {{ zone_of("deltas", "points") }} = calendar.timezone
            and deltas.end_interval_start = calendar.interval_start
    group by all

),

rejected as (

    select
        register_rejects.point_id,
        calendar.local_day,
        count(*) as rejects
    from register_rejects
    inner join points using (point_id)
    inner join calendar
        on
            {{ zone_of("register_rejects", "points") }} = calendar.timezone
            and register_rejects.interval_start = calendar.interval_start
    group by all

),

days as (

    select * from known
    union all by name
    select
        readings.point_id,
        readings.timezone,
        readings.local_day
    from readings
    anti join known_points using (point_id)

)

select
    days.point_id,
    days.site_id,
    days.timezone,
    days.local_day,
    days.expected_samples,
    coalesce(readings.received_samples, 0) as received_samples,
    coalesce(readings.quarantined_samples, 0) as quarantined_samples,
    coalesce(readings.corrected_samples, 0) as corrected_samples,
    coalesce(rejected.rejects, 0) as rejects,
    coalesce(steps.gaps, 0) as gaps,
    coalesce(steps.resets, 0) as resets,
    coalesce(steps.rollovers, 0) as rollovers,
    coalesce(steps.exchanges, 0) as exchanges,
    coalesce(steps.dips, 0) as dips,
    coalesce(steps.spike_reversals, 0) as spike_reversals,
    coalesce(steps.over_limit_steps, 0) as over_limit_steps,
    coalesce(steps.refused_wh, 0) as refused_wh,
    coalesce(steps.refused_consumption, 0) as refused_consumption,
    coalesce(steps.estimated_steps, 0) as estimated_steps
from days
left join readings using (point_id, timezone, local_day)
left join steps using (point_id, local_day)
left join rejected using (point_id, local_day)
order by days.local_day, days.point_id
