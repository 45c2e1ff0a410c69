{{ config(period="local_day") }}

with quarter_hours as (

    select
        point_id,
        timezone,
        interval_start,
        energy_wh as amount,
        estimated_wh as estimated,
        refused_wh as refused,
        covered_s,
        status,
        method
    from {{ ref("fct_energy_15min") }}
    where {{ in_affected("local_day") }}

),

points as (

    select * from {{ ref("int_affected_points") }}

),

calendar as (

    select * from {{ ref("stg_build__calendar") }}

),

{{ amounts_by_hour() }}

select
    point_id,
    site_id,
    timezone,
    hour_start_at,
    local_hour,
    utc_offset_s,
    local_day,
    amount as energy_wh,
    amount / 1000 as energy_kwh,
    estimated as estimated_wh,
    estimated_share,
    refused as refused_wh,
    refused / 1000 as refused_kwh,
    covered_s,
    expected_s,
    method,
    status,
    is_closed,
    is_final
from figures
order by local_day, point_id, hour_start_at
