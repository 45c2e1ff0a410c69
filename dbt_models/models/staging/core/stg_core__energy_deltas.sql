-- Day files of version 0.1.0 lack refused_wh, and stay where a day can not be made again.
with deltas as (

    select * from {{ source("core", "core_energy_deltas") }}
    union all by name
    select * from {{ source("core", "core_virtual_deltas") }}
    union all by name
    select null::double as refused_wh
    where false

)

select
    point_id,
    start_at,
    end_at,
    time_bucket(interval 15 minutes, end_at) as end_interval_start,
    energy_wh,
    coalesce(refused_wh, 0) as refused_wh,
    status,
    estimated,
    method
from deltas
