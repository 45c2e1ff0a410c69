with intervals as (

    select * from {{ source("core", "core_consumption_intervals") }}

)

select
    point_id,
    interval_start,
    quantity,
    unit,
    consumption,
    estimated_consumption,
    refused,
    covered_s,
    method
from intervals
