{{ config(period="local_month", grain="month") }}

with days as (

    select
        point_id,
        timezone,
        local_day,
        unit,
        consumption as amount,
        estimated_consumption as estimated,
        refused,
        covered_s,
        status,
        method
    from {{ ref("fct_consumption_daily") }}
    where {{ in_affected(
        "cast(date_trunc('month', local_day) as date)", grain="month", day="local_day"
    ) }}

),

points as (

    select * from {{ ref("int_affected_points") }}

),

affected_periods as (

    select * from {{ ref("stg_build__affected_periods") }}

),

{{ amounts_by_period("month", carried=["unit"]) }}

select
    point_id,
    site_id,
    timezone,
    local_month,
    quantity,
    unit,
    amount as consumption,
    estimated as estimated_consumption,
    estimated_share,
    refused,
    covered_s,
    expected_s,
    covered_share,
    days,
    method,
    status,
    is_closed,
    is_final
from figures
order by local_month, point_id
