-- Day files of version 0.1.0 lack refused_wh, and stay where a day can not be made again.
with intervals as (

    select * from {{ source("core", "core_energy_intervals") }}
    union all by name
    select * from {{ source("core", "core_virtual_intervals") }}
    union all by name
    select null::double as refused_wh
    where false

)

select
    point_id,
    interval_start,
    interval_start >= day and interval_start < day + interval 1 day as is_within_file_day,
    energy_wh,
    estimated_wh,
    coalesce(refused_wh, 0) as refused_wh,
    covered_s,
    method
from intervals
