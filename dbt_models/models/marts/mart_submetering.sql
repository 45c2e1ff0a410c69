{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_day",
    months="grain = 'month'",
    scope="site_id"
) }}

-- Children and remainder are what the parent shows, in each period, so the remainder is the parent
-- less the children that are known. What a missing child took is in it, and it says so. It is
-- signed: below zero more left through the children than came through the parent, as where
-- something feeds in behind it, or a link is wrong.
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

calendar as (

    select * from {{ ref("stg_build__calendar") }}

),

hourly as (

    select * from {{ ref("fct_energy_hourly") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

daily as (

    select * from {{ ref("fct_energy_daily") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

monthly as (

    select * from {{ ref("fct_energy_monthly") }}
    where {{ in_affected("local_month", grain="month", scope="site_id") }}

),

-- Of a load the first instrument is the one that is looked at.
links as (

    select
        point_id,
        parent as parent_point_id
    from portfolio_points
    where parent is not null and same_as is null and (is_read or first_start_at is not null)

),

members as (

    select
        parent_point_id,
        'child' as member,
        point_id
    from links
    union all by name
    select distinct
        parent_point_id,
        'parent' as member,
        parent_point_id as point_id
    from links

),

-- What the use of a site with a tree is made of.
terms as (

    select
        dim.point_id,
        dim.site_id,
        dim.site_term in ('import', 'net') as is_main,
        case when dim.site_term in ('export', 'charge') then -1 else 1 end as sign,
        case
            when dim.site_term in ('heating', 'cooling') then dim.site_term else 'electricity'
        end as carrier
    from dim_points as dim
    inner join portfolio_points as points using (point_id)
    where
        dim.site_term is not null
        and dim.site_id in (
            select linked.site_id from portfolio_points as linked
            semi join links using (point_id)
        )
        and (points.is_read or points.first_start_at is not null)

),

asked as (

    select
        points.*,
        min(points.first_start_at) over (partition by points.site_id) as site_start_at
    from portfolio_points as points
    where
        points.point_id in (select members.point_id from members)
        or points.point_id in (select terms.point_id from terms)

),

periods as (

    select distinct
        'hour' as grain,
        timezone,
        hour_start_at as starts_at,
        hour_start_at + to_seconds(hour_expected_s) as ends_at,
        local_hour as local_start,
        local_day,
        hour_expected_s as expected_s
    from calendar
    union all by name
    select
        grain,
        timezone,
        starts_at,
        ends_at,
        cast(period_start as timestamp) as local_start,
        period_start as local_day,
        expected_s
    from affected_periods
    where grain in ('day', 'month')

),

energy as (

    select
        'hour' as grain,
        hourly.point_id,
        hourly.hour_start_at as starts_at,
        hourly.energy_wh,
        hourly.estimated_wh,
        hourly.refused_wh,
        hourly.covered_s
    from hourly
    semi join asked using (point_id)
    union all by name
    select
        periods.grain,
        daily.point_id,
        periods.starts_at,
        daily.energy_wh,
        daily.estimated_wh,
        daily.refused_wh,
        daily.covered_s
    from daily
    inner join periods using (timezone, local_day)
    semi join asked using (point_id)
    where periods.grain = 'day'
    union all by name
    select
        periods.grain,
        monthly.point_id,
        periods.starts_at,
        monthly.energy_wh,
        monthly.estimated_wh,
        monthly.refused_wh,
        monthly.covered_s
    from monthly
    inner join periods
        on
            monthly.timezone = periods.timezone
            and monthly.local_month = periods.local_day
    semi join asked using (point_id)
    where periods.grain = 'month'

),

-- Before its first step a point was not in service yet; one that never said anything always was.
figures as (

    select
        points.point_id,
        points.site_id,
        points.timezone,
        periods.grain,
        periods.starts_at,
        energy.energy_wh,
        energy.estimated_wh,
        coalesce(energy.refused_wh, 0) as refused_wh,
        coalesce(energy.covered_s, 0) as covered_s,
        {{ in_service_end("periods.ends_at") }} as service_ends_at,
        {{ seconds_between("periods.starts_at", "service_ends_at") }} as expected_s,
        {{ period_status(
            "service_ends_at",
            "coalesce(energy.refused_wh, 0) <> 0",
            "coalesce(energy.covered_s, 0)",
            "expected_s"
        ) }} as status,
        not points.is_confirmed as is_unconfirmed,
        {{ largest_error_wh(
            "coalesce(points.accuracy_percent, 2)", "energy.energy_wh", "points.resolution_wh"
        ) }} as largest_error_wh
    from asked as points
    inner join periods using (timezone)
    left join energy
        on
            points.point_id = energy.point_id
            and periods.grain = energy.grain
            and periods.starts_at = energy.starts_at
    where
        periods.starts_at < points.horizon_at
        and periods.ends_at > coalesce(points.first_start_at, points.site_start_at)

),

sites as (

    select
        figures.site_id,
        figures.grain,
        figures.starts_at,
        terms.carrier,
        case
            when
                bool_and(figures.energy_wh is not null)
                and (bool_or(terms.is_main) or terms.carrier <> 'electricity')
                then {{ exact_sum("figures.energy_wh * terms.sign") }}
        end as site_wh
    from figures
    inner join terms using (point_id)
    group by figures.site_id, figures.grain, figures.starts_at, terms.carrier

),

-- Of what the site used its energy is a share; what is generated or exported is none.
parents as (

    select
        point_id,
        case
            when quantity in ('heating_energy', 'cooling_energy')
                then replace(quantity, '_energy', '')
            when
                quantity in (
                    'active_energy_import',
                    'active_energy_net',
                    'active_power',
                    'battery_energy_charge'
                )
                then 'electricity'
        end as site_carrier
    from dim_points
    where point_id in (select links.parent_point_id from links)

),

branches as (

    select
        members.parent_point_id,
        members.member,
        figures.*
    from members
    inner join figures using (point_id)

),

remainders as (

    select
        parent_point_id,
        'remainder' as member,
        site_id,
        timezone,
        grain,
        starts_at,
        any_value(energy_wh) filter (where member = 'parent') as parent_wh,
        parent_wh - coalesce(
            {{ exact_sum("energy_wh", where="member = 'child'") }}, 0
        ) as energy_wh,
        {{ exact_sum("estimated_wh") }} as estimated_wh,
        {{ exact_sum("refused_wh") }} as refused_wh,
        min(covered_s / expected_s) as covered_share,
        case
            when bool_or(member = 'parent')
                then {{ least_settled("status", "is_unconfirmed") }}
            else 'incomplete'
        end as status,
        count(*) filter (where member = 'child') as children,
        count(*) filter (where member = 'child' and energy_wh is null) as missing_children,
        string_agg(point_id, ', ' order by point_id) filter (
            where member = 'child' and energy_wh is null
        ) as missing_point_ids,
        {{ exact_sum("largest_error_wh") }} as allowed_wh
    from branches
    group by parent_point_id, site_id, timezone, grain, starts_at

),

rows_of_branches as (

    select
        parent_point_id,
        member,
        point_id,
        site_id,
        timezone,
        grain,
        starts_at,
        energy_wh,
        estimated_wh,
        refused_wh,
        covered_s / expected_s as covered_share,
        case when status = 'final' and is_unconfirmed then 'unconfirmed' else status end as status
    from branches
    union all by name
    select * exclude (parent_wh) from remainders

)

select
    shown.site_id,
    shown.parent_point_id,
    shown.member,
    shown.point_id,
    shown.grain,
    shown.starts_at,
    periods.local_start,
    periods.local_day,
    shown.timezone,
    shown.energy_wh,
    shown.energy_wh / 1000 as energy_kwh,
    {{ share("shown.energy_wh", "remainders.parent_wh") }} as share_of_parent,
    {{ share("shown.energy_wh", "sites.site_wh") }} as share_of_site,
    shown.estimated_wh,
    shown.refused_wh,
    periods.expected_s,
    shown.covered_share,
    shown.children,
    shown.missing_children,
    shown.missing_point_ids,
    shown.allowed_wh,
    shown.member = 'remainder' and coalesce(shown.energy_wh < 0, false) as is_negative,
    shown.status,
    shown.status = 'final' as is_final
from rows_of_branches as shown
inner join periods using (timezone, grain, starts_at)
inner join remainders using (parent_point_id, grain, starts_at)
inner join parents on shown.parent_point_id = parents.point_id
left join sites
    on
        shown.site_id = sites.site_id
        and shown.grain = sites.grain
        and shown.starts_at = sites.starts_at
        and parents.site_carrier = sites.carrier
order by periods.local_day, shown.parent_point_id, shown.grain, shown.starts_at, shown.member
