-- site_term says as what a point counts in mart_site_energy. A device that counts the same thing as
-- a total and per phase counts with the total; a net register counts only where the device has no
-- import register, power-derived energy only where it has no register in the same role. Of several
-- instruments on one load one counts, the first of them that would; heat behind another heat meter
-- is part of what that one shows. A virtual point counts where its role says so: its parts are
-- counted already.
with points as (

    select * from {{ source("portfolio", "points") }}

),

candidates as (

    select
        *,
        case
            when vendor = 'virtual' and role = 'none' then null
            when quantity = 'heating_energy' and role <> 'sub' and parent is null then 'heating'
            when quantity = 'cooling_energy' and role <> 'sub' and parent is null then 'cooling'
            -- Gas and heat next to electricity are no part of its balance.
            when carrier <> 'electricity' then null
            when quantity = 'active_energy_import' and role = 'main' then 'import'
            when quantity = 'active_energy_export' and role = 'main' then 'export'
            when quantity = 'active_energy_net' and role = 'main' then 'net'
            when quantity = 'generation_energy' and role = 'generation' then 'generation'
            when quantity = 'battery_energy_charge' and role = 'storage' then 'charge'
            when quantity = 'battery_energy_discharge' and role = 'storage' then 'discharge'
            when quantity = 'active_power' and energy_from_power then
                case role
                    when 'main' then 'net'
                    when 'generation' then 'generation'
                    when 'storage' then 'charge'
                end
        end as term
    from points

),

compared as (

    select
        *,
        phase <> 'total' and bool_or(phase = 'total') over same_term as is_part_of_total,
        term = 'net' and bool_or(term = 'import') over same_device as is_net_beside_import,
        quantity = 'active_power'
        and bool_or(term is not null and quantity <> 'active_power') over same_role
            as is_power_beside_register,
        coalesce(same_as, point_id) <> point_id
        and point_id <> first_value(point_id) over same_load as is_counted_by_another
    from candidates
    window
        same_device as (partition by device_id),
        same_role as (partition by device_id, role),
        same_term as (partition by device_id, term),
        same_load as (
            partition by coalesce(same_as, point_id), term
            order by same_as is not null, point_id
        )

)

select
    point_id,
    vendor,
    serial,
    key,
    device_id,
    device_name,
    site_id,
    name as point_name,
    quantity,
    canonical_unit as unit,
    unit as vendor_unit,
    kind,
    phase,
    carrier,
    role,
    case
        when
            is_part_of_total
            or is_net_beside_import
            or is_power_beside_register
            or is_counted_by_another
            then null
        else term
    end as site_term,
    every_s,
    maximum,
    rated_capacity_wh,
    max_power_w,
    parent as parent_point_id,
    same_as as same_as_point_id,
    accuracy_percent,
    until as until_at,
    confidence,
    is_confirmed
from compared
order by point_id
