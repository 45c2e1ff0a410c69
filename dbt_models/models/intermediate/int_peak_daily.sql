{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_day",
    scope="site_id"
) }}

-- The peaks of each local day, of which mart_peak_demand makes those of the month, so that a day
-- more costs a day and not the month. Buckets of a spike are left to the month: their demand is a
-- mean that may reach over days.
with quarter_hours as (

    select * from {{ ref("fct_energy_15min") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

points as (

    select * from {{ ref("int_points") }}

),

dim_points as (

    select * from {{ ref("dim_point") }}

),

buckets as (

    select
        point_id,
        site_id,
        timezone,
        local_day,
        interval_start,
        local_start,
        energy_wh,
        is_spike_reversal,
        coalesce(estimated_wh, 0) <> 0 as is_estimated
    from quarter_hours

),

{{ peaks_by_day(spikes=false) }}

select
    scope,
    scope_id,
    site_id,
    timezone,
    local_day,
    peak_wh,
    highest_wh,
    peak_at,
    peak_local_start,
    peak_is_estimated,
    buckets_counted,
    buckets
from peaks
order by local_day, scope, scope_id
