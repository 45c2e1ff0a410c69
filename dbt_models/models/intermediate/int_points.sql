-- Every point of the portfolio with its site's clock, its first and last instants, and how far what
-- is known of it reaches: of a virtual point as far as of all that it is made of. A device that is
-- no longer read is out of service where its data ends.
with points as (

    select * from {{ source("portfolio", "points") }}

),

sites as (

    select * from {{ source("portfolio", "sites") }}

),

vendors as (

    select * from {{ source("build", "vendors") }}

),

point_extents as (

    select * from {{ source("build", "point_extents") }}

)

select
    points.*,
    sites.timezone,
    point_extents.first_reading_at,
    point_extents.first_start_at,
    point_extents.last_end_at,
    coalesce(
        points.until, case when not points.is_read then point_extents.last_end_at end
    ) as until_at,
    vendors.final_before,
    least(vendors.horizon_at, until_at) as horizon_at
from points
inner join sites using (site_id)
inner join vendors on points.read_from = vendors.vendor
left join point_extents using (point_id)
