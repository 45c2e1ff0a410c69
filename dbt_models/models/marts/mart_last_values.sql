-- The newest value of each variable of the Socomec devices, whether it is in the portfolio or not.
-- A serial number that two devices share names no point: nobody knows which of them is meant.
with last_values as (

    select * from {{ source("inventories", "raw_socomec__last_values") }}

),

devices as (

    select * from {{ source("inventories", "raw_socomec__devices") }}

),

sites as (

    select * from {{ source("inventories", "raw_socomec__sites") }}

),

customers as (

    select * from {{ source("inventories", "raw_socomec__customers") }}

),

points as (

    select * from {{ ref("dim_point") }}
    where vendor = 'socomec'

),

serials as (

    select serial_number
    from devices
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
    last_values."at" as sampled_at,
    last_values.value,
    last_values.value_text,
    last_values.unit
from last_values
left join devices on last_values.device_uuid = devices.uuid
left join sites on devices.site_uuid = sites.uuid
left join customers on sites.customer_uuid = customers.uuid
left join serials on last_values.serial_number = serials.serial_number
left join points
    on
        serials.serial_number = points.serial
        and points.key
        = last_values.item_type || '|' || last_values.item_index || '|' || last_values.service_id
order by
    last_values.device_uuid,
    last_values.item_type,
    last_values.item_index,
    last_values.service_id
