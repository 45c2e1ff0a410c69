{#
  What is counted, per quarter-hour, hour, day, week and month: energy in watt-hours, and next to it,
  in facts of its own, consumption in other units. Both follow the same rules. A model imports its
  rows under the common names amount, estimated and refused, calls one of these macros for the
  common table expressions up to `figures`, and gives its columns their published names.

  `carried` names columns of the rows that every row of a point shares, such as unit.
#}


{# The sums of a group of rows, of quarter-hours or of longer periods. #}
{% macro _amount_sums(rows, carried, is_disputed) -%}
    {% for column in carried -%}
    min({{ rows }}.{{ column }}) as {{ column }},
        {% endfor -%}
    {{ exact_sum(rows ~ ".amount") }} as amount,
        {{ exact_sum(rows ~ ".estimated") }} as estimated,
        {{ exact_sum("coalesce(" ~ rows ~ ".refused, 0)") }} as refused,
        bool_or({{ is_disputed }}) as is_disputed,
        {{ exact_sum(rows ~ ".covered_s") }} as covered_s,
        {{ one_method(rows ~ ".method") }} as method
{%- endmacro %}


{# The same of rows of which each is a group by itself. #}
{% macro _amounts_alone(rows, carried, is_disputed) -%}
    {% for column in carried -%}
    {{ rows }}.{{ column }},
        {% endfor -%}
    {{ exact(rows ~ ".amount") }} as amount,
        {{ exact(rows ~ ".estimated") }} as estimated,
        {{ exact("coalesce(" ~ rows ~ ".refused, 0)") }} as refused,
        {{ is_disputed }} as is_disputed,
        {{ exact(rows ~ ".covered_s") }} as covered_s,
        {{ rows }}.method
{%- endmacro %}


{# The figures of such sums; `ends_at` is the end of the period in which the point was in service. #}
{% macro _amount_figures(sums, carried) -%}
    points.quantity,
        {% for column in carried -%}
        {{ sums }}.{{ column }},
        {% endfor -%}
        {{ sums }}.amount,
        {{ sums }}.estimated,
        {{ share(sums ~ ".estimated", sums ~ ".amount") }} as estimated_share,
        coalesce({{ sums }}.refused, 0) as refused,
        coalesce({{ sums }}.covered_s, 0) as covered_s,
        {{ sums }}.expected_s,
        coalesce({{ sums }}.covered_s, 0) / {{ sums }}.expected_s as covered_share,
        {{ sums }}.method,
        {{ period_status(
            sums ~ ".service_ends_at",
            "coalesce(" ~ sums ~ ".is_disputed, false)",
            "coalesce(" ~ sums ~ ".covered_s, 0)",
            sums ~ ".expected_s"
        ) }} as status,
        points.last_end_at >= {{ sums }}.service_ends_at as is_closed,
        status = 'final' as is_final
{%- endmacro %}


{#
  From `deltas`, `intervals`, `points` and `calendar`. Who calls it need not sort: the rows come as
  they lie in the day files, by UTC day, point and time, which DuckDB keeps, and as they are
  published. Sorting them took an eighth of the processor time of a build.
#}
{% macro amounts_by_15min(carried=[]) %}
-- A step back that restores the total after a spike spoils the buckets of both steps. Reversals
-- are few: by their points the steps that are looked at become few too.
steps_back as (

    select
        point_id,
        start_at,
        end_at
    from deltas
    where status = 'spike_reversal'

),

reversals as (

    select
        reversal.point_id,
        coalesce(spike.start_at, reversal.start_at) as start_at,
        reversal.end_at
    from steps_back as reversal
    left join deltas as spike
        on
            reversal.point_id = spike.point_id
            and reversal.start_at = spike.end_at
            and {{ seconds_between("spike.start_at", "spike.end_at") }} <= 86400

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

-- Read several times, and not kept: they are as many as the quarter-hours.
contributions as not materialized (

    select intervals.*
    from intervals
    semi join points using (point_id)
    where
        intervals.interval_start between (
            select min(calendar.interval_start) from calendar
        ) and (
            select max(calendar.interval_start) from calendar
        )

),

-- A day file has a bucket of a point once. Two files can only share one that lies outside the day of
-- one of them, and few do. All others are their own sums: grouping them took half of the model's time.
shared as (

    select distinct
        point_id,
        interval_start
    from contributions
    where is_within_file_day is not true

),

sums as (

    select
        contributions.point_id,
        contributions.interval_start,
        {{ _amounts_alone("contributions", carried, "contributions.refused <> 0") }}
    from contributions
    anti join shared using (point_id, interval_start)
    union all by name
    select
        contributions.point_id,
        contributions.interval_start,
        {{ _amount_sums("contributions", carried, "contributions.refused <> 0") }}
    from contributions
    semi join shared using (point_id, interval_start)
    group by contributions.point_id, contributions.interval_start

),

buckets as (

    select
        sums.* replace (
            {{ known("sums.amount", "sums.covered_s") }} as amount,
            {{ known("sums.estimated", "sums.covered_s", of="sums.amount") }} as estimated
        ),
        {{ in_service_end("sums.interval_start + interval 15 minutes") }} as service_ends_at,
        {{ seconds_between("sums.interval_start", "service_ends_at") }} as expected_s
    from sums
    inner join points using (point_id)
    where points.until_at is null or sums.interval_start < points.until_at

),

figures as (

    select
        buckets.point_id,
        points.site_id,
        calendar.timezone,
        buckets.interval_start,
        calendar.local_start,
        calendar.utc_offset_s,
        calendar.local_day,
        (buckets.point_id, buckets.interval_start) in (
            select
                spoiled.point_id,
                spoiled.interval_start
            from spoiled
        ) as is_spike_reversal,
        {{ _amount_figures("buckets", carried) }}
    from buckets
    inner join points using (point_id)
    inner join calendar
        on
            {{ zone_of("buckets", "points") }} = calendar.timezone
            and buckets.interval_start = calendar.interval_start

)
{%- endmacro %}


{# From `quarter_hours`, `points` and `calendar`. #}
{% macro amounts_by_hour(carried=[]) %}
sums as (

    select
        quarter_hours.point_id,
        calendar.timezone,
        calendar.hour_start_at,
        calendar.local_hour,
        calendar.utc_offset_s,
        calendar.local_day,
        calendar.hour_expected_s,
        {{ _amount_sums("quarter_hours", carried, "quarter_hours.status = 'disputed'") }}
    from quarter_hours
    inner join calendar using (timezone, interval_start)
    group by all

),

hours as (

    select
        sums.*,
        {{ in_service_end("sums.hour_start_at + to_seconds(sums.hour_expected_s)") }}
            as service_ends_at,
        {{ seconds_between("sums.hour_start_at", "service_ends_at") }} as expected_s
    from sums
    inner join points using (point_id)

),

figures as (

    select
        hours.point_id,
        points.site_id,
        hours.timezone,
        hours.hour_start_at,
        hours.local_hour,
        hours.utc_offset_s,
        hours.local_day,
        {{ _amount_figures("hours", carried) }}
    from hours
    inner join points using (point_id)

)
{%- endmacro %}


{#
  From the `quarter_hours` of the affected days, `points` of the family and `affected_periods`.

  Every point has a row for each local day from its first step to the end of the data, or until it
  goes out of service, also for days without any step: a silent meter is a row that says incomplete,
  not a gap, and its amount is unknown.
#}
{% macro amounts_by_day(carried=[]) %}
sums as (

    select
        quarter_hours.point_id,
        quarter_hours.local_day,
        {{ _amount_sums("quarter_hours", carried, "quarter_hours.status = 'disputed'") }}
    from quarter_hours
    group by all

),

days as (

    select
        points.point_id,
        affected_periods.timezone,
        affected_periods.period_start as local_day,
        sums.* exclude (point_id, local_day),
        {{ in_service_end("affected_periods.ends_at") }} as service_ends_at,
        {{ seconds_between("affected_periods.starts_at", "service_ends_at") }} as expected_s
    from points
    inner join affected_periods using (timezone)
    left join sums
        on
            points.point_id = sums.point_id
            and affected_periods.period_start = sums.local_day
    where
        affected_periods.grain = 'day'
        and affected_periods.ends_at > points.first_start_at
        and affected_periods.starts_at < points.horizon_at

),

figures as (

    select
        days.point_id,
        points.site_id,
        days.timezone,
        days.local_day,
        {{ _amount_figures("days", carried) }}
    from days
    inner join points using (point_id)

)
{%- endmacro %}


{#
  From `days`, `points` and `affected_periods`: weeks and months are the sums of their local days;
  their status is judged at their own end.
#}
{% macro amounts_by_period(grain, carried=[]) %}
sums as (

    select
        days.point_id,
        affected_periods.timezone,
        affected_periods.period_start as local_{{ grain }},
        affected_periods.starts_at,
        affected_periods.ends_at,
        {{ _amount_sums("days", carried, "days.status = 'disputed'") }},
        count(*) as days
    from days
    inner join affected_periods
        on
            affected_periods.grain = '{{ grain }}'
            and days.timezone = affected_periods.timezone
            and date_trunc('{{ grain }}', days.local_day) = affected_periods.period_start
    group by all

),

periods as (

    select
        sums.*,
        {{ in_service_end("sums.ends_at") }} as service_ends_at,
        {{ seconds_between("sums.starts_at", "service_ends_at") }} as expected_s
    from sums
    inner join points using (point_id)

),

figures as (

    select
        periods.point_id,
        points.site_id,
        periods.timezone,
        periods.local_{{ grain }},
        periods.days,
        {{ _amount_figures("periods", carried) }}
    from periods
    inner join points using (point_id)

)
{%- endmacro %}
