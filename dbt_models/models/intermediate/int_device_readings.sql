-- Usable readings of the gauges that figures of devices are made of, for every device of an
-- affected site. Their neighbours are looked up in the models, each for the few quantities that it
-- needs: here it would be for all of them. Of several points of a quantity a device shows the
-- first: the total before a phase, then by id.
with readings as (

    select * from {{ ref("stg_core__readings") }}
    where status = 'ok' and value is not null

),

portfolio_points as (

    select * from {{ ref("int_points") }}
    where site_id in (select site_id from {{ ref("stg_build__affected_points") }})

),

points as (

    select * from portfolio_points
    where
        kind = 'gauge'
        and quantity in (
            'temperature_difference', 'supply_temperature', 'return_temperature', 'volume_flow',
            'valve_position', 'load_rate', 'state_of_charge'
        )
    qualify
        row_number() over (
            partition by device_id, quantity order by phase <> 'total', point_id
        ) = 1

)

select
    points.device_id,
    points.site_id,
    points.timezone,
    points.quantity,
    readings."at",
    readings.value,
    points.horizon_at
from readings
inner join points using (point_id)
