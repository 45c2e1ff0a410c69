{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_day",
    scope="site_id"
) }}

with portfolio_points as (

    select * from {{ ref("int_points") }}
    where site_id in (select site_id from {{ ref("stg_build__affected_points") }})

),

dim_points as (

    select * from {{ ref("dim_point") }}

),

sites as (

    select * from {{ ref("dim_site") }}

),

affected_periods as (

    select * from {{ ref("stg_build__affected_periods") }}

),

energy as (

    select * from {{ ref("fct_energy_daily") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

hours as (

    select
        *,
        local_day as period_start
    from {{ ref("int_site_hourly") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

peaks as (

    select
        site_id,
        local_day as period_start,
        highest_wh as peak_wh,
        peak_at,
        peak_local_start,
        peak_is_estimated,
        buckets_counted
    from {{ ref("int_peak_daily") }}
    where scope = 'site' and {{ in_affected("local_day", scope="site_id") }}

),

{{ site_energy("day") }}
