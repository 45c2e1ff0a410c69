-- The affected periods, and the later ones whose figures look back on them: the next one, the same
-- one a year later, and for months the year that follows. A week looks back on the week of its
-- number, which lies 52 or 53 weeks before. Too many is no harm: they are only compared again.
with affected as (

    select * from {{ source("build", "affected") }}

),

later as (

    select
        grain,
        timezone,
        period_start,
        unnest(
            case grain
                when 'day' then [
                    period_start,
                    period_start + interval 1 day,
                    period_start + interval 1 year
                ]
                when 'week' then [
                    period_start,
                    period_start + interval 7 day,
                    period_start + interval 364 day,
                    period_start + interval 371 day
                ]
                else list_transform(
                    generate_series(0, 12), lambda months: period_start + to_months(months)
                )
            end
        ) as compared_start
    from affected

)

select distinct
    grain,
    timezone,
    cast(compared_start as date) as period_start
from later
