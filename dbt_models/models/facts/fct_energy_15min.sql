{{ config(period="local_day") }}
-- depends_on: {{ ref("stg_touched_periods") }}

-- A step back that restores the total after a spike spoils the buckets of both steps.
with takebacks as (
    select
        takeback.point_id,
        coalesce(spike.start_at, takeback.start_at) as start_at,
        takeback.end_at
    from {{ ref("stg_energy_deltas") }} as takeback
    left join {{ ref("stg_energy_deltas") }} as spike
        on
            takeback.point_id = spike.point_id
            and takeback.start_at = spike.end_at
            and spike.end_at - spike.start_at <= interval 1 day
    where takeback.status = 'takeback'
),

spoiled as (
    select distinct
        point_id,
        unnest(
            generate_series(
                time_bucket(interval 15 minutes, start_at),
                time_bucket(interval 15 minutes, end_at),
                interval 15 minutes
            )
        ) as interval_start
    from takebacks
),

buckets as (
    select
        points.point_id,
        points.site_id,
        points.last_end_at,
        points.final_before,
        calendar.timezone,
        calendar.interval_start,
        calendar.local_start,
        calendar.local_day,
        {{ exact_sum("coalesce(intervals.energy_wh, 0)") }} as energy_wh,
        {{ exact_sum("coalesce(intervals.estimated_wh, 0)") }} as estimated_wh,
        {{ exact_sum("coalesce(intervals.covered_s, 0)") }} as covered_s,
        min(intervals.method) as method
    from {{ ref("stg_energy_intervals") }} as intervals
    inner join {{ ref("stg_points") }} as points using (point_id)
    inner join {{ ref("stg_calendar") }} as calendar
        on
            points.timezone = calendar.timezone
            and intervals.interval_start = calendar.interval_start
    group by all
)

select
    point_id,
    site_id,
    timezone,
    interval_start,
    local_start,
    local_day,
    energy_wh,
    energy_wh / 1000 as energy_kwh,
    estimated_wh,
    {{ share("estimated_wh", "energy_wh") }} as estimated_share,
    covered_s,
    900.0::double as expected_s,
    spoiled.point_id is not null as is_takeback,
    method,
    {{ period_status("interval_start + interval 15 minutes") }} as status,
    status in ('closed', 'final') as is_closed,
    status = 'final' as is_final
from buckets
left join spoiled using (point_id, interval_start)
order by interval_start, point_id
