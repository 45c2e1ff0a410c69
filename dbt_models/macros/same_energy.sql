{# The rows where two facts disagree about a point's energy of an affected period. #}
{% macro same_energy(fine, coarse, fine_period, coarse_period, grain, day=none) %}
with fine as (
    select point_id, {{ fine_period }} as period, {{ exact_sum("energy_wh") }} as energy_wh
    from {{ ref(fine) }}
    where {{ in_affected(fine_period, grain=grain, day=day) }}
    group by all
),

coarse as (
    select point_id, {{ coarse_period }} as period, {{ exact_sum("energy_wh") }} as energy_wh
    from {{ ref(coarse) }}
    where {{ in_affected(coarse_period, grain=grain) }}
    group by all
)

select
    point_id,
    period,
    fine.energy_wh as fine_wh,
    coarse.energy_wh as coarse_wh
from fine
full join coarse using (point_id, period)
where
    abs(coalesce(fine.energy_wh, 0) - coalesce(coarse.energy_wh, 0))
    > 1e-9 * greatest(1e3, abs(coalesce(fine.energy_wh, 0)))
{% endmacro %}
