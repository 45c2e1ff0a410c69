{{ config(
    materialized="incremental",
    incremental_strategy="touched",
    period="local_month",
    grain="month"
) }}

-- Estimated, reversed and negative buckets say nothing about power; a site's bucket counts only
-- when all of its mains do.
with buckets as (
    select
        energy.point_id,
        energy.site_id,
        energy.timezone,
        cast(date_trunc('month', energy.local_day) as date) as local_month,
        energy.interval_start,
        energy.local_start,
        energy.energy_wh,
        points.site_term,
        energy.estimated_wh = 0 and not energy.is_spike_reversal and energy.energy_wh >= 0 as is_sound
    from {{ ref("fct_energy_15min") }} as energy
    inner join {{ ref("dim_point") }} as points using (point_id)
    where {{ in_touched("cast(date_trunc('month', energy.local_day) as date)", grain="month") }}
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
        is_sound
    from buckets
    union all
    select
        'site' as scope,
        site_id as scope_id,
        site_id,
        timezone,
        local_month,
        interval_start,
        local_start,
        {{ exact_sum("energy_wh") }} as energy_wh,
        bool_and(is_sound) as is_sound
    from buckets
    where site_term = 'import'
    group by all
)

select
    scope,
    scope_id,
    site_id,
    timezone,
    local_month,
    max(energy_wh) filter (where is_sound) * 4 as peak_w,
    peak_w / 1000 as peak_kw,
    arg_max(interval_start, (energy_wh, -epoch_us(interval_start))) filter (where is_sound)
        as peak_at,
    arg_max(local_start, (energy_wh, -epoch_us(interval_start))) filter (where is_sound)
        as peak_local_start,
    count(*) filter (where is_sound) as buckets_counted,
    count(*) filter (where not is_sound) as buckets_left_out
from demands
group by all
order by local_month, scope, scope_id
