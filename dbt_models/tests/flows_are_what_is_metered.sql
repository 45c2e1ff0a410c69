-- The flows out of a source add up to it; those into the battery and the grid never exceed them.
with flows as (

    select * from {{ ref("mart_energy_flows") }}
    where {{ in_affected("local_day", scope="site_id") }}

)

select
    site_id,
    interval_start
from flows
where
    abs(production_to_load_wh + production_to_battery_wh + production_to_grid_wh - production_wh)
    > 1e-6 * greatest(1, production_wh)
    or abs(battery_to_load_wh + battery_to_battery_wh + battery_to_grid_wh - discharge_wh)
    > 1e-6 * greatest(1, discharge_wh)
    or abs(grid_to_load_wh + grid_to_battery_wh + grid_to_grid_wh - import_wh)
    > 1e-6 * greatest(1, import_wh)
    or production_to_battery_wh + grid_to_battery_wh + battery_to_battery_wh
    > charge_wh + 1e-6 * greatest(1, charge_wh)
    or production_to_grid_wh + battery_to_grid_wh + grid_to_grid_wh
    > export_wh + 1e-6 * greatest(1, export_wh)
