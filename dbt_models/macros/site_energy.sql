{#
  Site figures by local day, week and month: one rule for all three, so that they cannot differ.

  `mart_site_energy` and its sisters call `site_energy`; what an hour of a site is, in
  `int_site_hourly`, is made from the same points by `wanted_site_points`.
#}


{#
  The points of a site's terms and the affected periods in which they were in service, up to `wanted`.
  Rests on `portfolio_points`, `dim_points` and `affected_periods`.
#}
{% macro wanted_site_points(grain) -%}
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
        periods.period_start as local_{{ grain }},
        periods.ends_at,
        periods.expected_s
    from points
    inner join affected_periods as periods using (timezone)
    where
        periods.grain = '{{ grain }}'
        and periods.starts_at < points.horizon_at
        and periods.ends_at > points.site_start_at
        and (
            points.first_start_at is null
            or periods.ends_at > points.first_start_at
            or (points.is_main and periods.ends_at <= points.mains_start_at)
        )

)
{%- endmacro %}


{#
  All of a grain but its imports: `portfolio_points`, `dim_points`, `sites`, `affected_periods`,
  `energy`, `hours` with the first day of their period, and `peaks` by day, or of the whole period.

  A term is the sum of its points, and unknown as soon as one of them is; so is site use, which is
  made of the electricity terms. A term that a site does not have is null, and site use takes it as
  nothing. Heat is never added to electricity, and neither decides about the other's status.
#}
{% macro site_energy(grain) %}
{%- set period = "local_" ~ grain -%}
{%- set electricity = ["import", "export", "net", "generation", "charge", "discharge"] -%}
{%- set terms = electricity + ["heating", "cooling"] -%}
{%- set carriers = ["electricity", "heating", "cooling"] -%}
{%- set least_settled_first = ["disputed", "incomplete", "open", "partial", "closed"] -%}
heights as (

    select
        *,
        {{ demand_height("peak_wh", "peak_at") }} as height
    from peaks
    where peak_at is not null

),

highest as (

    select
        site_id,
        period_start,
        max(peak_wh) * 4 as peak_w,
        arg_max(peak_at, height) as peak_at,
        arg_max(peak_local_start, height) as peak_local_start,
        arg_max(peak_is_estimated, height) as peak_is_estimated
    from heights
    group by site_id, period_start

),

measured_buckets as (

    select
        site_id,
        period_start,
        cast(sum(buckets_counted) as bigint) as buckets_counted
    from peaks
    group by site_id, period_start

),

{{ wanted_site_points(grain) }},

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
    left join energy using (point_id, {{ period }})

),

sums as (

    select
        site_id,
        timezone,
        {{ period }},
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
        count(*) filter (where carrier = 'electricity' and energy_wh is null) as points_unknown,
        bool_and(is_closed and covered_share >= 0.99) filter (
            where site_term = 'import'
        ) as is_import_whole
    from counted
    group by site_id, timezone, {{ period }}

),

-- A quarter of the hours may be wrong or low, and three quarters may run late, before the lower
-- quartile is another one. An hour counts that was measured, and by itself.
base_loads as (

    select
        site_id,
        period_start,
        case
            when count(*) filter (where not is_occupied and is_measured)
                >= 0.5 * count(*) filter (where not is_occupied)
                then quantile_cont(use_w, 0.25) filter (where not is_occupied and is_measured)
        end as base_load_w,
        count(*) filter (where not is_occupied and is_measured) as base_load_hours,
        count(*) filter (where not is_occupied) as unoccupied_hours,
        any_value(occupancy_basis) as occupancy_basis
        {%- if grain == "day" %},
        any_value(holiday) as holiday
        {%- endif %}
    from hours
    group by site_id, period_start

),

-- What was so in the hour of the peak.
contexts as (

    select
        highest.site_id,
        highest.period_start,
        any_value(hours.outdoor_temperature) as peak_outdoor_temperature,
        any_value(hours.points_known / nullif(hours.points_counted, 0)) as peak_points_share
    from highest
    inner join hours
        on
            highest.site_id = hours.site_id
            and highest.period_start = hours.period_start
            and highest.peak_at >= hours.hour_start_at
            and highest.peak_at < hours.hour_start_at + to_seconds(hours.expected_s)
    group by highest.site_id, highest.period_start

)

select
    sums.site_id,
    sums.timezone,
    sums.{{ period }},
    case
        when sums.points_counted > 0 and sums.points_unknown = 0 then
            coalesce(sums.import_wh, 0)
            - coalesce(sums.export_wh, 0)
            + coalesce(sums.net_wh, 0)
            + coalesce(sums.generation_wh, 0)
            + coalesce(sums.discharge_wh, 0)
            - coalesce(sums.charge_wh, 0)
    end as site_use_wh,
    site_use_wh / 1000 as site_use_kwh,
    {%- for term in terms %}
    sums.{{ term }}_wh,
    sums.{{ term }}_wh / 1000 as {{ term }}_kwh,
    {%- endfor %}
    sums.estimated_wh,
    coalesce(sums.refused_wh, 0) as refused_wh,
    coalesce(sums.refused_wh, 0) / 1000 as refused_kwh,
    sums.expected_s,
    sums.electricity_covered_share as least_covered_share,
    sums.points_counted,
    sums.points_unknown,
    sums.electricity_unconfirmed_points as unconfirmed_points,
    sums.method,
    sums.electricity_status as status,
    sums.electricity_is_closed as is_closed,
    coalesce(sums.electricity_status = 'final', false) as is_final,
    sums.heating_covered_share as heating_least_covered_share,
    sums.heating_unconfirmed_points,
    sums.heating_status,
    sums.cooling_covered_share as cooling_least_covered_share,
    sums.cooling_unconfirmed_points,
    sums.cooling_status,
    highest.peak_w,
    highest.peak_w / 1000 as peak_kw,
    highest.peak_at,
    highest.peak_at + interval 15 minutes as peak_ends_at,
    highest.peak_local_start,
    highest.peak_is_estimated,
    contexts.peak_outdoor_temperature,
    contexts.peak_points_share,
    coalesce(measured_buckets.buckets_counted, 0) * 900 / sums.expected_s as peak_covered_share,
    case
        when sums.is_import_whole and highest.peak_w > 0
            then sums.import_wh * 3600 / sums.expected_s / highest.peak_w
    end as load_factor,
    base_loads.base_load_w,
    base_loads.base_load_w / 1000 as base_load_kw,
    coalesce(base_loads.base_load_hours, 0) as base_load_hours,
    coalesce(base_loads.unoccupied_hours, 0) as unoccupied_hours,
    base_loads.occupancy_basis,
    {%- if grain == "day" %}
    base_loads.holiday,
    {%- endif %}
    sites.floor_area_m2,
    site_use_wh / 1000 / sites.floor_area_m2 as use_kwh_per_m2,
    sums.heating_wh / 1000 / sites.floor_area_m2 as heating_kwh_per_m2,
    sums.cooling_wh / 1000 / sites.floor_area_m2 as cooling_kwh_per_m2
from sums
inner join sites using (site_id)
left join highest
    on sums.site_id = highest.site_id and sums.{{ period }} = highest.period_start
left join measured_buckets
    on
        sums.site_id = measured_buckets.site_id
        and sums.{{ period }} = measured_buckets.period_start
left join base_loads
    on sums.site_id = base_loads.site_id and sums.{{ period }} = base_loads.period_start
left join contexts
    on sums.site_id = contexts.site_id and sums.{{ period }} = contexts.period_start
order by sums.{{ period }}, sums.site_id
{% endmacro %}
