{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_day",
    scope="site_id"
) }}

-- A device with a load rate is taken for a UPS. Its load rate holds from reading to reading, and
-- percentiles are by time: what was exceeded for 5 % of the time known.
with points as (

    select * from {{ ref("int_points") }}
    where site_id in (select site_id from {{ ref("stg_build__affected_points") }})

),

readings as (

    select * from {{ ref("int_device_readings") }}
    where quantity = 'load_rate'

),

energy_days as (

    select * from {{ ref("fct_energy_daily") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

consumption_days as (

    select * from {{ ref("fct_consumption_daily") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

affected_periods as (

    select * from {{ ref("stg_build__affected_periods") }}

),

days as (

    {{ days_of_devices("points.quantity = 'load_rate' and points.kind = 'gauge'") }}

),

in_order as (

    {{ with_neighbours("readings") }}

),

held as (

    select
        in_order.device_id,
        affected_periods.period_start as local_day,
        in_order.value,
        {{ held_in_day("in_order") }} as held_s
    from in_order
    inner join affected_periods
        on
            affected_periods.grain = 'day'
            and in_order.timezone = affected_periods.timezone
            and in_order."at" < affected_periods.ends_at
            and in_order.holds_until > affected_periods.starts_at

),

ranked as (

    select
        *,
        sum(held_s) over (
            partition by device_id, local_day order by value rows unbounded preceding
        ) as up_to_s,
        sum(held_s) over (partition by device_id, local_day) as known_s
    from held

),

loads as (

    select
        device_id,
        local_day,
        {{ exact_sum("value * held_s") }} / {{ exact_sum("held_s") }} as load_rate_mean,
        min(value) filter (where up_to_s >= 0.5 * known_s) as load_rate_p50,
        min(value) filter (where up_to_s >= 0.95 * known_s) as load_rate_p95,
        max(value) as load_rate_max,
        coalesce({{ exact_sum("held_s", where="value >= 100") }}, 0) as overload_s,
        {{ exact_sum("held_s") }} as covered_s
    from ranked
    group by all

),

-- What goes out is its own register of output where there is one, else what it counts as used.
converters as (

    select
        points.device_id,
        points.point_id,
        case
            when points.quantity = 'input_energy' then 'in'
            when
                points.quantity = 'output_energy'
                or not bool_or(points.quantity = 'output_energy') over (
                    partition by points.device_id
                )
                then 'out'
        end as side
    from points
    where
        points.kind = 'register'
        and points.phase = 'total'
        and points.quantity in ('input_energy', 'output_energy', 'active_energy_import')

),

energies as (

    select
        converters.device_id,
        energy_days.local_day,
        {{ exact_sum("energy_days.energy_wh", where="converters.side = 'in'") }} as input_wh,
        {{ exact_sum("energy_days.energy_wh", where="converters.side = 'out'") }} as output_wh,
        min(energy_days.covered_share) as energy_covered_share,
        {{ least_settled("energy_days.status", "false") }} as status
    from converters
    inner join energy_days using (point_id)
    where converters.side is not null
    group by all

),

counts as (

    select
        points.device_id,
        consumption_days.local_day,
        {{ exact_sum("consumption_days.consumption", where="points.quantity = 'overload_count'") }}
            as overload_events,
        {{ exact_sum("consumption_days.consumption", where="points.quantity = 'time_on_battery'") }}
            as time_on_battery_s,
        {{ exact_sum("consumption_days.consumption", where="points.quantity = 'time_on_bypass'") }}
            as time_on_bypass_s
    from points
    inner join consumption_days using (point_id)
    where points.quantity in ('overload_count', 'time_on_battery', 'time_on_bypass')
    group by all

)

select
    days.device_id,
    days.site_id,
    days.timezone,
    days.local_day,
    loads.load_rate_mean,
    loads.load_rate_p50,
    loads.load_rate_p95,
    loads.load_rate_max,
    loads.overload_s,
    counts.overload_events,
    counts.time_on_battery_s,
    counts.time_on_bypass_s,
    energies.input_wh,
    energies.output_wh,
    case
        when energies.energy_covered_share >= 0.99
            then {{ share("energies.output_wh", "energies.input_wh") }}
    end as efficiency,
    coalesce(loads.covered_s, 0) as covered_s,
    days.expected_s,
    coalesce(loads.covered_s, 0) / days.expected_s as covered_share,
    energies.energy_covered_share,
    days.unconfirmed_points,
    {{ device_day_status("days", "loads.covered_s / days.expected_s", "energies.status") }}
        as status,
    status = 'final' as is_final
from days
left join loads using (device_id, local_day)
left join energies using (device_id, local_day)
left join counts using (device_id, local_day)
order by days.local_day, days.device_id
