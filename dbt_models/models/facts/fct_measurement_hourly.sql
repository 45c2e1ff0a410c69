{{ config(period="local_day") }}
-- depends_on: {{ ref("stg_touched_periods") }}

-- A reading holds until the next one, at most two hours: longer silences weigh nothing in the
-- time-weighted average. An hour without a reading has a row where an earlier one holds into it.
with readings as (
    select
        readings.point_id,
        calendar.hour_start_at,
        readings.value,
        readings.unit
    from {{ ref("stg_held_readings") }} as readings
    inner join {{ ref("stg_calendar") }} as calendar
        on
            readings.timezone = calendar.timezone
            and readings.interval_start = calendar.interval_start
    where readings.kind = 'gauge'
),

sampled as (
    select
        point_id,
        hour_start_at,
        min(unit) as unit,
        count(*) as samples,
        min(value) as min_value,
        max(value) as max_value,
        {{ exact_sum("value") }} as sum_value
    from readings
    group by point_id, hour_start_at
),

spread as (
    select
        point_id,
        hour_start_at,
        {{ exact_sum(
            "power(readings.value - sampled.sum_value / sampled.samples, 2)"
        ) }} as squares
    from readings
    inner join sampled using (point_id, hour_start_at)
    group by point_id, hour_start_at
),

pieces as ({{ held_pieces("'gauge'") }}),

weighed as (
    select
        point_id,
        hour_start_at,
        min(unit) as unit,
        {{ exact_sum("value * held_s") }} as value_s,
        {{ exact_sum("held_s") }} as held_s
    from pieces
    group by point_id, hour_start_at
),

hours as (
    select distinct timezone, hour_start_at, local_hour, utc_offset_s, local_day
    from {{ ref("stg_calendar") }}
),

figures as (
    select
        point_id,
        hour_start_at,
        coalesce(sampled.unit, weighed.unit) as unit,
        coalesce(sampled.samples, 0) as samples,
        sampled.sum_value / sampled.samples as avg_value,
        sampled.min_value,
        sampled.max_value,
        sampled.sum_value,
        case when sampled.samples > 1 then spread.squares / (sampled.samples - 1) end as var_value,
        {{ share("weighed.value_s", "weighed.held_s") }} as time_weighted_avg_value,
        coalesce(weighed.held_s, 0) as held_s
    from sampled
    full join weighed using (point_id, hour_start_at)
    left join spread using (point_id, hour_start_at)
)

select
    figures.point_id,
    points.site_id,
    points.timezone,
    figures.hour_start_at,
    hours.local_hour,
    hours.utc_offset_s,
    hours.local_day,
    figures.unit,
    figures.samples,
    figures.avg_value,
    figures.min_value,
    figures.max_value,
    figures.sum_value,
    figures.var_value,
    sqrt(figures.var_value) as stdev_value,
    figures.time_weighted_avg_value,
    figures.held_s
from figures
inner join {{ ref("stg_points") }} as points using (point_id)
inner join hours using (timezone, hour_start_at)
order by figures.hour_start_at, figures.point_id
