{{ config(period="local_day") }}
-- depends_on: {{ ref("stg_build__affected_points") }}

-- How long each state stood, and how often it was entered: one row per value that a day saw.
with held_readings as (

    select * from {{ ref("int_held_readings") }}
    where kind in ('state', 'bitfield')

),

held_pieces as (

    select * from {{ ref("int_held_pieces") }}
    where kind in ('state', 'bitfield')

),

points as (

    select * from {{ ref("int_affected_points") }}

),

calendar as (

    select * from {{ ref("stg_build__calendar") }}

),

affected_periods as (

    select * from {{ ref("stg_build__affected_periods") }}

),

stood as (

    select
        point_id,
        local_day,
        value,
        min(text) as text,
        {{ exact_sum("held_s") }} as duration_s
    from held_pieces
    group by point_id, local_day, value

),

entered as (

    select
        readings.point_id,
        calendar.local_day,
        readings.value,
        min(readings.text) as text,
        count(*) as samples,
        -- A change is one that two readings within a day show.
        count(*) filter (
            where
            readings.value <> readings.value_before
            and readings."at" - readings.at_before <= interval 1 day
        ) as times_entered
    from held_readings as readings
    inner join calendar
        on
            readings.timezone = calendar.timezone
            and readings.interval_start = calendar.interval_start
    group by all

),

days as (

    select
        point_id,
        local_day,
        value,
        coalesce(entered.text, stood.text) as text,
        coalesce(stood.duration_s, 0) as duration_s,
        coalesce(entered.samples, 0) as samples,
        coalesce(entered.times_entered, 0) as times_entered
    from stood
    full join entered using (point_id, local_day, value)

)

select
    days.point_id,
    points.site_id,
    points.timezone,
    days.local_day,
    days.value as state_value,
    days.text as state_text,
    days.samples,
    days.times_entered,
    days.duration_s,
    affected_periods.expected_s
from days
inner join points using (point_id)
inner join affected_periods
    on
        affected_periods.grain = 'day'
        and points.timezone = affected_periods.timezone
        and days.local_day = affected_periods.period_start
order by days.local_day, days.point_id, days.value
