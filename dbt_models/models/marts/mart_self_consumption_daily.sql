{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_day",
    scope="site_id"
) }}

-- Sums over the quarter-hours of which every flow is known; covered_share says how many they are.
with flows as (

    select * from {{ ref("mart_energy_flows") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

site_days as (

    select * from {{ ref("mart_site_energy") }}
    where {{ in_affected("local_day", scope="site_id") }}

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

days as (

    select
        site_id,
        timezone,
        local_day,
        {%- for name in flow_totals() + flow_names() %}
        {{ exact_sum(name ~ "_wh") }} as {{ name }}_wh,
        {%- endfor %}
        {{ exact_sum("estimated_wh", where="load_wh is not null") }} as estimated_wh,
        900e0 * count(load_wh) as covered_s
    from flows
    group by all

),

sums as (

    select
        days.*,
        plants.peak_power_w,
        affected_periods.expected_s,
        days.covered_s / affected_periods.expected_s as covered_share
    from days
    inner join affected_periods
        on
            affected_periods.grain = 'day'
            and days.timezone = affected_periods.timezone
            and days.local_day = affected_periods.period_start
    left join plants using (site_id)

)

select
    sums.site_id,
    sums.timezone,
    sums.local_day,
    {%- for name in flow_totals() + flow_names() %}
    sums.{{ name }}_wh,
    {%- endfor %}
    {{ flow_shares() }},
    sums.estimated_wh,
    sums.covered_s,
    sums.expected_s,
    sums.covered_share,
    site_days.unconfirmed_points,
    case
        when sums.covered_share < 0.99 and site_days.status in ('final', 'unconfirmed')
            then 'partial'
        else site_days.status
    end as status,
    coalesce(sums.covered_share >= 0.99 and site_days.status = 'final', false) as is_final
from sums
left join site_days using (site_id, local_day)
order by sums.local_day, sums.site_id
