with streams as (

    select * from {{ source("ledger", "delivery") }}

)

select
    stream_id,
    site_id,
    kind,
    interval_s,
    last_sent_at,
    last_acknowledged_at,
    packets_acknowledged,
    packets_refused,
    behind_since,
    lag_s,
    held_back_wh,
    blocked,
    reason
from streams
order by stream_id
