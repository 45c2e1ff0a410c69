-- Every point of the portfolio with its site's clock, its first and last instants, and how far the
-- raw days of its vendor reach.
select
    points.*,
    sites.timezone,
    marks.first_reading_at,
    marks.first_start_at,
    marks.last_end_at,
    vendors.final_before,
    vendors.horizon_at
from {{ prepared("points") }} as points
inner join {{ prepared("sites") }} as sites using (site_id)
inner join {{ prepared("vendors") }} as vendors using (vendor)
left join {{ prepared("marks") }} as marks using (point_id)
