{{ config(period="local_week", grain="week") }}

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

),

points as (

    select * from {{ ref("int_points") }}

),

touched_periods as (

    select * from {{ ref("stg_build__touched_periods") }}

),

{{ amounts_by_period("week", carried=["unit"]) }}

select
    point_id,
    site_id,
    timezone,
    local_week,
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
order by local_week, point_id
