{#
  Installed power of a site's plants, from `dim_devices` and `dim_points`; null as soon as one of them
  does not state its own.
#}
{% macro installed_power() -%}
    select
        site_id,
        case when count(peak_power_w) = count(*) then sum(peak_power_w) end as peak_power_w
    from dim_devices
    where device_id in (
        select dim_points.device_id from dim_points where dim_points.site_term = 'generation'
    )
    group by site_id
{%- endmacro %}
