-- A reading whose time lies outside its day (zero, the future) is counted on the day it came with.
with readings as (

    select * from {{ source("core", "core_readings") }}
    union all by name
    select * from {{ source("core", "core_virtual_readings") }}

)

select
    point_id,
    "at",
    time_bucket(
        interval 15 minutes,
        case
            when "at" >= day and "at" < day + interval 1 day then "at"
            else day
        end
    ) as interval_start,
    value,
    unit,
    text,
    status,
    reason
from readings
