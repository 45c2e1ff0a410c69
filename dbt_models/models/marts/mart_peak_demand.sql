{{ config(
    materialized="incremental",
    incremental_strategy="touched",
    period="local_month",
    grain="month"
) }}

-- No label keeps a bucket from being the peak. What is spread over a long step can only lie below
-- the true peak, so where it is the highest it is the peak, and says that it is estimated; so is
-- the mean of a spike and the step back from it, which is what both brought together. Only buckets
-- that were measured by themselves are counted as such. A bucket below zero is no demand. Of equal
-- buckets the earliest is named: less than a thousandth of a watt-hour is the rounding of
-- contributions.
with quarter_hours as (

    select * from {{ ref("fct_energy_15min") }}
    where {{ in_touched("cast(date_trunc('month', local_day) as date)", grain="month") }}

),

points as (

    select * from {{ ref("int_points") }}

),

dim_points as (

    select * from {{ ref("dim_point") }}

),

touched_periods as (

    select * from {{ ref("stg_build__touched_periods") }}

),

buckets as (

    select
        energy.point_id,
        energy.site_id,
        energy.timezone,
        cast(date_trunc('month', energy.local_day) as date) as local_month,
        energy.interval_start,
        energy.local_start,
        energy.energy_wh,
        energy.is_spike_reversal,
        coalesce(energy.estimated_wh, 0) <> 0 or energy.is_spike_reversal as is_estimated
    from quarter_hours as energy

),

spikes as (

    select
        point_id,
        interval_start,
        local_month,
        energy_wh,
        interval_start - to_minutes(
            15 * row_number() over (partition by point_id, local_month order by interval_start)
        ) as stretch
    from buckets
    where is_spike_reversal

),

stretches as (

    select
        point_id,
        local_month,
        stretch,
        {{ exact_sum("energy_wh") }} / count(*) as energy_wh
    from spikes
    group by all

),

means as (

    select
        spikes.point_id,
        spikes.interval_start,
        stretches.energy_wh
    from spikes
    inner join stretches using (point_id, local_month, stretch)

),

points_demand as (

    select
        buckets.* replace (coalesce(means.energy_wh, buckets.energy_wh) as energy_wh),
        coalesce(means.energy_wh, buckets.energy_wh) >= 0 as is_usable
    from buckets
    left join means using (point_id, interval_start)

),

mains as (

    select
        point_id,
        points.site_id,
        points.first_start_at,
        points.until_at
    from points
    inner join dim_points using (point_id)
    where dim_points.site_term = 'import' and (points.is_read or points.first_start_at is not null)

),

sites_demand as (

    select
        demand.site_id,
        demand.timezone,
        demand.local_month,
        demand.interval_start,
        demand.local_start,
        {{ exact_sum("demand.energy_wh") }} as energy_wh,
        bool_or(demand.is_estimated) as is_estimated,
        bool_and(coalesce(demand.is_usable, false)) as is_usable,
        count(*) as mains_with_row
    from points_demand as demand
    semi join mains using (point_id)
    group by all

),

-- The mains a site had in service at a bucket; one that never said anything always was.
mains_wanted as (

    select
        demand.site_id,
        demand.interval_start,
        count(*) as mains
    from sites_demand as demand
    inner join mains
        on
            demand.site_id = mains.site_id
            and (
                mains.first_start_at is null
                or mains.first_start_at < demand.interval_start + interval 15 minutes
            )
            and (mains.until_at is null or mains.until_at > demand.interval_start)
    group by all

),

demands as (

    select
        'point' as scope,
        point_id as scope_id,
        site_id,
        timezone,
        local_month,
        interval_start,
        local_start,
        energy_wh,
        is_estimated,
        coalesce(is_usable, false) as is_usable
    from points_demand
    union all by name
    select
        'site' as scope,
        demand.site_id as scope_id,
        demand.site_id,
        demand.timezone,
        demand.local_month,
        demand.interval_start,
        demand.local_start,
        demand.energy_wh,
        demand.is_estimated,
        demand.is_usable and demand.mains_with_row = wanted.mains as is_usable
    from sites_demand as demand
    inner join mains_wanted as wanted using (site_id, interval_start)

),

ranked as (

    select
        *,
        (round(energy_wh, 3), -epoch_us(interval_start)) as height
    from demands

)

select
    ranked.scope,
    ranked.scope_id,
    ranked.site_id,
    ranked.timezone,
    ranked.local_month,
    max(ranked.energy_wh) filter (where ranked.is_usable) * 4 as peak_w,
    peak_w / 1000 as peak_kw,
    arg_max(ranked.interval_start, ranked.height) filter (where ranked.is_usable) as peak_at,
    arg_max(ranked.local_start, ranked.height) filter (
        where ranked.is_usable
    ) as peak_local_start,
    arg_max(ranked.is_estimated, ranked.height) filter (
        where ranked.is_usable
    ) as peak_is_estimated,
    count(*) filter (where ranked.is_usable and not ranked.is_estimated) as buckets_counted,
    count(*) - buckets_counted as buckets_left_out,
    buckets_counted * 900 / any_value(touched_periods.expected_s) as covered_share
from ranked
inner join touched_periods
    on
        touched_periods.grain = 'month'
        and ranked.timezone = touched_periods.timezone
        and ranked.local_month = touched_periods.period_start
group by
    ranked.scope,
    ranked.scope_id,
    ranked.site_id,
    ranked.timezone,
    ranked.local_month
order by ranked.local_month, ranked.scope, ranked.scope_id
