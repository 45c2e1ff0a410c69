{# Weeks and months are the sums of their local days; closed and final are judged at their own end. #}
{% macro energy_of_days(grain) %}
with periods as (
    select
        energy.point_id,
        energy.site_id,
        periods.timezone,
        periods.period_start as local_{{ grain }},
        periods.ends_at,
        periods.expected_s,
        {{ exact_sum("energy.energy_wh") }} as energy_wh,
        {{ exact_sum("energy.estimated_wh") }} as estimated_wh,
        {{ exact_sum("energy.refused_wh") }} as refused_wh,
        bool_or(energy.status = 'disputed') as is_disputed,
        {{ exact_sum("energy.covered_s") }} as covered_s,
        {{ one_method("energy.method") }} as method,
        count(*) as days
    from {{ ref("fct_energy_daily") }} as energy
    inner join {{ ref("stg_touched_periods") }} as periods
        on
            periods.grain = '{{ grain }}'
            and energy.timezone = periods.timezone
            and date_trunc('{{ grain }}', energy.local_day) = periods.period_start
    group by all
)

select
    periods.point_id,
    periods.site_id,
    periods.timezone,
    periods.local_{{ grain }},
    periods.energy_wh,
    periods.energy_wh / 1000 as energy_kwh,
    periods.estimated_wh,
    {{ share("periods.estimated_wh", "periods.energy_wh") }} as estimated_share,
    periods.refused_wh,
    periods.refused_wh / 1000 as refused_kwh,
    periods.covered_s,
    periods.expected_s,
    periods.covered_s / periods.expected_s as covered_share,
    periods.days,
    periods.method,
    {{ period_status(
        "periods.ends_at", "points.last_end_at", "points.final_before", "periods.is_disputed"
    ) }} as status,
    points.last_end_at >= periods.ends_at as is_closed,
    status = 'final' as is_final
from periods
inner join {{ ref("stg_points") }} as points using (point_id)
order by periods.local_{{ grain }}, periods.point_id
{% endmacro %}
