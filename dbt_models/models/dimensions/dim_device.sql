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
from {{ prepared("devices") }} as devices
left join {{ prepared("points") }} as points using (device_id)
group by all
order by devices.device_id
