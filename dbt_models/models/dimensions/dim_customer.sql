-- Who a site belongs to, as the Socomec account says it. Sites of the portfolio are a reader's own
-- cut; devices and their serial numbers are what both have in common.
with devices as (
    select
        sites.customer_uuid,
        count(distinct devices.uuid) as devices
    from {{ source("inventories", "raw_socomec__sites") }} as sites
    inner join {{ source("inventories", "raw_socomec__devices") }} as devices
        on devices.site_uuid = sites.uuid
    group by sites.customer_uuid
)

select
    customers.uuid as customer_uuid,
    customers.name as customer_name,
    customers.ca_uuid as corporate_account_uuid,
    customers.sites_quantity,
    coalesce(devices.devices, 0) as devices
from {{ source("inventories", "raw_socomec__customers") }} as customers
left join devices on devices.customer_uuid = customers.uuid
order by customers.uuid
