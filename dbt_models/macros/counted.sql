{#
  What is counted, per quarter-hour, hour, day, week and month: energy in watt-hours, and beside it,
  in facts of its own, consumption in other units. Both families follow the same rules; only their
  columns differ, so that none of a column named _wh is ever m³ or varh.
#}
{% macro counted_names(family) -%}
    {%- if family == "energy" -%}
        {{ return({
            "amount": "energy_wh", "estimated": "estimated_wh", "refused": "refused_wh",
            "deltas": "stg_energy_deltas", "intervals": "stg_energy_intervals", "facts": "fct_energy"
        }) }}
    {%- else -%}
        {{ return({
            "amount": "consumption", "estimated": "estimated_consumption", "refused": "refused",
            "deltas": "stg_consumption_deltas", "intervals": "stg_consumption_intervals",
            "facts": "fct_consumption"
        }) }}
    {%- endif -%}
{%- endmacro %}


{# The sums of a group of rows, of quarter-hours or of longer periods. #}
{% macro counted_sums(names, rows, is_disputed) -%}
    {% if names.amount == "consumption" -%}
    min({{ rows }}.unit) as unit,
    {% endif -%}
    {{ exact_sum(rows ~ "." ~ names.amount) }} as amount,
    {{ exact_sum(rows ~ "." ~ names.estimated) }} as estimated,
    {{ exact_sum("coalesce(" ~ rows ~ "." ~ names.refused ~ ", 0)") }} as refused,
    bool_or({{ is_disputed }}) as is_disputed,
    {{ exact_sum(rows ~ ".covered_s") }} as covered_s,
    {{ one_method(rows ~ ".method") }} as method
{%- endmacro %}


{# The columns of figures, from such sums; rows without any sums are unknown. #}
{% macro counted_figures(names, sums) -%}
    {% if names.amount == "energy_wh" -%}
    {{ sums }}.amount as energy_wh,
    {{ sums }}.amount / 1000 as energy_kwh,
    {{ sums }}.estimated as estimated_wh,
    {{ share(sums ~ ".estimated", sums ~ ".amount") }} as estimated_share,
    coalesce({{ sums }}.refused, 0) as refused_wh,
    coalesce({{ sums }}.refused, 0) / 1000 as refused_kwh,
    {%- else -%}
    points.quantity,
    {{ sums }}.unit,
    {{ sums }}.amount as consumption,
    {{ sums }}.estimated as estimated_consumption,
    {{ share(sums ~ ".estimated", sums ~ ".amount") }} as estimated_share,
    coalesce({{ sums }}.refused, 0) as refused,
    {%- endif %}
    coalesce({{ sums }}.covered_s, 0) as covered_s,
{%- endmacro %}


{% macro counted_by_15min(family) %}
{%- set names = counted_names(family) -%}
-- A step back that restores the total after a spike spoils the buckets of both steps.
with reversals as (
    select
        reversal.point_id,
        coalesce(spike.start_at, reversal.start_at) as start_at,
        reversal.end_at
    from {{ ref(names.deltas) }} as reversal
    left join {{ ref(names.deltas) }} as spike
        on
            reversal.point_id = spike.point_id
            and reversal.start_at = spike.end_at
            and spike.end_at - spike.start_at <= interval 1 day
    where reversal.status = 'spike_reversal'
),

spoiled as (
    select distinct
        point_id,
        unnest(
            generate_series(
                time_bucket(interval 15 minutes, start_at),
                time_bucket(interval 15 minutes, end_at),
                interval 15 minutes
            )
        ) as interval_start
    from reversals
),

sums as (
    select
        parts.point_id,
        parts.interval_start,
        {{ counted_sums(names, "parts", "parts." ~ names.refused ~ " <> 0") }}
    from {{ ref(names.intervals) }} as parts
    group by parts.point_id, parts.interval_start
),

buckets as (
    select
        sums.* replace (
            {{ known("sums.amount", "sums.covered_s") }} as amount,
            {{ known("sums.estimated", "sums.covered_s", of="sums.amount") }} as estimated
        ),
        {{ in_service_end("sums.interval_start + interval 15 minutes") }} as ends_at,
        {{ seconds_between("sums.interval_start", "ends_at") }} as expected_s
    from sums
    inner join {{ ref("stg_points") }} as points using (point_id)
    where points.until_at is null or sums.interval_start < points.until_at
)

select
    buckets.point_id,
    points.site_id,
    calendar.timezone,
    buckets.interval_start,
    calendar.local_start,
    calendar.utc_offset_s,
    calendar.local_day,
    {{ counted_figures(names, "buckets") }}
    buckets.expected_s,
    spoiled.point_id is not null as is_spike_reversal,
    buckets.method,
    {{ period_status(
        "buckets.ends_at", "buckets.is_disputed", "buckets.covered_s", "buckets.expected_s"
    ) }} as status,
    points.last_end_at >= buckets.ends_at as is_closed,
    status = 'final' as is_final
from buckets
inner join {{ ref("stg_points") }} as points using (point_id)
inner join {{ ref("stg_calendar") }} as calendar
    on
        points.timezone = calendar.timezone
        and buckets.interval_start = calendar.interval_start
left join spoiled
    on
        buckets.point_id = spoiled.point_id
        and buckets.interval_start = spoiled.interval_start
order by buckets.interval_start, buckets.point_id
{% endmacro %}


{% macro counted_by_hour(family) %}
{%- set names = counted_names(family) -%}
with sums as (
    select
        parts.point_id,
        calendar.timezone,
        calendar.hour_start_at,
        calendar.local_hour,
        calendar.utc_offset_s,
        calendar.local_day,
        calendar.hour_expected_s,
        {{ counted_sums(names, "parts", "parts.status = 'disputed'") }}
    from {{ ref(names.facts ~ "_15min") }} as parts
    inner join {{ ref("stg_calendar") }} as calendar using (timezone, interval_start)
    group by all
),

hours as (
    select
        sums.*,
        {{ in_service_end("sums.hour_start_at + to_seconds(sums.hour_expected_s)") }} as ends_at,
        {{ seconds_between("sums.hour_start_at", "ends_at") }} as expected_s
    from sums
    inner join {{ ref("stg_points") }} as points using (point_id)
)

select
    hours.point_id,
    points.site_id,
    hours.timezone,
    hours.hour_start_at,
    hours.local_hour,
    hours.utc_offset_s,
    hours.local_day,
    {{ counted_figures(names, "hours") }}
    hours.expected_s,
    hours.method,
    {{ period_status(
        "hours.ends_at", "hours.is_disputed", "hours.covered_s", "hours.expected_s"
    ) }} as status,
    points.last_end_at >= hours.ends_at as is_closed,
    status = 'final' as is_final
from hours
inner join {{ ref("stg_points") }} as points using (point_id)
order by hours.hour_start_at, hours.point_id
{% endmacro %}


{#
  Every point has a row for each local day from its first step to the end of the data, or until it
  goes out of service, also for days without any step: a silent meter is a row that says incomplete,
  not a hole, and its amount is unknown.
#}
{% macro counted_by_day(family) %}
{%- set names = counted_names(family) -%}
with sums as (
    select
        parts.point_id,
        parts.local_day,
        {{ counted_sums(names, "parts", "parts.status = 'disputed'") }}
    from {{ ref(names.facts ~ "_15min") }} as parts
    where {{ in_touched("parts.local_day") }}
    group by all
),

days as (
    select
        points.point_id,
        periods.timezone,
        periods.period_start as local_day,
        sums.* exclude (point_id, local_day),
        {{ in_service_end("periods.ends_at") }} as service_ends_at,
        {{ seconds_between("periods.starts_at", "service_ends_at") }} as expected_s
    from {{ ref("stg_points") }} as points
    inner join {{ ref("stg_touched_periods") }} as periods using (timezone)
    left join sums
        on
            points.point_id = sums.point_id
            and periods.period_start = sums.local_day
    where
        periods.grain = 'day'
        and points.family = '{{ family }}'
        and periods.ends_at > points.first_start_at
        and periods.starts_at < points.horizon_at
)

select
    days.point_id,
    points.site_id,
    days.timezone,
    days.local_day,
    {{ counted_figures(names, "days") }}
    days.expected_s,
    coalesce(days.covered_s, 0) / days.expected_s as covered_share,
    days.method,
    {{ period_status(
        "days.service_ends_at",
        "coalesce(days.is_disputed, false)",
        "coalesce(days.covered_s, 0)",
        "days.expected_s"
    ) }} as status,
    points.last_end_at >= days.service_ends_at as is_closed,
    status = 'final' as is_final
from days
inner join {{ ref("stg_points") }} as points using (point_id)
order by days.local_day, days.point_id
{% endmacro %}


{# Weeks and months are the sums of their local days; their status is judged at their own end. #}
{% macro counted_by_period(family, grain) %}
{%- set names = counted_names(family) -%}
with sums as (
    select
        parts.point_id,
        periods.timezone,
        periods.period_start as local_{{ grain }},
        periods.starts_at,
        periods.ends_at,
        {{ counted_sums(names, "parts", "parts.status = 'disputed'") }},
        count(*) as days
    from {{ ref(names.facts ~ "_daily") }} as parts
    inner join {{ ref("stg_touched_periods") }} as periods
        on
            periods.grain = '{{ grain }}'
            and parts.timezone = periods.timezone
            and date_trunc('{{ grain }}', parts.local_day) = periods.period_start
    group by all
),

periods as (
    select
        sums.*,
        {{ in_service_end("sums.ends_at") }} as service_ends_at,
        {{ seconds_between("sums.starts_at", "service_ends_at") }} as expected_s
    from sums
    inner join {{ ref("stg_points") }} as points using (point_id)
)

select
    periods.point_id,
    points.site_id,
    periods.timezone,
    periods.local_{{ grain }},
    {{ counted_figures(names, "periods") }}
    periods.expected_s,
    periods.covered_s / periods.expected_s as covered_share,
    periods.days,
    periods.method,
    {{ period_status(
        "periods.service_ends_at",
        "periods.is_disputed",
        "periods.covered_s",
        "periods.expected_s"
    ) }} as status,
    points.last_end_at >= periods.service_ends_at as is_closed,
    status = 'final' as is_final
from periods
inner join {{ ref("stg_points") }} as points using (point_id)
order by periods.local_{{ grain }}, periods.point_id
{% endmacro %}
