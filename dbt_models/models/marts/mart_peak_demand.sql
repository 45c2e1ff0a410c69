{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_month",
    grain="month",
    scope="site_id"
) }}

{%- set of_affected_months = in_affected(
    "cast(date_trunc('month', local_day) as date)",
    grain="month",
    day="local_day",
    scope="site_id"
) %}

-- No label keeps a bucket from being the peak. What is spread over a long step can only lie below
-- the true peak, so where it is the highest it is the peak, and says that it is estimated; so is
-- the mean of a spike and the step back from it, which is what both brought together. Only buckets
-- that were measured by themselves are counted as such. A bucket below zero is not demand. Of equal
-- buckets the earliest is named.
with days as (

    select * from {{ ref("int_peak_daily") }}
    where {{ of_affected_months }}

),

-- Read twice, and not kept: a month of quarter-hours is more than fits into memory.
spiked_quarter_hours as (

    select * from {{ ref("fct_energy_15min") }}
    where is_spike_reversal and {{ of_affected_months }}

),

quarter_hours as (

    select * from {{ ref("fct_energy_15min") }}
    where {{ of_affected_months }}

),

points as (

    select * from {{ ref("int_points") }}

),

dim_points as (

    select * from {{ ref("dim_point") }}

),

affected_periods as (

    select * from {{ ref("stg_build__affected_periods") }}

),

spikes as (

    select
        point_id,
        site_id,
        interval_start,
        date_trunc('month', local_day) as local_month,
        energy_wh,
        interval_start - to_minutes(
            15 * row_number() over (
                partition by point_id, date_trunc('month', local_day) order by interval_start
            )
        ) as stretch
    from spiked_quarter_hours

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

-- The other mains of a site count in the same bucket.
buckets as (

    select
        energy.point_id,
        energy.site_id,
        energy.timezone,
        energy.local_day,
        energy.interval_start,
        energy.local_start,
        coalesce(means.energy_wh, energy.energy_wh) as energy_wh,
        energy.is_spike_reversal,
        coalesce(energy.estimated_wh, 0) <> 0 or energy.is_spike_reversal as is_estimated
    from quarter_hours as energy
    semi join spikes using (site_id, interval_start)
    left join means
        on
            energy.point_id = means.point_id
            and energy.interval_start = means.interval_start

),

{{ peaks_by_day(spikes=true) }},

candidates as (

    select * from days
    union all by name
    select * from peaks

),

heights as (

    select
        *,
        {{ demand_height("highest_wh", "peak_at") }} as height
    from candidates

),

months as (

    select
        scope,
        scope_id,
        site_id,
        timezone,
        cast(date_trunc('month', local_day) as date) as local_month,
        max(peak_wh) as peak_wh,
        arg_max(peak_at, height) filter (where peak_at is not null) as peak_at,
        arg_max(peak_local_start, height) filter (where peak_at is not null) as peak_local_start,
        arg_max(peak_is_estimated, height) filter (where peak_at is not null) as peak_is_estimated,
        cast(sum(buckets_counted) as bigint) as buckets_counted,
        cast(sum(buckets) as bigint) as buckets
    from heights
    group by all

)

select
    months.scope,
    months.scope_id,
    months.site_id,
    months.timezone,
    months.local_month,
    months.peak_wh * 4 as peak_w,
    peak_w / 1000 as peak_kw,
    months.peak_at,
    months.peak_local_start,
    months.peak_is_estimated,
    months.buckets_counted,
    months.buckets - months.buckets_counted as buckets_left_out,
    months.buckets_counted * 900 / affected_periods.expected_s as covered_share
from months
inner join affected_periods
    on
        affected_periods.grain = 'month'
        and months.timezone = affected_periods.timezone
        and months.local_month = affected_periods.period_start
order by months.local_month, months.scope, months.scope_id
