with sites as (

    select * from {{ source("portfolio", "sites") }}

)

select
    site_id,
    name as site_name,
    timezone,
    country,
    floor_area_m2,
    holidays
from sites
order by site_id
