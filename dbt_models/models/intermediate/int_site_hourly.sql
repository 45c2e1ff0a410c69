{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_day",
    scope="site_id"
) }}

-- The hours of each site: what it used, whether people were in, how warm it was outside. Base load
-- and the context of peaks are made of them, so that a month rests on its hours and not on every
-- quarter-hour of every point.
--
-- Use is known where every electricity point of the day has an hour's figure, and measured where
-- each is covered, and no energy is spread over a long step: what is spread is flat, and would pass
-- for a base load.
with portfolio_points as (

    select * from {{ ref("int_points") }}
    where site_id in (select site_id from {{ ref("stg_build__affected_points") }})

),

dim_points as (

    select * from {{ ref("dim_point") }}

),

affected_periods as (

    select * from {{ ref("stg_build__affected_periods") }}

),

calendar as (

    select * from {{ ref("stg_build__calendar") }}

),

energy as (

    select * from {{ ref("fct_energy_hourly") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

measurements as (

    select * from {{ ref("fct_measurement_hourly") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

occupancy as (

    select * from {{ source("portfolio", "occupancy") }}

),

holidays as (

    select * from {{ source("build", "holidays") }}

),

{{ wanted_site_points("day") }},

site_days as (

    select
        site_id,
        timezone,
        local_day,
        count(*) filter (where carrier = 'electricity') as points_counted,
        min(site_start_at) as starts_at,
        max(horizon_at) as ends_at
    from wanted
    group by site_id, timezone, local_day

),

calendar_hours as (

    select distinct
        timezone,
        hour_start_at,
        local_hour,
        utc_offset_s,
        local_day,
        hour_expected_s as expected_s
    from calendar

),

hours as (

    select
        site_days.site_id,
        site_days.points_counted,
        calendar_hours.*
    from site_days
    inner join calendar_hours using (timezone, local_day)
    where
        calendar_hours.hour_start_at < site_days.ends_at
        and calendar_hours.hour_start_at + to_seconds(calendar_hours.expected_s)
        > site_days.starts_at

),

used as (

    select
        wanted.site_id,
        energy.hour_start_at,
        {{ exact_sum(
            "energy.energy_wh * case when wanted.site_term in ('export', 'charge') then -1 else 1 end"
        ) }} as known_wh,
        count(energy.energy_wh) as points_known,
        bool_and(
            energy.covered_s >= 0.99 * energy.expected_s and coalesce(energy.estimated_wh, 0) = 0
        ) as is_measured
    from energy
    inner join wanted using (point_id, local_day)
    where wanted.carrier = 'electricity'
    group by wanted.site_id, energy.hour_start_at

),

outdoors as (

    select
        measurements.site_id,
        measurements.hour_start_at,
        {{ exact_sum("measurements.time_weighted_avg_value") }}
        / count(measurements.time_weighted_avg_value) as outdoor_temperature
    from measurements
    inner join portfolio_points using (point_id)
    where portfolio_points.quantity = 'outdoor_temperature'
    group by measurements.site_id, measurements.hour_start_at

),

-- An hour is occupied where any part of it is. What goes on after midnight is of the day before.
occupied as (

    select distinct
        hours.site_id,
        hours.hour_start_at
    from hours
    inner join occupancy
        on
            hours.site_id = occupancy.site_id
            and isodow(hours.local_day - cast(occupancy.day_shift as integer)) = occupancy.weekday
            and hour(hours.local_hour) * 60 < occupancy.until_minute
            and hour(hours.local_hour) * 60 + 60 > occupancy.from_minute
    left join holidays
        on
            hours.site_id = holidays.site_id
            and hours.local_day - cast(occupancy.day_shift as integer) = holidays.local_day
    where holidays.site_id is null

),

with_occupancy as (

    select distinct site_id from occupancy

)

select
    hours.site_id,
    hours.timezone,
    hours.hour_start_at,
    hours.local_hour,
    hours.utc_offset_s,
    hours.local_day,
    hours.expected_s,
    case
        when hours.points_counted > 0 and coalesce(used.points_known, 0) = hours.points_counted
            then used.known_wh
    end as use_wh,
    use_wh * 3600 / hours.expected_s as use_w,
    hours.points_counted,
    coalesce(used.points_known, 0) as points_known,
    use_wh is not null and used.is_measured as is_measured,
    case
        when with_occupancy.site_id is not null then occupied.site_id is not null
        else hour(hours.local_hour) >= 6
    end as is_occupied,
    case when with_occupancy.site_id is not null then 'occupancy' else 'nights' end
        as occupancy_basis,
    holidays.name as holiday,
    outdoors.outdoor_temperature
from hours
left join used using (site_id, hour_start_at)
left join outdoors using (site_id, hour_start_at)
left join occupied using (site_id, hour_start_at)
left join with_occupancy using (site_id)
left join holidays using (site_id, local_day)
order by hours.hour_start_at, hours.site_id
