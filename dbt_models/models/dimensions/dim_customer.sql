-- Who a site belongs to, as the Socomec account says it. Sites of the portfolio are a reader's own
-- cut; devices and their serial numbers are what both have in common.
with customers as (

    select * from {{ source("inventories", "raw_socomec__customers") }}

),

sites as (

    select * from {{ source("inventories", "raw_socomec__sites") }}

),

devices as (

    select * from {{ source("inventories", "raw_socomec__devices") }}

),

devices_of_customer as (

    select
        sites.customer_uuid,
        count(distinct devices.uuid) as devices
    from sites
    inner join devices on sites.uuid = devices.site_uuid
    group by sites.customer_uuid

)

select
    customers.uuid as customer_uuid,
    customers.name as customer_name,
    customers.ca_uuid as corporate_account_uuid,
    customers.sites_quantity,
    coalesce(devices_of_customer.devices, 0) as devices
from customers
left join devices_of_customer on customers.uuid = devices_of_customer.customer_uuid
order by customers.uuid
