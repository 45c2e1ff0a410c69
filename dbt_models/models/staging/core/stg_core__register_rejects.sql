with rejects as (

    select * from {{ source("core", "core_register_rejects") }}

)

select
    point_id,
    "at",
    time_bucket(interval 15 minutes, "at") as interval_start,
    reason
from rejects
