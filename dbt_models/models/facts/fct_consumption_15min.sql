{{ config(period="local_day") }}
-- depends_on: {{ ref("stg_build__affected_periods") }}
-- depends_on: {{ ref("stg_build__affected_points") }}

-- The steps are looked at twice; kept, they would all be read where few points are rebuilt.
with deltas as not materialized (

    select * from {{ ref("stg_core__consumption_deltas") }}

),

intervals as not materialized (

    select
        point_id,
        interval_start,
        is_within_file_day,
        unit,
        consumption as amount,
        estimated_consumption as estimated,
        refused,
        covered_s,
        method
    from {{ ref("stg_core__consumption_intervals") }}

),

points as (

    select * from {{ ref("int_affected_points") }}

),

calendar as (

    select * from {{ ref("stg_build__calendar") }}

),

{{ amounts_by_15min(carried=["unit"]) }}

select
    point_id,
    site_id,
    timezone,
    interval_start,
    local_start,
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
    is_spike_reversal,
    method,
    status,
    is_closed,
    is_final
from figures
