{{ config(materialized="incremental", incremental_strategy="touched", period="local_day") }}

{%- set electricity = ["import", "export", "net", "generation", "charge", "discharge"] -%}
{%- set terms = electricity + ["heating", "cooling"] %}

-- A term that a site does not have is null; site use takes it as nothing. Heat is never added to
-- electricity.
with days as (
    select
        energy.site_id,
        energy.timezone,
        energy.local_day,
        {% for term in terms -%}
        {{ exact_sum("energy.energy_wh", where="points.site_term = '" ~ term ~ "'") }}
            as {{ term }}_wh,
        {% endfor -%}
        {{ exact_sum(
            "energy.estimated_wh", where="points.site_term not in ('heating', 'cooling')"
        ) }} as estimated_wh,
        {{ exact_sum(
            "energy.refused_wh", where="points.site_term not in ('heating', 'cooling')"
        ) }} as refused_wh,
        min(energy.covered_share) as least_covered_share,
        count(*) as points_counted,
        {{ one_method("energy.method") }} as method,
        case
            when bool_or(energy.status = 'disputed') then 'disputed'
            when bool_or(energy.status = 'incomplete') then 'incomplete'
            when bool_or(energy.status = 'open') then 'open'
            when bool_or(energy.status = 'closed') then 'closed'
            else 'final'
        end as status,
        bool_and(energy.is_closed) as is_closed
    from {{ ref("fct_energy_daily") }} as energy
    inner join {{ ref("dim_point") }} as points using (point_id)
    where points.site_term is not null and {{ in_touched("energy.local_day") }}
    group by all
)

select
    days.site_id,
    days.timezone,
    days.local_day,
    case
        when coalesce({% for term in electricity %}days.{{ term }}_wh{{ ", " if not loop.last }}{% endfor %}) is not null then
            coalesce(days.import_wh, 0)
            - coalesce(days.export_wh, 0)
            + coalesce(days.net_wh, 0)
            + coalesce(days.generation_wh, 0)
            + coalesce(days.discharge_wh, 0)
            - coalesce(days.charge_wh, 0)
    end as site_use_wh,
    site_use_wh / 1000 as site_use_kwh,
    {% for term in terms -%}
    days.{{ term }}_wh,
    days.{{ term }}_wh / 1000 as {{ term }}_kwh,
    {% endfor -%}
    days.estimated_wh,
    days.refused_wh,
    days.refused_wh / 1000 as refused_kwh,
    days.least_covered_share,
    days.points_counted,
    days.method,
    days.status,
    days.is_closed,
    days.status = 'final' as is_final
from days
order by days.local_day, days.site_id
