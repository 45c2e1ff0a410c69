{# What readings of some kinds hold, cut at the quarter-hours of the touched days. #}
{% macro held_pieces(kinds) %}
    select
        readings.point_id,
        readings.value,
        calendar.hour_start_at,
        calendar.local_day,
        readings.unit,
        readings.text,
        {{ seconds_between(
            'greatest(readings."at", readings.piece_start)',
            "least(readings.holds_until, readings.piece_start + interval 15 minutes)"
        ) }} as held_s
    from (
        select
            *,
            unnest(
                generate_series(
                    interval_start,
                    time_bucket(interval 15 minutes, holds_until - interval 1 microsecond),
                    interval 15 minutes
                )
            ) as piece_start
        from {{ ref("stg_held_readings") }}
        where holds_until > "at" and kind in ({{ kinds }})
    ) as readings
    inner join {{ ref("stg_calendar") }} as calendar
        on
            readings.timezone = calendar.timezone
            and readings.piece_start = calendar.interval_start
{% endmacro %}
