{{ config(period="local_day") }}

with quarter_hours as (

    select
        point_id,
        timezone,
        interval_start,
        unit,
        consumption as amount,
        estimated_consumption as estimated,
        refused,
        covered_s,
        status,
        method
    from {{ ref("fct_consumption_15min") }}
    where {{ in_affected("local_day") }}

),

points as (

    select * from {{ ref("int_affected_points") }}

),

calendar as (

    select * from {{ ref("stg_build__calendar") }}

),

{{ amounts_by_hour(carried=["unit"]) }}

select
    point_id,
    site_id,
    timezone,
    hour_start_at,
    local_hour,
    utc_offset_s,
    local_day,
    quantity,
    unit,
    amount as consumption,
    estimated as estimated_consumption,
    estimated_share,
    refused,
    covered_s,
    expected_s,
    method,
    status,
    is_closed,
    is_final
from figures
order by local_day, point_id, hour_start_at
