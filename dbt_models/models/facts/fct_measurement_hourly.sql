{{ config(period="local_day") }}
-- depends_on: {{ ref("stg_build__affected_periods") }}
-- depends_on: {{ ref("stg_build__affected_points") }}

-- A reading holds until the next one, for a limited time: longer silences weigh nothing in the
-- time-weighted average. An hour without a reading has a row where an earlier one holds into it.
with held_readings as (

    select * from {{ ref("int_held_readings") }}
    where kind = 'gauge'

),

held_pieces as (

    select * from {{ ref("int_held_pieces") }}
    where kind = 'gauge'

),

points as (

    select * from {{ ref("int_affected_points") }}

),

calendar as (

    select * from {{ ref("stg_build__calendar") }}

),

readings as (

    select
        held_readings.point_id,
        calendar.hour_start_at,
        held_readings.value,
        held_readings.unit
    from held_readings
    inner join calendar
        on
            held_readings.timezone = calendar.timezone
            and held_readings.interval_start = calendar.interval_start

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

weighed as (

    select
        point_id,
        hour_start_at,
        min(unit) as unit,
        {{ exact_sum("value * held_s") }} as value_s,
        {{ exact_sum("held_s") }} as held_s
    from held_pieces
    group by point_id, hour_start_at

),

hours as (

    select distinct
        timezone,
        hour_start_at,
        local_hour,
        utc_offset_s,
        local_day
    from calendar

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
inner join points using (point_id)
inner join hours using (timezone, hour_start_at)
order by hours.local_day, figures.point_id, figures.hour_start_at
