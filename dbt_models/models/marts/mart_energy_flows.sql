{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_day",
    scope="site_id"
) }}

{%- set terms = ["import", "export", "net", "generation", "charge", "discharge"] %}

-- Sites with a main and a plant or a battery. A quarter-hour in which any of their points is not
-- covered, or taken back, has a row without figures: what is not known cannot be attributed.
with portfolio_points as (

    select * from {{ ref("int_points") }}
    where site_id in (select site_id from {{ ref("stg_build__affected_points") }})

),

dim_points as (

    select * from {{ ref("dim_point") }}
    where site_term not in ('heating', 'cooling')

),

energy as (

    select * from {{ ref("fct_energy_15min") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

candidates as (

    select
        points.point_id,
        points.site_id,
        points.first_start_at,
        points.until_at,
        dim.site_term,
        not dim.is_confirmed as is_unconfirmed,
        dim.site_term in ('import', 'net') as is_main,
        min(points.first_start_at) filter (where dim.site_term in ('import', 'net')) over (
            partition by points.site_id
        ) as mains_start_at,
        bool_or(dim.site_term in ('import', 'export', 'net')) over (
            partition by points.site_id
        ) as has_main,
        bool_or(dim.site_term in ('generation', 'charge', 'discharge')) over (
            partition by points.site_id
        ) as has_source
    from portfolio_points as points
    inner join dim_points as dim using (point_id)
    where points.is_read or points.first_start_at is not null

),

points as (

    select * from candidates
    where has_main and has_source

),

metered as (

    select energy.*
    from energy
    semi join points using (point_id)

),

intervals as (

    select distinct
        site_id,
        timezone,
        interval_start,
        local_start,
        utc_offset_s,
        local_day
    from metered

),

-- As in mart_site_energy, before its first step a point was not in service, but for the first main.
counted as (

    select
        intervals.*,
        points.site_term,
        points.is_unconfirmed,
        case
            when metered.covered_s >= 0.99 * metered.expected_s and not metered.is_spike_reversal
                then metered.energy_wh
        end as energy_wh,
        metered.estimated_wh,
        coalesce(metered.status, 'open') as status
    from intervals
    inner join points
        on
            intervals.site_id = points.site_id
            and (points.until_at is null or intervals.interval_start < points.until_at)
            and (
                points.first_start_at is null
                or intervals.interval_start + interval 15 minutes > points.first_start_at
                or (points.is_main and intervals.interval_start < points.mains_start_at)
            )
    left join metered
        on
            points.point_id = metered.point_id
            and intervals.interval_start = metered.interval_start

),

-- A figure below zero is a flow the other way: of a net register or a signed power, or a dip.
sums as (

    select
        site_id,
        timezone,
        interval_start,
        local_start,
        utc_offset_s,
        local_day,
        count(*) as points_counted,
        count(*) filter (where energy_wh is null) as points_unknown,
        count(*) filter (where is_unconfirmed) as unconfirmed_points,
        {%- for term in terms %}
        coalesce({{ exact_sum("greatest(energy_wh, 0)", where="site_term = '" ~ term ~ "'") }}, 0)
            as {{ term }}_up,
        coalesce({{ exact_sum("greatest(-energy_wh, 0)", where="site_term = '" ~ term ~ "'") }}, 0)
            as {{ term }}_down,
        {%- endfor %}
        {{ exact_sum("estimated_wh") }} as estimated_wh,
        {{ least_settled() }} as status
    from counted
    group by all

),

known as (

    select
        *,
        case when points_unknown = 0 then generation_up end as production_wh,
        case when points_unknown = 0 then import_up + net_up + export_down end as import_wh,
        case when points_unknown = 0 then export_up + net_down + import_down end as export_wh,
        case when points_unknown = 0 then charge_up + discharge_down end as charge_wh,
        case when points_unknown = 0 then discharge_up + charge_down end as discharge_wh,
        import_wh - export_wh + production_wh + discharge_wh - charge_wh as load_wh
    from sums

),

flows as (

    select
        *,
        {{ energy_flows() }}
    from known

)

select
    site_id,
    timezone,
    interval_start,
    local_start,
    utc_offset_s,
    local_day,
    {%- for name in flow_totals() + flow_names() %}
    case when points_unknown = 0 then {{ name }}_wh end as {{ name }}_wh,
    {%- endfor %}
    estimated_wh,
    points_counted,
    points_unknown,
    unconfirmed_points,
    status
from flows
order by interval_start, site_id
