with deltas as (

    select * from {{ source("core", "core_consumption_deltas") }}

)

select
    point_id,
    start_at,
    end_at,
    time_bucket(interval 15 minutes, end_at) as end_interval_start,
    quantity,
    unit,
    consumption,
    refused,
    status,
    estimated,
    method
from deltas
