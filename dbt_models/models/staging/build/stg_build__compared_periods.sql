-- The affected periods, and the later ones whose figures look back on them: the next one, the same
-- one a year later, and for months the year that follows. A week looks back on the week of its
-- number, which lies 52 or 53 weeks before. Too many is no harm: they are only compared again.
with affected as (

    select * from {{ source("build", "affected") }}

),

steps as (

    select
        listed.grain,
        listed.days,
        listed.months
    from (
        values
        ('day', 0, 0),
        ('day', 1, 0),
        ('day', 0, 12),
        ('week', 0, 0),
        ('week', 7, 0),
        ('week', 364, 0),
        ('week', 371, 0)
    ) as listed (grain, days, months)
    union all
    select
        'month' as grain,
        0 as days,
        later.months
    from range(13) as later (months)

)

select distinct
    affected.grain,
    affected.timezone,
    cast(
        affected.period_start
        + to_days(cast(steps.days as integer))
        + to_months(cast(steps.months as integer)) as date
    ) as period_start
from affected
inner join steps using (grain)
