with affected as (

    select * from {{ source("build", "affected") }}

)

select
    grain,
    timezone,
    period_start,
    starts_at,
    ends_at,
    expected_s
from affected
