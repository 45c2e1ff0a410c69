-- Site use rests on electricity alone: a site's heat never enters it, whatever its points are.
with energy as (

    select * from {{ ref("fct_energy_daily") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

points as (

    select * from {{ ref("dim_point") }}
    where site_term not in ('heating', 'cooling')

),

sites as (

    select * from {{ ref("mart_site_energy") }}
    where {{ in_affected("local_day", scope="site_id") }}

),

terms as (

    select
        energy.site_id,
        energy.local_day,
        {{ exact_sum(
            "energy.energy_wh * case when points.site_term in ('export', 'charge') then -1 else 1 end"
        ) }} as use_wh
    from energy
    inner join points using (point_id)
    group by all

)

select
    site_id,
    local_day,
    terms.use_wh,
    sites.site_use_wh
from sites
inner join terms using (site_id, local_day)
where abs(terms.use_wh - sites.site_use_wh) > 1e-6 * greatest(1, abs(terms.use_wh))
