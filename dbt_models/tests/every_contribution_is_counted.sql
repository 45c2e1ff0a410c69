-- What the day files contribute to the buckets of the affected days is what the facts hold: nothing
-- lost, nothing twice.
with intervals as (

    select * from {{ ref("stg_core__energy_intervals") }}

),

quarter_hours as (

    select * from {{ ref("fct_energy_15min") }}
    where {{ in_affected("local_day") }}

),

points as (

    select * from {{ ref("int_affected_points") }}

),

calendar as (

    select * from {{ ref("stg_build__calendar") }}

),

contributed as (

    select
        points.point_id,
        {{ exact_sum("intervals.energy_wh") }} as energy_wh
    from intervals
    inner join points using (point_id)
    inner join calendar
        on
            {{ zone_of("intervals", "points") }} = calendar.timezone
            and intervals.interval_start = calendar.interval_start
    group by all

),

held as (

    select
        point_id,
        {{ exact_sum("energy_wh") }} as energy_wh
    from quarter_hours
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
