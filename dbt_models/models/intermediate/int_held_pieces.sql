-- What readings hold, cut at the quarter-hours of the touched days.
with readings as (

    select * from {{ ref("int_held_readings") }}
    where holds_until > "at"

),

calendar as (

    select * from {{ ref("stg_build__calendar") }}

),

pieces as (

    select
        *,
        unnest(
            generate_series(
                interval_start,
                time_bucket(interval 15 minutes, holds_until - interval 1 microsecond),
                interval 15 minutes
            )
        ) as piece_start
    from readings

)

select
    pieces.point_id,
    pieces.kind,
    pieces.value,
    pieces.unit,
    pieces.text,
    calendar.hour_start_at,
    calendar.local_day,
    {{ seconds_between(
        'greatest(pieces."at", pieces.piece_start)',
        "least(pieces.holds_until, pieces.piece_start + interval 15 minutes)"
    ) }} as held_s
from pieces
inner join calendar
    on
        pieces.timezone = calendar.timezone
        and pieces.piece_start = calendar.interval_start
