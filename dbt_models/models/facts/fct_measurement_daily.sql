{{ config(period="local_day") }}

-- From the hours: the squares about a day's mean are those about the hours' means plus those of the
-- hours' means about the day's.
with hours as (

    select * from {{ ref("fct_measurement_hourly") }}
    where {{ in_touched("local_day") }}

),

days as (

    select
        point_id,
        site_id,
        timezone,
        local_day,
        min(unit) as unit,
        cast(sum(samples) as bigint) as samples,
        min(min_value) as min_value,
        max(max_value) as max_value,
        {{ exact_sum("sum_value") }} as sum_value,
        {{ exact_sum("time_weighted_avg_value * held_s") }} as value_s,
        {{ exact_sum("held_s") }} as held_s
    from hours
    group by all

),

spread as (

    select
        hours.point_id,
        hours.local_day,
        {{ exact_sum(
            "coalesce(hours.var_value * (hours.samples - 1), 0)"
            ~ " + hours.samples * power(hours.avg_value - days.sum_value / days.samples, 2)"
        ) }} as squares
    from hours
    inner join days using (point_id, local_day)
    where hours.samples > 0
    group by all

)

select
    days.point_id,
    days.site_id,
    days.timezone,
    days.local_day,
    days.unit,
    days.samples,
    {{ share("days.sum_value", "days.samples") }} as avg_value,
    days.min_value,
    days.max_value,
    days.sum_value,
    case when days.samples > 1 then spread.squares / (days.samples - 1) end as var_value,
    sqrt(var_value) as stdev_value,
    {{ share("days.value_s", "days.held_s") }} as time_weighted_avg_value,
    days.held_s
from days
left join spread using (point_id, local_day)
order by days.local_day, days.point_id
