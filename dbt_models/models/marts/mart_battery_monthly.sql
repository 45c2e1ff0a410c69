{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_month",
    grain="month",
    scope="site_id"
) }}

with days as (

    select * from {{ ref("mart_battery_daily") }}
    where {{ in_affected(
        "cast(date_trunc('month', local_day) as date)",
        grain="month",
        day="local_day",
        scope="site_id"
    ) }}

),

points as (

    select * from {{ ref("int_points") }}
    where site_id in (select site_id from {{ ref("stg_build__affected_points") }})

),

affected_periods as (

    select * from {{ ref("stg_build__affected_periods") }}

),

reach as (

    select
        device_id,
        min(final_before) as final_before
    from points
    group by device_id

),

numbered as (

    select
        *,
        cast(date_trunc('month', local_day) as date) as local_month,
        covered_share >= 0.99 and charge_wh is not null and discharge_wh is not null as is_known,
        count(*) filter (
            where not (
                covered_share >= 0.99 and charge_wh is not null and discharge_wh is not null
            )
        ) over in_order as unknown_days,
        sum(charge_wh) over in_order as charged_wh,
        sum(discharge_wh) over in_order as discharged_wh
    from days
    window in_order as (
        partition by device_id, date_trunc('month', local_day) order by local_day
    )

),

-- Windows of whole known days at whose ends the battery holds as much as at their beginning, within
-- a hundredth of its capacity; the longest one counts, of equals the most equal.
windows as (

    select
        first.device_id,
        first.local_month,
        first.local_day as first_day,
        last.local_day - first.local_day + 1 as days,
        last.soc_end - first.soc_start as soc_difference,
        last.charged_wh - first.charged_wh + first.charge_wh as charge_wh,
        last.discharged_wh - first.discharged_wh + first.discharge_wh as discharge_wh
    from numbered as first
    inner join numbered as last
        on
            first.device_id = last.device_id
            and first.local_month = last.local_month
            and first.local_day <= last.local_day
            and first.unknown_days = last.unknown_days
    where
        first.is_known
        and last.is_known
        and abs(last.soc_end - first.soc_start) <= 1
    qualify
        row_number() over (
            partition by first.device_id, first.local_month
            order by
                last.local_day - first.local_day desc,
                abs(last.soc_end - first.soc_start),
                first.local_day
        ) = 1

),

months as (

    select
        device_id,
        site_id,
        timezone,
        local_month,
        {{ exact_sum("charge_wh") }} as charge_wh,
        {{ exact_sum("discharge_wh") }} as discharge_wh,
        {{ exact_sum("falling_wh") }} as falling_wh,
        {{ exact_sum("fallen_percent") }} as fallen_percent,
        min(soc_min) as soc_min,
        max(soc_max) as soc_max,
        max(rated_capacity_wh) as rated_capacity_wh,
        count(*) as days,
        count(*) filter (where is_known) as known_days,
        max(unconfirmed_points) as unconfirmed_points,
        {{ least_settled(is_unconfirmed="unconfirmed_points > 0") }} as settled
    from numbered
    group by all

),

sums as (

    select
        months.*,
        affected_periods.ends_at,
        months.known_days / (
            cast(months.local_month + interval 1 month as date) - months.local_month
        ) as covered_share
    from months
    inner join affected_periods
        on
            affected_periods.grain = 'month'
            and months.timezone = affected_periods.timezone
            and months.local_month = affected_periods.period_start

)

select
    sums.device_id,
    sums.site_id,
    sums.timezone,
    sums.local_month,
    sums.charge_wh,
    sums.discharge_wh,
    {{ share("windows.discharge_wh", "windows.charge_wh") }} as round_trip_efficiency,
    windows.first_day as window_first_day,
    windows.days as window_days,
    windows.soc_difference as window_soc_difference,
    sums.soc_min,
    sums.soc_max,
    case when sums.fallen_percent >= 10 then sums.falling_wh / sums.fallen_percent * 100 end
        as usable_capacity_wh,
    sums.rated_capacity_wh,
    sums.discharge_wh / sums.rated_capacity_wh as equivalent_cycles,
    usable_capacity_wh / sums.rated_capacity_wh - 1 as capacity_drift,
    sums.days,
    sums.covered_share,
    sums.unconfirmed_points,
    {{ period_of_days_status() }} as status,
    status = 'final' as is_final
from sums
left join windows using (device_id, local_month)
left join reach using (device_id)
order by sums.local_month, sums.device_id
