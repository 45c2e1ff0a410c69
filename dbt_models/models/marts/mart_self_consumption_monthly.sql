{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_month",
    grain="month",
    scope="site_id"
) }}

with days as (

    select * from {{ ref("mart_self_consumption_daily") }}
    where {{ in_affected(
        "cast(date_trunc('month', local_day) as date)",
        grain="month",
        day="local_day",
        scope="site_id"
    ) }}

),

points as (

    select * from {{ ref("int_points") }}

),

dim_devices as (

    select * from {{ ref("dim_device") }}

),

dim_points as (

    select * from {{ ref("dim_point") }}

),

affected_periods as (

    select * from {{ ref("stg_build__affected_periods") }}

),

plants as (

    {{ installed_power() }}

),

reach as (

    select
        points.site_id,
        min(points.final_before) as final_before
    from points
    inner join dim_points using (point_id)
    where dim_points.site_term is not null
    group by points.site_id

),

months as (

    select
        site_id,
        timezone,
        cast(date_trunc('month', local_day) as date) as local_month,
        {%- for name in flow_totals() + flow_names() %}
        {{ exact_sum(name ~ "_wh") }} as {{ name }}_wh,
        {%- endfor %}
        {{ exact_sum("estimated_wh") }} as estimated_wh,
        {{ exact_sum("covered_s") }} as covered_s,
        max(unconfirmed_points) as unconfirmed_points,
        count(*) as days,
        {{ least_settled(is_unconfirmed="unconfirmed_points > 0") }} as settled
    from days
    group by all

),

sums as (

    select
        months.*,
        plants.peak_power_w,
        affected_periods.ends_at,
        affected_periods.expected_s,
        months.covered_s / affected_periods.expected_s as covered_share
    from months
    inner join affected_periods
        on
            affected_periods.grain = 'month'
            and months.timezone = affected_periods.timezone
            and months.local_month = affected_periods.period_start
    left join plants using (site_id)

)

select
    sums.site_id,
    sums.timezone,
    sums.local_month,
    {%- for name in flow_totals() + flow_names() %}
    sums.{{ name }}_wh,
    {%- endfor %}
    {{ flow_shares() }},
    sums.estimated_wh,
    sums.covered_s,
    sums.expected_s,
    sums.covered_share,
    sums.days,
    sums.unconfirmed_points,
    {{ period_of_days_status() }} as status,
    status = 'final' as is_final
from sums
left join reach using (site_id)
order by sums.local_month, sums.site_id
