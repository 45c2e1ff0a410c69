-- A reading whose time lies outside its day (zero, the future) is counted on the day it came with.
with readings as (
    select
        *,
        cast(regexp_extract(filename, '(\d{4}-\d{2}-\d{2})\.parquet$', 1) as date)::timestamptz
            as day_start_at
    from {{ source("core", "core_readings") }}
)

select
    point_id,
    "at",
    time_bucket(
        interval 15 minutes,
        case
            when "at" >= day_start_at and "at" < day_start_at + interval 1 day then "at"
            else day_start_at
        end
    ) as interval_start,
    value,
    unit,
    status,
    reason
from readings
