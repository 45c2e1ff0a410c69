{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_day",
    scope="site_id"
) }}

{%- set electricity = ["import", "export", "net", "generation", "charge", "discharge"] -%}
{%- set terms = electricity + ["heating", "cooling"] -%}
{%- set carriers = ["electricity", "heating", "cooling"] -%}
{%- set least_settled_first = ["disputed", "incomplete", "open", "partial", "closed"] %}

-- A term is the sum of its points, and unknown as soon as one of them is; so is site use, which is
-- made of the electricity terms. A term that a site does not have is null, and site use takes it as
-- nothing. Heat is never added to electricity, and neither decides about the other's status.
with portfolio_points as (

    select * from {{ ref("int_points") }}
    where site_id in (select site_id from {{ ref("stg_build__affected_points") }})

),

dim_points as (

    select * from {{ ref("dim_point") }}

),

affected_periods as (

    select * from {{ ref("stg_build__affected_periods") }}

),

energy as (

    select * from {{ ref("fct_energy_daily") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

points as (

    select
        points.point_id,
        points.site_id,
        points.timezone,
        points.first_start_at,
        points.horizon_at,
        points.final_before,
        dim.site_term,
        not dim.is_confirmed as is_unconfirmed,
        case
            when dim.site_term in ('heating', 'cooling') then dim.site_term else 'electricity'
        end as carrier,
        dim.site_term in ('import', 'net') as is_main,
        min(points.first_start_at) over (partition by points.site_id) as site_start_at,
        min(points.first_start_at) filter (where dim.site_term in ('import', 'net')) over (
            partition by points.site_id
        ) as mains_start_at
    from portfolio_points as points
    inner join dim_points as dim using (point_id)
    where
        dim.site_term is not null
        and (points.is_read or points.first_start_at is not null)

),

-- Before its first step a point was not in service yet. One that never said anything always was,
-- and so was the first of a site's mains: no site is without any.
wanted as (

    select
        points.*,
        periods.period_start as local_day,
        periods.ends_at,
        periods.expected_s
    from points
    inner join affected_periods as periods using (timezone)
    where
        periods.grain = 'day'
        and periods.starts_at < points.horizon_at
        and periods.ends_at > points.site_start_at
        and (
            points.first_start_at is null
            or periods.ends_at > points.first_start_at
            or (points.is_main and periods.ends_at <= points.mains_start_at)
        )

),

counted as (

    select
        wanted.*,
        energy.energy_wh,
        energy.estimated_wh,
        coalesce(energy.refused_wh, 0) as refused_wh,
        coalesce(energy.covered_share, 0) as covered_share,
        energy.method,
        coalesce(energy.is_closed, false) as is_closed,
        coalesce(
            energy.status,
            case when wanted.ends_at <= wanted.final_before then 'incomplete' else 'open' end
        ) as status
    from wanted
    left join energy using (point_id, local_day)

),

days as (

    select
        site_id,
        timezone,
        local_day,
        any_value(expected_s) as expected_s,
        {%- for term in terms %}
        case
            when not bool_or(energy_wh is null) filter (where site_term = '{{ term }}')
                then {{ exact_sum("energy_wh", where="site_term = '" ~ term ~ "'") }}
        end as {{ term }}_wh,
        {%- endfor %}
        {%- for carrier in carriers %}
        {%- set own = "filter (where carrier = '" ~ carrier ~ "')" %}
        min(covered_share) {{ own }} as {{ carrier }}_covered_share,
        count(*) filter (
            where carrier = '{{ carrier }}' and is_unconfirmed
        ) as {{ carrier }}_unconfirmed_points,
        bool_and(is_closed) {{ own }} as {{ carrier }}_is_closed,
        case
            {%- for status in least_settled_first %}
            when bool_or(status = '{{ status }}') {{ own }} then '{{ status }}'
            {%- endfor %}
            when bool_or(is_unconfirmed) {{ own }} then 'unconfirmed'
            when count(*) {{ own }} > 0 then 'final'
        end as {{ carrier }}_status,
        {%- endfor %}
        {{ exact_sum("estimated_wh", where="carrier = 'electricity'") }} as estimated_wh,
        {{ exact_sum("refused_wh", where="carrier = 'electricity'") }} as refused_wh,
        {{ one_method("method", where="carrier = 'electricity'") }} as method,
        count(*) filter (where carrier = 'electricity') as points_counted,
        count(*) filter (where carrier = 'electricity' and energy_wh is null) as points_unknown
    from counted
    group by site_id, timezone, local_day

)

select
    days.site_id,
    days.timezone,
    days.local_day,
    case
        when days.points_counted > 0 and days.points_unknown = 0 then
            coalesce(days.import_wh, 0)
            - coalesce(days.export_wh, 0)
            + coalesce(days.net_wh, 0)
            + coalesce(days.generation_wh, 0)
            + coalesce(days.discharge_wh, 0)
            - coalesce(days.charge_wh, 0)
    end as site_use_wh,
    site_use_wh / 1000 as site_use_kwh,
    {%- for term in terms %}
    days.{{ term }}_wh,
    days.{{ term }}_wh / 1000 as {{ term }}_kwh,
    {%- endfor %}
    days.estimated_wh,
    coalesce(days.refused_wh, 0) as refused_wh,
    coalesce(days.refused_wh, 0) / 1000 as refused_kwh,
    days.expected_s,
    days.electricity_covered_share as least_covered_share,
    days.points_counted,
    days.points_unknown,
    days.electricity_unconfirmed_points as unconfirmed_points,
    days.method,
    days.electricity_status as status,
    days.electricity_is_closed as is_closed,
    coalesce(days.electricity_status = 'final', false) as is_final,
    days.heating_covered_share as heating_least_covered_share,
    days.heating_unconfirmed_points,
    days.heating_status,
    days.cooling_covered_share as cooling_least_covered_share,
    days.cooling_unconfirmed_points,
    days.cooling_status
from days
order by days.local_day, days.site_id
