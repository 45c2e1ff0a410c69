-- The newest value of each variable of the Socomec devices, whether it is in the portfolio or not. A
-- serial number that two devices share names no point: nobody knows which of them is meant.
with serials as (
    select serial_number
    from {{ source("inventories", "raw_socomec__devices") }}
    group by serial_number
    having count(*) = 1
)

select
    points.point_id,
    points.site_id,
    last_values.device_uuid,
    last_values.serial_number,
    devices.name as device_name,
    sites.name as vendor_site_name,
    customers.uuid as customer_uuid,
    last_values.item_type,
    last_values.item_index,
    last_values.service_id,
    last_values.title,
    last_values.service_type,
    last_values.at as sampled_at,
    last_values.value,
    last_values.value_text,
    last_values.unit
from {{ source("inventories", "raw_socomec__last_values") }} as last_values
left join {{ source("inventories", "raw_socomec__devices") }} as devices
    on devices.uuid = last_values.device_uuid
left join {{ source("inventories", "raw_socomec__sites") }} as sites
    on sites.uuid = devices.site_uuid
left join {{ source("inventories", "raw_socomec__customers") }} as customers
    on customers.uuid = sites.customer_uuid
left join serials on serials.serial_number = last_values.serial_number
left join {{ ref("dim_point") }} as points
    on points.vendor = 'socomec'
    and points.serial = serials.serial_number
    and points.key
    = last_values.item_type || '|' || last_values.item_index || '|' || last_values.service_id
order by
    last_values.device_uuid,
    last_values.item_type,
    last_values.item_index,
    last_values.service_id
