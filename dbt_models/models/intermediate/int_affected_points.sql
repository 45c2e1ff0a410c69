-- The points that this build rebuilds; what a site is made of needs all of int_points.
with points as (

    select * from {{ ref("int_points") }}

),

affected_points as (

    select * from {{ ref("stg_build__affected_points") }}

)

select * from points
semi join affected_points using (point_id)
