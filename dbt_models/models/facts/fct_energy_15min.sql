{{ config(period="local_day") }}
-- depends_on: {{ ref("stg_touched_periods") }}

-- A step back that restores the total after a spike spoils the buckets of both steps.
with reversals as (
    select
        reversal.point_id,
        coalesce(spike.start_at, reversal.start_at) as start_at,
        reversal.end_at
    from {{ ref("stg_energy_deltas") }} as reversal
    left join {{ ref("stg_energy_deltas") }} as spike
        on
            reversal.point_id = spike.point_id
            and reversal.start_at = spike.end_at
            and spike.end_at - spike.start_at <= interval 1 day
    where reversal.status = 'spike_reversal'
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
    from reversals
),

buckets as (
    select
        point_id,
        interval_start,
        {{ exact_sum("coalesce(energy_wh, 0)") }} as energy_wh,
        {{ exact_sum("coalesce(estimated_wh, 0)") }} as estimated_wh,
        {{ exact_sum("refused_wh") }} as refused_wh,
        bool_or(refused_wh <> 0) as is_disputed,
        {{ exact_sum("coalesce(covered_s, 0)") }} as covered_s,
        {{ one_method() }} as method
    from {{ ref("stg_energy_intervals") }}
    group by point_id, interval_start
)

select
    buckets.point_id,
    points.site_id,
    calendar.timezone,
    buckets.interval_start,
    calendar.local_start,
    calendar.local_day,
    buckets.energy_wh,
    buckets.energy_wh / 1000 as energy_kwh,
    buckets.estimated_wh,
    {{ share("buckets.estimated_wh", "buckets.energy_wh") }} as estimated_share,
    buckets.refused_wh,
    buckets.refused_wh / 1000 as refused_kwh,
    buckets.covered_s,
    900.0::double as expected_s,
    spoiled.point_id is not null as is_spike_reversal,
    buckets.method,
    {{ period_status(
        "buckets.interval_start + interval 15 minutes",
        "points.last_end_at",
        "points.final_before",
        "buckets.is_disputed"
    ) }} as status,
    points.last_end_at >= buckets.interval_start + interval 15 minutes as is_closed,
    status = 'final' as is_final
from buckets
inner join {{ ref("stg_points") }} as points using (point_id)
inner join {{ ref("stg_calendar") }} as calendar
    on
        points.timezone = calendar.timezone
        and buckets.interval_start = calendar.interval_start
left join spoiled
    on
        buckets.point_id = spoiled.point_id
        and buckets.interval_start = spoiled.interval_start
order by buckets.interval_start, buckets.point_id
