-- Usable readings of gauges and states with how long each holds: until the next one, at most two
-- hours. Beyond that nobody knows, and longer silences weigh nothing.
with readings as (

    select * from {{ ref("stg_core__readings") }}
    where status = 'ok' and value is not null

),

points as (

    select * from {{ ref("int_affected_points") }}
    where kind in ('gauge', 'state', 'bitfield')

)

select
    readings.point_id,
    points.site_id,
    points.timezone,
    points.kind,
    readings."at",
    readings.interval_start,
    readings.value,
    readings.unit,
    readings.text,
    lag(readings.value) over in_order as value_before,
    lag(readings."at") over in_order as at_before,
    least(
        coalesce(lead(readings."at") over in_order, points.horizon_at),
        readings."at" + interval 2 hours
    ) as holds_until
from readings
inner join points using (point_id)
window in_order as (partition by readings.point_id order by readings."at")
