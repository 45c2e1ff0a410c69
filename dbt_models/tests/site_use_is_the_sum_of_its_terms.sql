-- Site use rests on electricity alone: a site's heat never enters it, whatever its points are.
with terms as (
    select
        energy.site_id,
        energy.local_day,
        {{ exact_sum(
            "energy.energy_wh * case when points.site_term in ('export', 'charge') then -1 else 1 end"
        ) }} as use_wh
    from {{ ref("fct_energy_daily") }} as energy
    inner join {{ ref("dim_point") }} as points using (point_id)
    where
        points.site_term is not null
        and points.site_term not in ('heating', 'cooling')
        and {{ in_touched("energy.local_day") }}
    group by all
)

select site_id, local_day, terms.use_wh, sites.site_use_wh
from {{ ref("mart_site_energy") }} as sites
inner join terms using (site_id, local_day)
where abs(terms.use_wh - sites.site_use_wh) > 1e-6 * greatest(1, abs(terms.use_wh))
