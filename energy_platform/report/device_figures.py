"""Figures of what stands in a building: tree, plant and batteries, UPS, valves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.report.records import Battery, Flows, TreeMember, Ups, Valve
from energy_platform.report.rows import Scope, records

if TYPE_CHECKING:
    import duckdb

_TREE_NAMES: Final = """
left join dim_point as points on rows.point_id = points.point_id
left join (
    select device_id, count(distinct point_id) as points
    from dim_point
    where point_id in (select point_id from mart_submetering where site_id = $site)
    group by device_id
) as devices on points.device_id = devices.device_id
"""

_NAME: Final = """
    case
        when devices.points > 1 then points.device_name || ': ' || points.point_name
        else coalesce(points.device_name, rows.point_id)
    end as name
"""

_TREE_MONTH: Final = f"""
select
    rows.parent_point_id, rows.member, rows.point_id, {_NAME}, rows.energy_kwh,
    rows.share_of_parent, rows.share_of_site, rows.covered_share, rows.missing_children,
    rows.missing_point_ids, rows.is_negative, rows.status
from mart_submetering as rows
{_TREE_NAMES}
where rows.site_id = $site and rows.grain = 'month' and rows.local_day = $first
order by rows.parent_point_id, rows.energy_kwh desc nulls last, rows.point_id
"""  # noqa: S608 - names of ours

_TREE_WEEK: Final = f"""
with rows as (

    select
        parent_point_id,
        member,
        point_id,
        case when count(*) = count(energy_kwh) then sum(energy_kwh) end as energy_kwh,
        sum(covered_share * expected_s) / sum(expected_s) as covered_share,
        max(missing_children) as missing_children,
        max(missing_point_ids) as missing_point_ids,
        coalesce(
            arg_min(status, list_position(
                ['disputed', 'incomplete', 'open', 'partial', 'closed', 'unconfirmed', 'final'],
                status
            )),
            'open'
        ) as status
    from mart_submetering
    where site_id = $site and grain = 'day' and local_day between $first and $last
    group by parent_point_id, member, point_id

),

uses as (

    select case when count(*) = count(site_use_kwh) then sum(site_use_kwh) end as site_use_kwh
    from mart_site_energy
    where site_id = $site and local_day between $first and $last

)

select
    rows.parent_point_id, rows.member, rows.point_id, {_NAME}, rows.energy_kwh,
    rows.energy_kwh / nullif(parents.energy_kwh, 0) as share_of_parent,
    case
        when points.quantity like '%import' or rows.member = 'remainder'
            then rows.energy_kwh / nullif(uses.site_use_kwh, 0)
    end as share_of_site,
    rows.covered_share, rows.missing_children, rows.missing_point_ids,
    rows.member = 'remainder' and coalesce(rows.energy_kwh, 0) < 0 as is_negative,
    rows.status
from rows
cross join uses
left join rows as parents
    on rows.parent_point_id = parents.parent_point_id and parents.member = 'parent'
{_TREE_NAMES}
order by rows.parent_point_id, rows.energy_kwh desc nulls last, rows.point_id
"""  # noqa: S608 - names of ours
"""The mart has hours, days and months; a week is known where each of its days is."""

_FLOW_COLUMNS: Final = """
    production_wh / 1000 as production,
    import_wh / 1000 as import,
    export_wh / 1000 as export,
    load_wh / 1000 as load,
    unexplained_wh / 1000 as unexplained,
    production_to_load_wh / 1000 as production_to_load,
    production_to_battery_wh / 1000 as production_to_battery,
    production_to_grid_wh / 1000 as production_to_grid,
    battery_to_load_wh / 1000 as battery_to_load,
    battery_to_grid_wh / 1000 as battery_to_grid,
    grid_to_load_wh / 1000 as grid_to_load,
    grid_to_battery_wh / 1000 as grid_to_battery,
    self_consumption, self_sufficiency, self_sufficiency_least, self_sufficiency_most,
    specific_yield_kwh_per_kwp, covered_share, status
"""

_FLOWS_MONTH: Final = f"""
select {_FLOW_COLUMNS}
from mart_self_consumption_monthly
where site_id = $site and local_month = $first
"""  # noqa: S608 - names of ours

_SUMMED: Final = (
    "production",
    "import",
    "export",
    "load",
    "unexplained",
    "production_to_load",
    "production_to_battery",
    "production_to_grid",
    "battery_to_load",
    "battery_to_grid",
    "grid_to_load",
    "grid_to_battery",
)

_FLOWS_WEEK: Final = f"""
with sums as (

    select
        {", ".join(f"sum({one}_wh) as {one}_wh" for one in _SUMMED)},
        sum(specific_yield_kwh_per_kwp) as specific_yield_kwh_per_kwp,
        sum(covered_s) / nullif(sum(expected_s), 0) as covered_share,
        arg_min(status, list_position(
            ['disputed', 'incomplete', 'open', 'partial', 'closed', 'unconfirmed', 'final'], status
        )) as status
    from mart_self_consumption_daily
    where site_id = $site and local_day between $first and $last
    having count(*) > 0

),

shares as (

    select
        *,
        (production_to_load_wh + production_to_battery_wh) / nullif(production_wh, 0)
            as self_consumption,
        case
            when battery_to_load_wh = 0 then 0
            else production_to_battery_wh
                / nullif(production_to_battery_wh + grid_to_battery_wh, 0)
        end as battery_production_share
    from sums

)

