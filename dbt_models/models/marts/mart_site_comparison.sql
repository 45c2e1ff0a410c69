{{ config(
    materialized="incremental",
    incremental_strategy="compared"
) }}
-- depends_on: {{ ref("stg_build__affected_points") }}

{%- set columns = [
    "site_use_wh", "expected_s", "least_covered_share", "is_closed", "points_counted",
    "floor_area_m2", "status"
] %}

with days as (

    select
        'day' as grain,
        site_id,
        timezone,
        local_day,
        {{ columns | join(", ") }}
    from {{ ref("mart_site_energy") }}

),

weeks as (

    select
        'week' as grain,
        site_id,
        timezone,
        local_week as local_day,
        {{ columns | join(", ") }}
    from {{ ref("mart_site_energy_weekly") }}

),

months as (

    select
        'month' as grain,
        site_id,
        timezone,
        local_month as local_day,
        {{ columns | join(", ") }}
    from {{ ref("mart_site_energy_monthly") }}

),

compared_periods as (

    select * from {{ ref("stg_build__compared_periods") }}

),

affected_points as (

    select * from {{ ref("stg_build__affected_points") }}

),

-- Of all others nothing is looked at: the longest look back is a week's, of 53 weeks.
span as (

    select
        min(period_start) - 371 as first_start,
        max(period_start) as last_start
    from compared_periods

),

everything as (

    select * from days
    union all by name
    select * from weeks
    union all by name
    select * from months

),

periods as (

    select * from everything
    where
        local_day >= (select span.first_start from span)
        and local_day <= (select span.last_start from span)

),

-- The same period a year before: of a leap day and of most weeks 53 there is none.
wanted as (

    select
        periods.*,
        cast(
            case grain
                when 'day' then local_day - interval 1 day
                when 'week' then local_day - interval 7 day
                else local_day - interval 1 month
            end as date
        ) as previous_start,
        cast(
            case
                when grain = 'week'
                    then
                        date_trunc('week', make_date(isoyear(local_day) - 1, 1, 4))
                        + to_days(cast(7 * (weekofyear(local_day) - 1) as integer))
                when month(local_day) = 2 and day(local_day) = 29 then null
                else local_day - interval 1 year
            end as date
        ) as same_start
    from periods
    semi join affected_points using (site_id)
    semi join compared_periods
        on
            periods.grain = compared_periods.grain
            and periods.timezone = compared_periods.timezone
            and periods.local_day = compared_periods.period_start

),

last_years as (

    select
        * exclude (same_start),
        case
            when grain <> 'week' or isoyear(same_start) = isoyear(local_day) - 1 then same_start
        end as last_year_start
    from wanted

),

compared as (

    select
        this.*,
        previous.site_use_wh as previous_use_wh,
        previous.expected_s as previous_expected_s,
        previous.status as previous_status,
        case
            when this.previous_start is null then 'no_such_period'
            when previous.site_id is null then 'no_data'
            when this.site_use_wh is null or previous.site_use_wh is null then 'unknown'
            when
                not (this.is_closed and previous.is_closed)
                or least(this.least_covered_share, previous.least_covered_share) < 0.99
                then 'not_covered'
            when this.points_counted <> previous.points_counted then 'other_points'
            else 'like_for_like'
        end as previous_comparison,
        last_year.site_use_wh as last_year_use_wh,
        last_year.expected_s as last_year_expected_s,
        last_year.status as last_year_status,
        case
            when this.last_year_start is null then 'no_such_period'
            when last_year.site_id is null then 'no_data'
            when this.site_use_wh is null or last_year.site_use_wh is null then 'unknown'
            when
                not (this.is_closed and last_year.is_closed)
                or least(this.least_covered_share, last_year.least_covered_share) < 0.99
                then 'not_covered'
            when this.points_counted <> last_year.points_counted then 'other_points'
            else 'like_for_like'
        end as last_year_comparison
    from last_years as this
    left join periods as previous
        on
            this.grain = previous.grain
            and this.site_id = previous.site_id
            and this.previous_start = previous.local_day
    left join periods as last_year
        on
            this.grain = last_year.grain
            and this.site_id = last_year.site_id
            and this.last_year_start = last_year.local_day

),

-- The twelve months that end with a month.
years as (

    select
        this.site_id,
        this.local_day,
        count(*) as year_months,
        min(others.least_covered_share) as year_least_covered_share,
        case
            when
                count(*) = 12
                and bool_and(coalesce(others.is_closed, false))
                and min(coalesce(others.least_covered_share, 0)) >= 0.99
                and not bool_or(others.site_use_wh is null)
                then {{ exact_sum("others.site_use_wh") }}
        end as year_use_wh
    from wanted as this
    inner join months as others
        on
            this.site_id = others.site_id
            and others.local_day <= this.local_day
            and others.local_day > this.local_day - interval 12 month
    where this.grain = 'month'
    group by this.site_id, this.local_day

)

select
    compared.grain,
    compared.site_id,
    compared.timezone,
    compared.local_day,
    compared.site_use_wh,
    compared.site_use_wh / 1000 as site_use_kwh,
    compared.status,
    {%- for other in ["previous", "last_year"] %}
    {%- set is_alike = "compared." ~ other ~ "_comparison = 'like_for_like'" %}
    compared.{{ other }}_start,
    compared.{{ other }}_use_wh,
    compared.{{ other }}_status,
    compared.{{ other }}_comparison,
    case when {{ is_alike }} then compared.site_use_wh - compared.{{ other }}_use_wh end
        as {{ other }}_change_wh,
    {{ other }}_change_wh / 1000 as {{ other }}_change_kwh,
    case
        when {{ is_alike }} and compared.{{ other }}_use_wh > 0
            then
                (compared.site_use_wh / compared.expected_s)
                / (compared.{{ other }}_use_wh / compared.{{ other }}_expected_s)
                - 1
    end as {{ other }}_change_share,
    {%- endfor %}
    years.year_months,
    years.year_least_covered_share,
    years.year_use_wh,
    years.year_use_wh / 1000 as year_use_kwh,
    years.year_use_wh / 1000 / compared.floor_area_m2 as eui_kwh_per_m2
from compared
left join years
    on
        compared.grain = 'month'
        and compared.site_id = years.site_id
        and compared.local_day = years.local_day
order by compared.local_day, compared.grain, compared.site_id
