with devices as (

    select * from {{ source("portfolio", "devices") }}

),

points as (

    select * from {{ source("portfolio", "points") }}

)

select
    devices.device_id,
    devices.vendor,
    devices.serial,
    devices.device_name,
    devices.device_type,
    devices.site_id,
    devices.carrier,
    devices.role,
    count(points.point_id) as points
from devices
left join points using (device_id)
group by all
order by devices.device_id
