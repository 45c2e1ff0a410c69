{{ config(period="local_day") }}
-- depends_on: {{ ref("stg_touched_periods") }}

with hours as (
    select
        energy.point_id,
        energy.site_id,
        calendar.timezone,
        calendar.hour_start_at,
        calendar.local_hour,
        calendar.local_day,
        calendar.hour_expected_s as expected_s,
        {{ exact_sum("energy.energy_wh") }} as energy_wh,
        {{ exact_sum("energy.estimated_wh") }} as estimated_wh,
        {{ exact_sum("energy.refused_wh") }} as refused_wh,
        bool_or(energy.status = 'disputed') as is_disputed,
        {{ exact_sum("energy.covered_s") }} as covered_s,
        {{ one_method("energy.method") }} as method
    from {{ ref("fct_energy_15min") }} as energy
    inner join {{ ref("stg_calendar") }} as calendar using (timezone, interval_start)
    group by all
)

select
    hours.point_id,
    hours.site_id,
    hours.timezone,
    hours.hour_start_at,
    hours.local_hour,
    hours.local_day,
    hours.energy_wh,
    hours.energy_wh / 1000 as energy_kwh,
    hours.estimated_wh,
    {{ share("hours.estimated_wh", "hours.energy_wh") }} as estimated_share,
    hours.refused_wh,
    hours.refused_wh / 1000 as refused_kwh,
    hours.covered_s,
    hours.expected_s,
    hours.method,
    {{ period_status(
        "hours.hour_start_at + to_seconds(hours.expected_s)",
        "points.last_end_at",
        "points.final_before",
        "hours.is_disputed"
    ) }} as status,
    points.last_end_at >= hours.hour_start_at + to_seconds(hours.expected_s) as is_closed,
    status = 'final' as is_final
from hours
inner join {{ ref("stg_points") }} as points using (point_id)
order by hours.hour_start_at, hours.point_id
