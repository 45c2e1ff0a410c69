{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_day",
    scope="site_id"
) }}

-- Energies are those of the points that count for the site. The charge is taken on the line between
-- readings, at the edges of quarter-hours, so that energy and charge are of the same time.
with points as (

    select * from {{ ref("int_points") }}
    where site_id in (select site_id from {{ ref("stg_build__affected_points") }})

),

dim_points as (

    select * from {{ ref("dim_point") }}

),

dim_devices as (

    select * from {{ ref("dim_device") }}

),

readings as (

    select * from {{ ref("int_device_readings") }}
    where quantity = 'state_of_charge'

),

quarter_hours as (

    select * from {{ ref("fct_energy_15min") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

energy_days as (

    select * from {{ ref("fct_energy_daily") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

affected_periods as (

    select * from {{ ref("stg_build__affected_periods") }}

),

batteries as (

    select
        dim_points.device_id,
        dim_points.point_id,
        dim_points.site_term
    from dim_points
    where dim_points.site_term in ('charge', 'discharge')

),

ratings as (

    select
        dim_devices.device_id,
        coalesce(any_value(dim_devices.rated_capacity_wh), max(dim_points.rated_capacity_wh))
            as rated_capacity_wh
    from dim_devices
    inner join dim_points using (device_id)
    group by dim_devices.device_id

),

days as (

    {{ days_of_devices("points.point_id in (select batteries.point_id from batteries)") }}

),

-- A signed power is charge above zero and discharge below; so is a register that fell by noise.
quarters as (

    select
        batteries.device_id,
        quarter_hours.local_day,
        quarter_hours.interval_start,
        {{ exact_sum(
            "case when batteries.site_term = 'charge' then greatest(quarter_hours.energy_wh, 0) "
            ~ "else greatest(-quarter_hours.energy_wh, 0) end"
        ) }} as charge_wh,
        {{ exact_sum(
            "case when batteries.site_term = 'discharge' then greatest(quarter_hours.energy_wh, 0) "
            ~ "else greatest(-quarter_hours.energy_wh, 0) end"
        ) }} as discharge_wh,
        bool_and(quarter_hours.covered_s >= 0.99 * quarter_hours.expected_s) as is_covered
    from quarter_hours
    inner join batteries using (point_id)
    group by all

),

energies as (

    select
        device_id,
        local_day,
        {{ exact_sum("charge_wh") }} as charge_wh,
        {{ exact_sum("discharge_wh") }} as discharge_wh
    from quarters
    group by all

),

coverage as (

    select
        batteries.device_id,
        energy_days.local_day,
        min(energy_days.covered_share) as covered_share,
        bool_or(energy_days.energy_wh is null) as is_unknown,
        {{ least_settled("energy_days.status", "false") }} as status
    from energy_days
    inner join batteries using (point_id)
    group by all

),

in_order as (

    {{ with_neighbours("readings") }}

),

lines as (

    select * from in_order
    where {{ is_known_line("in_order") }}

),

-- Where the charge is known on both edges of a quarter-hour, what it rose by.
edges as (

    select
        quarters.device_id,
        quarters.local_day,
        quarters.charge_wh,
        quarters.discharge_wh,
        quarters.is_covered,
        {{ on_the_line("starts.value", "starts.next_value", "starts", "quarters.interval_start") }}
            as soc_start,
        {{ on_the_line(
            "ends.value", "ends.next_value", "ends", "quarters.interval_start + interval 15 minutes"
        ) }} as soc_end
    from quarters
    asof left join lines as starts
        on
            quarters.device_id = starts.device_id
            and quarters.interval_start >= starts."at"
    asof left join lines as ends
        on
            quarters.device_id = ends.device_id
            and quarters.interval_start + interval 15 minutes >= ends."at"
    where
        quarters.interval_start <= starts.next_at
        and quarters.interval_start + interval 15 minutes <= ends.next_at

),

falls as (

    select
        device_id,
        local_day,
        {{ exact_sum("discharge_wh") }} as wh,
        {{ exact_sum("soc_start - soc_end") }} as percent
    from edges
    where is_covered and discharge_wh > 0 and charge_wh <= 0.01 * discharge_wh
    group by all

),

charge_of_days as (

    select
        days.device_id,
        days.local_day,
        max(
            case
                when lines."at" <= days.starts_at and days.starts_at < lines.next_at
                    then {{ on_the_line(
                        "lines.value", "lines.next_value", "lines", "days.starts_at"
                    ) }}
            end
        ) as soc_start,
        max(
            case
                when lines."at" <= days.ends_at and days.ends_at < lines.next_at
                    then {{ on_the_line(
                        "lines.value", "lines.next_value", "lines", "days.ends_at"
                    ) }}
            end
        ) as soc_end
    from days
    inner join lines
        on
            days.device_id = lines.device_id
            and lines."at" <= days.ends_at
            and lines.next_at >= days.starts_at
    group by all

),

extremes as (

    select
        days.device_id,
        days.local_day,
        min(readings.value) as soc_min,
        max(readings.value) as soc_max
    from days
    inner join readings
        on
            days.device_id = readings.device_id
            and readings."at" >= days.starts_at
            and readings."at" < days.ends_at
    group by all

)

select
    days.device_id,
    days.site_id,
    days.timezone,
    days.local_day,
    case when not coverage.is_unknown then energies.charge_wh end as charge_wh,
    case when not coverage.is_unknown then energies.discharge_wh end as discharge_wh,
    charge_of_days.soc_start,
    charge_of_days.soc_end,
    extremes.soc_min,
    extremes.soc_max,
    falls.wh as falling_wh,
    falls.percent as fallen_percent,
    case when falls.percent >= 10 then falls.wh / falls.percent * 100 end as usable_capacity_wh,
    ratings.rated_capacity_wh,
    case when not coverage.is_unknown then energies.discharge_wh / ratings.rated_capacity_wh end
        as equivalent_cycles,
    coalesce(coverage.covered_share, 0) as covered_share,
    days.unconfirmed_points,
    {{ device_day_status("days", "coverage.covered_share", "coverage.status") }} as status,
    status = 'final' as is_final
from days
left join energies using (device_id, local_day)
left join coverage using (device_id, local_day)
left join falls using (device_id, local_day)
left join charge_of_days using (device_id, local_day)
left join extremes using (device_id, local_day)
left join ratings using (device_id)
order by days.local_day, days.device_id
