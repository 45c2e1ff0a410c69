{#
  The peaks of points and sites by local day, from `buckets`, `points` and `dim_points`.

  A site's bucket counts only where all of its mains do. `spikes` says which buckets are taken: those
  of a spike and the step back from it, whose demand is the mean of both, or all others.
#}
{% macro peaks_by_day(spikes) %}
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
        demand.local_day,
        demand.interval_start,
        demand.local_start,
        {{ exact_sum("demand.energy_wh") }} as energy_wh,
        bool_or(demand.is_estimated) as is_estimated,
        bool_or(demand.is_spike_reversal) as is_spike_reversal,
        bool_and(coalesce(demand.energy_wh >= 0, false)) as is_usable,
        count(*) as mains_with_row
    from buckets as demand
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
        local_day,
        interval_start,
        local_start,
        energy_wh,
        is_estimated,
        coalesce(energy_wh >= 0, false) as is_usable
    from buckets
    where {{ "" if spikes else "not " }}is_spike_reversal
    union all by name
    select
        'site' as scope,
        demand.site_id as scope_id,
        demand.site_id,
        demand.timezone,
        demand.local_day,
        demand.interval_start,
        demand.local_start,
        demand.energy_wh,
        demand.is_estimated,
        demand.is_usable and demand.mains_with_row = wanted.mains as is_usable
    from sites_demand as demand
    inner join mains_wanted as wanted using (site_id, interval_start)
    where {{ "" if spikes else "not " }}demand.is_spike_reversal

),

ranked as (

    select
        *,
        {{ demand_height("energy_wh", "interval_start") }} as height
    from demands

),

peaks as (

    select
        scope,
        scope_id,
        site_id,
        timezone,
        local_day,
        max(energy_wh) filter (where is_usable) as peak_wh,
        arg_max(energy_wh, height) filter (where is_usable) as highest_wh,
        arg_max(interval_start, height) filter (where is_usable) as peak_at,
        arg_max(local_start, height) filter (where is_usable) as peak_local_start,
        arg_max(is_estimated, height) filter (where is_usable) as peak_is_estimated,
        count(*) filter (where is_usable and not is_estimated) as buckets_counted,
        count(*) as buckets
    from ranked
    group by scope, scope_id, site_id, timezone, local_day

)
{%- endmacro %}


{#
  What decides which of two buckets is the peak. Of equal ones it is the earliest: less than a
  thousandth of a watt-hour is the rounding of contributions. One whole number, thousandths first and
  then how early the quarter-hour is: to compare two numbers instead took half of the model's time.
#}
{% macro demand_height(energy_wh, interval_start) -%}
    (
        cast(round({{ energy_wh }} * 1000) as hugeint) * 4294967296
        - epoch_us({{ interval_start }}) // 900000000
    )
{%- endmacro %}
