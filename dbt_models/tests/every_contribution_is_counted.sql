-- What the day files contribute to the buckets of the touched days is what the facts hold: nothing
-- lost, nothing twice.
with contributed as (
    select points.point_id, {{ exact_sum("intervals.energy_wh") }} as energy_wh
    from {{ ref("stg_energy_intervals") }} as intervals
    inner join {{ ref("stg_points") }} as points using (point_id)
    inner join {{ ref("stg_calendar") }} as calendar
        on
            points.timezone = calendar.timezone
            and intervals.interval_start = calendar.interval_start
    group by all
),

held as (
    select point_id, {{ exact_sum("energy_wh") }} as energy_wh
    from {{ ref("fct_energy_15min") }}
    where {{ in_touched("local_day") }}
    group by all
)

select
    point_id,
    contributed.energy_wh as contributed_wh,
    held.energy_wh as held_wh
from contributed
full join held using (point_id)
where
    not coalesce(
        abs(contributed.energy_wh - held.energy_wh)
        <= 1e-9 * greatest(1e3, abs(contributed.energy_wh)),
        contributed.energy_wh is null and coalesce(held.energy_wh, 0) = 0
    )
