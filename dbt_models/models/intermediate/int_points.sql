-- Every point of the portfolio with its site's clock, its first and last instants, and how far what
-- is known of it reaches. A device that is no longer read is out of service where its data ends.
with points as (

    select * from {{ source("portfolio", "points") }}

),

sites as (

    select * from {{ source("portfolio", "sites") }}

),

vendors as (

    select * from {{ source("build", "vendors") }}

),

marks as (

    select * from {{ source("build", "marks") }}

)

select
    points.*,
    case
        when
            points.kind in ('register', 'increment')
            and points.quantity in (
                'reactive_energy_import',
                'reactive_energy_export',
                'apparent_energy',
                'volume',
                'operating_time',
                'other'
            )
            then 'consumption'
        else 'energy'
    end as family,
    sites.timezone,
    marks.first_reading_at,
    marks.first_start_at,
    marks.last_end_at,
    coalesce(points.until, case when not points.is_read then marks.last_end_at end) as until_at,
    vendors.final_before,
    least(vendors.horizon_at, until_at) as horizon_at
from points
inner join sites using (site_id)
inner join vendors using (vendor)
left join marks using (point_id)
