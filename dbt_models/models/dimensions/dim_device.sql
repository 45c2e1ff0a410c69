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
    devices.peak_power_w,
    devices.rated_capacity_wh,
    devices.design_delta_t_k,
    count(points.point_id) as points
from devices
left join points using (device_id)
group by all
order by devices.device_id
