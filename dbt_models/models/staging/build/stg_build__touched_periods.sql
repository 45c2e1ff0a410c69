with touched as (

    select * from {{ source("build", "touched") }}

)

select
    grain,
    timezone,
    period_start,
    starts_at,
    ends_at,
    expected_s
from touched
