with sites as (

    select * from {{ source("portfolio", "sites") }}

)

select
    site_id,
    name as site_name,
    timezone,
    country
from sites
order by site_id
