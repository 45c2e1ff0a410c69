{{ config(period="local_week", grain="week") }}

with days as (

    select
        point_id,
        timezone,
        local_day,
        energy_wh as amount,
        estimated_wh as estimated,
        refused_wh as refused,
        covered_s,
        status,
        method
    from {{ ref("fct_energy_daily") }}
    where {{ in_affected(
        "cast(date_trunc('week', local_day) as date)", grain="week", day="local_day"
    ) }}

),

points as (

    select * from {{ ref("int_affected_points") }}

),

affected_periods as (

    select * from {{ ref("stg_build__affected_periods") }}

),

{{ amounts_by_period("week") }}

select
    point_id,
    site_id,
    timezone,
    local_week,
    amount as energy_wh,
    amount / 1000 as energy_kwh,
    estimated as estimated_wh,
    estimated_share,
    refused as refused_wh,
    refused / 1000 as refused_kwh,
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
