{{ config(period="local_day") }}
-- depends_on: {{ ref("stg_touched_periods") }}

-- A reading holds until the next one, at most two hours: longer silences weigh nothing in the
-- time-weighted average. Readings around the touched days are kept for what they hold into.
with readings as (
    select
        readings.point_id,
        points.site_id,
        points.timezone,
        readings."at",
        readings.interval_start,
        calendar.hour_start_at,
        calendar.local_hour,
        calendar.local_day,
        readings.value,
        readings.unit,
        least(
            coalesce(
                lead(readings."at") over (
                    partition by readings.point_id order by readings."at"
                ),
                points.horizon_at
            ),
            readings."at" + interval 2 hours
        ) as holds_until
    from {{ ref("stg_readings") }} as readings
    inner join {{ ref("stg_points") }} as points using (point_id)
    left join {{ ref("stg_calendar") }} as calendar
        on
            points.timezone = calendar.timezone
            and readings.interval_start = calendar.interval_start
    where readings.status = 'ok' and readings.value is not null and points.kind = 'gauge'
),

sampled as (
    select
        point_id,
        hour_start_at,
        any_value(site_id) as site_id,
        any_value(timezone) as timezone,
        any_value(local_hour) as local_hour,
        any_value(local_day) as local_day,
        min(unit) as unit,
        count(*) as samples,
        min(value) as min_value,
        max(value) as max_value,
        {{ exact_sum("value") }} as sum_value
    from readings
    where hour_start_at is not null
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

pieces as (
    select
        point_id,
        timezone,
        "at",
        holds_until,
        value,
        unnest(
            generate_series(
                interval_start,
                time_bucket(interval 15 minutes, holds_until - interval 1 microsecond),
                interval 15 minutes
            )
        ) as interval_start
    from readings
    where holds_until > "at"
),

weighed as (
    select
        pieces.point_id,
        calendar.hour_start_at,
        {{ exact_sum("value * " ~ seconds_between(
            'greatest(pieces."at", pieces.interval_start)',
            "least(pieces.holds_until, pieces.interval_start + interval 15 minutes)"
        )) }} as value_s,
        {{ exact_sum(seconds_between(
            'greatest(pieces."at", pieces.interval_start)',
            "least(pieces.holds_until, pieces.interval_start + interval 15 minutes)"
        )) }} as held_s
    from pieces
    inner join {{ ref("stg_calendar") }} as calendar using (timezone, interval_start)
    group by pieces.point_id, calendar.hour_start_at
)

select
    sampled.point_id,
    sampled.site_id,
    sampled.timezone,
    sampled.hour_start_at,
    sampled.local_hour,
    sampled.local_day,
    sampled.unit,
    sampled.samples,
    sampled.sum_value / sampled.samples as avg_value,
    sampled.min_value,
    sampled.max_value,
    sampled.sum_value,
    case when sampled.samples > 1 then spread.squares / (sampled.samples - 1) end as var_value,
    sqrt(var_value) as stdev_value,
    {{ share("weighed.value_s", "weighed.held_s") }} as time_weighted_avg_value,
    coalesce(weighed.held_s, 0) as held_s
from sampled
inner join spread using (point_id, hour_start_at)
left join weighed using (point_id, hour_start_at)
order by sampled.hour_start_at, sampled.point_id
