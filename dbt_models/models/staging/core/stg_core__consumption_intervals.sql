with intervals as (

    select * from {{ source("core", "core_consumption_intervals") }}

)

select
    point_id,
    interval_start,
    interval_start >= day and interval_start < day + interval 1 day as is_within_file_day,
    quantity,
    unit,
    consumption,
    estimated_consumption,
    refused,
    covered_s,
    method
from intervals
