{{ config(period="local_day") }}

-- Every point has a row for each local day from its first step to the end of the data, also for
-- days without any energy: a silent meter is a row that says incomplete, not a hole.
with days as (
    select
        points.point_id,
        points.site_id,
        points.last_end_at,
        points.final_before,
        periods.timezone,
        periods.period_start as local_day,
        periods.ends_at,
        periods.expected_s
    from {{ ref("stg_points") }} as points
    inner join {{ ref("stg_touched_periods") }} as periods using (timezone)
    where
        periods.grain = 'day'
        and periods.ends_at > points.first_start_at
        and periods.starts_at < points.horizon_at
),

sums as (
    select
        energy.point_id,
        energy.local_day,
        {{ exact_sum("energy.energy_wh") }} as energy_wh,
        {{ exact_sum("energy.estimated_wh") }} as estimated_wh,
        {{ exact_sum("energy.refused_wh") }} as refused_wh,
        bool_or(energy.status = 'disputed') as is_disputed,
        {{ exact_sum("energy.covered_s") }} as covered_s,
        {{ one_method("energy.method") }} as method
    from {{ ref("fct_energy_15min") }} as energy
    where {{ in_touched("energy.local_day") }}
    group by all
)

select
    days.point_id,
    days.site_id,
    days.timezone,
    days.local_day,
    coalesce(sums.energy_wh, 0) as energy_wh,
    coalesce(sums.energy_wh, 0) / 1000 as energy_kwh,
    coalesce(sums.estimated_wh, 0) as estimated_wh,
    {{ share("sums.estimated_wh", "sums.energy_wh") }} as estimated_share,
    coalesce(sums.refused_wh, 0) as refused_wh,
    coalesce(sums.refused_wh, 0) / 1000 as refused_kwh,
    coalesce(sums.covered_s, 0) as covered_s,
    days.expected_s,
    coalesce(sums.covered_s, 0) / days.expected_s as covered_share,
    sums.method,
    {{ period_status(
        "days.ends_at",
        "days.last_end_at",
        "days.final_before",
        "coalesce(sums.is_disputed, false)"
    ) }} as status,
    days.last_end_at >= days.ends_at as is_closed,
    status = 'final' as is_final
from days
left join sums using (point_id, local_day)
order by days.local_day, days.point_id