select {_FLOW_COLUMNS}
from (
    select
        *,
        (production_to_load_wh + battery_to_load_wh * battery_production_share)
            / nullif(load_wh, 0) as self_sufficiency,
        production_to_load_wh / nullif(load_wh, 0) as self_sufficiency_least,
        (production_to_load_wh + battery_to_load_wh) / nullif(load_wh, 0)
            as self_sufficiency_most
    from shares
)
"""  # noqa: S608 - names of ours
"""Formulas of mart_self_consumption_monthly, on the days of the week."""

_BATTERIES: Final = """
select
    device_id, name, charge_wh / 1000 as charge_kwh, discharge_wh / 1000 as discharge_kwh,
    round_trip_efficiency, equivalent_cycles, soc_min, soc_max,
    usable_capacity_wh / 1000 as usable_capacity_kwh,
    rated_capacity_wh / 1000 as rated_capacity_kwh, covered_share, status
from ({rows})
order by name, device_id
"""

_BATTERY_MONTH: Final = """
    select rows.*, coalesce(devices.device_name, rows.device_id) as name
    from mart_battery_monthly as rows
    left join dim_device as devices on rows.device_id = devices.device_id
    where rows.site_id = $site and rows.local_month = $first
"""

_BATTERY_WEEK: Final = """
    select
        rows.device_id,
        coalesce(any_value(devices.device_name), rows.device_id) as name,
        sum(rows.charge_wh) as charge_wh,
        sum(rows.discharge_wh) as discharge_wh,
        null::double as round_trip_efficiency,
        sum(rows.equivalent_cycles) as equivalent_cycles,
        min(rows.soc_min) as soc_min,
        max(rows.soc_max) as soc_max,
        100 * sum(rows.falling_wh) / nullif(sum(rows.fallen_percent), 0) as usable_capacity_wh,
        max(rows.rated_capacity_wh) as rated_capacity_wh,
        avg(rows.covered_share) as covered_share,
        arg_min(rows.status, list_position(
            ['disputed', 'incomplete', 'open', 'partial', 'closed', 'unconfirmed', 'final'],
            rows.status
        )) as status
    from mart_battery_daily as rows
    left join dim_device as devices on rows.device_id = devices.device_id
    where rows.site_id = $site and rows.local_day between $first and $last
    group by rows.device_id
"""

_UPS: Final = """
select
    rows.device_id,
    coalesce(any_value(devices.device_name), rows.device_id) as name,
    max(rows.load_rate_p95) as load_rate_p95,
    max(rows.load_rate_max) as load_rate_max,
    sum(rows.overload_s) as overload_s,
    sum(rows.overload_events) as overload_events,
    sum(rows.time_on_battery_s) as time_on_battery_s,
    sum(rows.time_on_bypass_s) as time_on_bypass_s,
    sum(rows.output_wh) filter (where rows.efficiency is not null)
    / nullif(sum(rows.input_wh) filter (where rows.efficiency is not null), 0) as efficiency,
    sum(rows.covered_s) / nullif(sum(rows.expected_s), 0) as covered_share,
    count(*) filter (where not rows.is_final) as not_final_days
from mart_ups_daily as rows
left join dim_device as devices on rows.device_id = devices.device_id
where rows.site_id = $site and rows.local_day between $first and $last
group by rows.device_id
order by name, rows.device_id
"""

_VALVES: Final = """
select
    rows.device_id,
    coalesce(any_value(devices.device_name), rows.device_id) as name,
    sum(rows.energy_wh) / 1000 as energy_kwh,
    count(*) filter (where rows.energy_wh is null) as unknown_days,
    sum(rows.energy_weighted_delta_t_k * rows.energy_with_delta_t_wh)
    / nullif(
        sum(rows.energy_with_delta_t_wh) filter (where rows.energy_weighted_delta_t_k is not null),
        0
    ) as delta_t_k,
    max(rows.design_delta_t_k) as design_delta_t_k,
    sum(rows.below_design_share * rows.energy_with_delta_t_wh)
    / nullif(
        sum(rows.energy_with_delta_t_wh) filter (where rows.below_design_share is not null), 0
    ) as below_design_share,
    sum(rows.energy_from_flow_wh) / nullif(sum(rows.energy_with_flow_wh), 0) as flow_energy_ratio,
    sum(rows.saturated_s) / nullif(sum(rows.position_covered_s), 0) as saturated_share,
    3600 * sum(rows.position_reversals) / nullif(sum(rows.position_covered_s), 0)
        as reversals_per_hour,
    sum(rows.covered_s) / nullif(sum(rows.expected_s), 0) as covered_share,
    count(*) filter (where not rows.is_final) as not_final_days
from mart_valve_daily as rows
left join dim_device as devices on rows.device_id = devices.device_id
where rows.site_id = $site and rows.local_day between $first and $last
group by rows.device_id
order by name, rows.device_id
"""


def tree(connection: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[TreeMember, ...]:
    """Return what stands behind each meter; none where the portfolio links no meters."""
    is_month = scope.period.grain == "month"
    return records(connection, TreeMember, _TREE_MONTH if is_month else _TREE_WEEK, scope)


def flows(connection: duckdb.DuckDBPyConnection, scope: Scope) -> Flows | None:
    """Return where the electricity went; None at a site without a plant or a battery."""
    is_month = scope.period.grain == "month"
    found = records(connection, Flows, _FLOWS_MONTH if is_month else _FLOWS_WEEK, scope)
    return found[0] if found else None


def batteries(connection: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[Battery, ...]:
    """Return the batteries; an efficiency needs a month's window."""
    rows = _BATTERY_MONTH if scope.period.grain == "month" else _BATTERY_WEEK
    return records(connection, Battery, _BATTERIES.format(rows=rows), scope)


def ups(connection: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[Ups, ...]:
    """Return each UPS over the days of the period."""
    return records(connection, Ups, _UPS, scope)


def valves(connection: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[Valve, ...]:
    """Return each energy valve over the days of the period."""
    return records(connection, Valve, _VALVES, scope)
