with calendar as (

    select * from {{ source("build", "calendar") }}

)

select
    timezone,
    interval_start,
    local_start,
    utc_offset_s,
    local_day,
    local_hour,
    hour_start_at,
    hour_expected_s
from calendar
