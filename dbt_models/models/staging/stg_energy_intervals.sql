select
    point_id,
    interval_start,
    energy_wh,
    estimated_wh,
    covered_s,
    method
from {{ source("core", "core_energy_intervals") }}
