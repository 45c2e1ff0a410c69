select
    site_id,
    name as site_name,
    timezone,
    country
from {{ prepared("sites") }}
order by site_id
