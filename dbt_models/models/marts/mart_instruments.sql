{{ config(
    materialized="incremental",
    incremental_strategy="affected",
    period="local_day",
    scope="site_id"
) }}
-- depends_on: {{ ref("stg_build__affected_periods") }}

-- Each shows the same load. What one of them missed says nothing about the other, so days are
-- judged that both cover. The classes bound the error of each on its own, so they add up.
with points as (

    select * from {{ ref("int_points") }}
    where site_id in (select site_id from {{ ref("stg_build__affected_points") }})

),

energy as (

    select * from {{ ref("fct_energy_daily") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

pairs as (

    select
        points.site_id,
        points.timezone,
        points.point_id,
        points.accuracy_percent,
        points.resolution_wh,
        others.point_id as other_point_id,
        others.accuracy_percent as other_accuracy_percent,
        others.resolution_wh as other_resolution_wh,
        not points.is_confirmed or not others.is_confirmed as is_unconfirmed
    from points
    inner join points as others on points.point_id = others.same_as

),

days as (

    select
        pairs.*,
        ours.local_day,
        ours.energy_wh,
        theirs.energy_wh as other_energy_wh,
        ours.status,
        theirs.status as other_status,
        least(ours.covered_share, theirs.covered_share) as covered_share
    from pairs
    inner join energy as ours on pairs.point_id = ours.point_id
    inner join energy as theirs
        on
            pairs.other_point_id = theirs.point_id
            and ours.local_day = theirs.local_day

),

compared as (

    select
        *,
        other_energy_wh - energy_wh as difference_wh,
        {{ largest_error_wh("accuracy_percent", "energy_wh", "resolution_wh") }}
        + {{ largest_error_wh("other_accuracy_percent", "other_energy_wh", "other_resolution_wh") }}
            as allowed_wh,
        case
            when 'disputed' in (status, other_status) then 'disputed'
            when 'incomplete' in (status, other_status) then 'incomplete'
            when 'open' in (status, other_status) then 'open'
            when 'partial' in (status, other_status) then 'partial'
            when 'closed' in (status, other_status) then 'closed'
            when is_unconfirmed then 'unconfirmed'
            else 'final'
        end as least_settled
    from days

)

select
    site_id,
    point_id,
    other_point_id,
    timezone,
    local_day,
    energy_wh,
    other_energy_wh,
    difference_wh,
    100 * {{ share("difference_wh", "energy_wh") }} as difference_percent,
    accuracy_percent,
    other_accuracy_percent,
    allowed_wh,
    100 * {{ share("allowed_wh", "abs(energy_wh)") }} as allowed_percent,
    covered_share,
    case
        when difference_wh is null or covered_share < 0.99 or least_settled = 'disputed'
            then 'not_comparable'
        when allowed_wh is null then 'class_not_known'
        when abs(difference_wh) <= allowed_wh then 'agree'
        else 'differ'
    end as verdict,
    least_settled as status,
    least_settled = 'final' as is_final
from compared
order by local_day, point_id, other_point_id
