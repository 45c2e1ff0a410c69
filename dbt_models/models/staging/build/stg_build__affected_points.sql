with affected_points as (

    select * from {{ source("build", "affected_points") }}

)

select
    point_id,
    site_id
from affected_points
