{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_day",
    scope="site_id"
) }}

-- A device with a register of heat or cold and the temperatures of its circuit is a valve here.
-- Between two readings, not more than two hours apart, temperatures and flow are on a line.
with points as (

    select * from {{ ref("int_points") }}
    where site_id in (select site_id from {{ ref("stg_build__affected_points") }})

),

dim_devices as (

    select * from {{ ref("dim_device") }}

),

readings as (

    select * from {{ ref("int_device_readings") }}
    where
        quantity in (
            'temperature_difference', 'supply_temperature', 'return_temperature', 'volume_flow',
            'valve_position'
        )

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

registers as (

    select
        points.device_id,
        points.point_id
    from points
    where
        points.quantity in ('heating_energy', 'cooling_energy')
        and points.kind = 'register'
        and points.device_id in (
            select circuit.device_id
            from points as circuit
            where
                circuit.kind = 'gauge'
                and circuit.quantity in ('temperature_difference', 'supply_temperature')
        )

),

days as (

    {{ days_of_devices("points.point_id in (select registers.point_id from registers)") }}

),

measured as (

    select
        device_id,
        "at",
        abs(value) as delta_t
    from readings
    where quantity = 'temperature_difference'

),

-- Two sensors of one device that are read at the same instant make a difference.
computed as (

    select
        supply.device_id,
        supply."at",
        abs(supply.value - back.value) as delta_t
    from readings as supply
    inner join readings as back
        on
            supply.device_id = back.device_id
            and supply."at" = back."at"
            and back.quantity = 'return_temperature'
    where
        supply.quantity = 'supply_temperature'
        and supply.device_id not in (select measured.device_id from measured)

),

differences as (

    select * from measured
    union all by name
    select * from computed

),

moving as (

    select * from readings
    where quantity in ('volume_flow', 'valve_position')

),

in_order as (

    {{ with_neighbours("moving") }}

),

flows as (

    select * from in_order
    where quantity = 'volume_flow' and {{ is_known_line("in_order") }}

),

-- The flow at the instant of each difference, and what both carry.
carried as (

    select
        differences.device_id,
        differences."at",
        differences.delta_t,
        case
            when differences."at" <= flows.next_at
                then differences.delta_t * abs({{ on_the_line(
                    "flows.value", "flows.next_value", "flows", 'differences."at"'
                ) }})
        end as flow_delta_t
    from differences
    asof left join flows
        on
            differences.device_id = flows.device_id
            and differences."at" >= flows."at"

),

lines as (

    select
        *,
        lead("at") over in_order as next_at,
        lead(delta_t) over in_order as next_delta_t,
        lead(flow_delta_t) over in_order as next_flow_delta_t
    from carried
    window in_order as (partition by device_id order by "at")

),

cut as (

    select
        lines.*,
        unnest(
            generate_series(
                time_bucket(interval 15 minutes, lines."at"),
                time_bucket(interval 15 minutes, lines.next_at - interval 1 microsecond),
                interval 15 minutes
            )
        ) as interval_start
    from lines
    where {{ is_known_line("lines") }}

),

pieces as (

    select
        cut.*,
        greatest(cut."at", cut.interval_start) as from_at,
        least(cut.next_at, cut.interval_start + interval 15 minutes) as to_at,
        {{ seconds_between("from_at", "to_at") }} as held_s,
        {{ on_the_line("cut.delta_t", "cut.next_delta_t", "cut", "from_at") }} as from_delta_t,
        {{ on_the_line("cut.delta_t", "cut.next_delta_t", "cut", "to_at") }} as to_delta_t,
        {{ on_the_line("cut.flow_delta_t", "cut.next_flow_delta_t", "cut", "from_at") }}
            as from_flow_delta_t,
        {{ on_the_line("cut.flow_delta_t", "cut.next_flow_delta_t", "cut", "to_at") }}
            as to_flow_delta_t,
        dim_devices.design_delta_t_k as design
    from cut
    inner join dim_devices using (device_id)

),

circuits as (

    select
        device_id,
        interval_start,
        {{ exact_sum("(from_delta_t + to_delta_t) / 2 * held_s") }} as delta_t_s,
        {{ exact_sum(
            "case when greatest(from_delta_t, to_delta_t) < design then held_s "
            ~ "when least(from_delta_t, to_delta_t) >= design then 0 "
            ~ "else held_s * (design - least(from_delta_t, to_delta_t)) "
            ~ "/ abs(to_delta_t - from_delta_t) end"
        ) }} as below_design_s,
        {{ exact_sum("(from_flow_delta_t + to_flow_delta_t) / 2 * held_s / 3600 * "
            ~ water_wh_per_m3_k()) }} as flow_wh,
        {{ exact_sum("held_s", where="from_flow_delta_t is not null") }} as flow_held_s,
        {{ exact_sum("held_s") }} as held_s
    from pieces
    group by all

),

energies as (

    select
        registers.device_id,
        quarter_hours.local_day,
        quarter_hours.interval_start,
        {{ exact_sum("quarter_hours.energy_wh") }} as energy_wh,
        bool_and(quarter_hours.covered_s >= 0.99 * quarter_hours.expected_s) as is_covered
    from quarter_hours
    inner join registers using (point_id)
    group by all

),

-- What the circuit shows of a quarter-hour speaks for the energy of all of it, from 90 % on.
weighed as (

    select
        energies.device_id,
        energies.local_day,
        {{ exact_sum("greatest(energies.energy_wh, 0)") }} as energy_with_delta_t_wh,
        {{ exact_sum("greatest(energies.energy_wh, 0) * circuits.delta_t_s / circuits.held_s") }}
            as energy_delta_t,
        {{ exact_sum(
            "greatest(energies.energy_wh, 0) * circuits.below_design_s / circuits.held_s"
        ) }} as below_design_wh,
        {{ exact_sum("energies.energy_wh", where="circuits.flow_held_s >= 810") }}
            as energy_with_flow_wh,
        {{ exact_sum(
            "circuits.flow_wh * 900 / circuits.flow_held_s", where="circuits.flow_held_s >= 810"
        ) }} as energy_from_flow_wh,
        {{ exact_sum("circuits.held_s") }} as covered_s
    from energies
    inner join circuits using (device_id, interval_start)
    where energies.is_covered and circuits.held_s >= 810
    group by all

),

totals as (

    select
        registers.device_id,
        energy_days.local_day,
        {{ exact_sum("energy_days.energy_wh") }} as energy_wh,
        bool_or(energy_days.energy_wh is null) as is_unknown,
        min(energy_days.covered_share) as covered_share,
        {{ least_settled("energy_days.status", "false") }} as status
    from energy_days
    inner join registers using (point_id)
    group by all

),

positions as (

    select
        *,
        sign(value - value_before) as direction
    from in_order
    where quantity = 'valve_position'

),

-- A move of less than 1 % is the last digit of the display.
moves as (

    select
        device_id,
        timezone,
        "at",
        direction <> lag(direction) over (partition by device_id order by "at") as is_reversal
    from positions
    where abs(value - value_before) >= 1

),

reversals as (

    select
        moves.device_id,
        affected_periods.period_start as local_day,
        count(*) as position_reversals
    from moves
    inner join affected_periods
        on
            affected_periods.grain = 'day'
            and moves.timezone = affected_periods.timezone
            and moves."at" >= affected_periods.starts_at
            and moves."at" < affected_periods.ends_at
    where moves.is_reversal
    group by all

),

openings as (

    select
        positions.device_id,
        affected_periods.period_start as local_day,
        coalesce({{ exact_sum(held_in_day("positions"), where="positions.value >= 95") }}, 0)
            as saturated_s,
        {{ exact_sum(held_in_day("positions")) }} as position_covered_s
    from positions
    inner join affected_periods
        on
            affected_periods.grain = 'day'
            and positions.timezone = affected_periods.timezone
            and positions."at" < affected_periods.ends_at
            and positions.holds_until > affected_periods.starts_at
    group by all

)

select
    days.device_id,
    days.site_id,
    days.timezone,
    days.local_day,
    case when not totals.is_unknown then totals.energy_wh end as energy_wh,
    weighed.energy_with_delta_t_wh,
    {{ share("weighed.energy_delta_t", "weighed.energy_with_delta_t_wh") }}
        as energy_weighted_delta_t_k,
    dim_devices.design_delta_t_k,
    case
        when dim_devices.design_delta_t_k is not null
            then {{ share("weighed.below_design_wh", "weighed.energy_with_delta_t_wh") }}
    end as below_design_share,
    weighed.energy_with_flow_wh,
    weighed.energy_from_flow_wh,
    {{ share("weighed.energy_from_flow_wh", "weighed.energy_with_flow_wh") }} as flow_energy_ratio,
    openings.saturated_s,
    case when openings.position_covered_s > 0 then coalesce(reversals.position_reversals, 0) end
        as position_reversals,
    position_reversals / (openings.position_covered_s / 3600) as reversals_per_hour,
    openings.position_covered_s,
    coalesce(weighed.covered_s, 0) as covered_s,
    days.expected_s,
    coalesce(weighed.covered_s, 0) / days.expected_s as covered_share,
    days.unconfirmed_points,
    {{ device_day_status("days", "weighed.covered_s / days.expected_s", "totals.status") }}
        as status,
    status = 'final' as is_final
from days
left join dim_devices using (device_id)
left join totals using (device_id, local_day)
left join weighed using (device_id, local_day)
left join openings using (device_id, local_day)
left join reversals using (device_id, local_day)
order by days.local_day, days.device_id
