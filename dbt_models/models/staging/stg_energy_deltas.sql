select
    point_id,
    start_at,
    end_at,
    time_bucket(interval 15 minutes, end_at) as end_interval_start,
    energy_wh,
    status,
    estimated,
    method
from {{ source("core", "core_energy_deltas") }}
