{#
  Where energy of an interval goes, from what the meters of a site show: the columns production_wh,
  import_wh, export_wh, charge_wh, discharge_wh and load_wh, none below zero but the last.

  Each line gives as much as its source still has and its sink still takes. What is sent out comes
  from the plant, then from the battery, then through the site (a meter that counts both directions
  at once, or two mains); the load takes the plant first, then the battery, then the grid; the battery
  takes what is left of the plant, then the grid. docs/energy.md says why.

  Every source can reach every sink but one that is served before, so all of the smaller side is
  given: the flows of a source add up to it, those into a sink never exceed it.
#}
{% macro energy_flows() -%}
    greatest(load_wh, 0) as load_taken_wh,
        {{ _flow(
            ["production_wh"],
            ["export_wh"]
        ) }} as production_to_grid_wh,
        {{ _flow(
            ["discharge_wh"],
            ["export_wh", "production_to_grid_wh"]
        ) }} as battery_to_grid_wh,
        {{ _flow(
            ["production_wh", "production_to_grid_wh"],
            ["load_taken_wh"]
        ) }} as production_to_load_wh,
        {{ _flow(
            ["discharge_wh", "battery_to_grid_wh"],
            ["load_taken_wh", "production_to_load_wh"]
        ) }} as battery_to_load_wh,
        {{ _flow(
            ["import_wh"],
            ["load_taken_wh", "production_to_load_wh", "battery_to_load_wh"]
        ) }} as grid_to_load_wh,
        {{ _flow(
            ["production_wh", "production_to_grid_wh", "production_to_load_wh"],
            ["charge_wh"]
        ) }} as production_to_battery_wh,
        {{ _flow(
            ["import_wh", "grid_to_load_wh"],
            ["charge_wh", "production_to_battery_wh"]
        ) }} as grid_to_battery_wh,
        {{ _flow(
            ["discharge_wh", "battery_to_grid_wh", "battery_to_load_wh"],
            ["charge_wh", "production_to_battery_wh", "grid_to_battery_wh"]
        ) }} as battery_to_battery_wh,
        {{ _flow(
            ["import_wh", "grid_to_load_wh", "grid_to_battery_wh"],
            ["export_wh", "production_to_grid_wh", "battery_to_grid_wh"]
        ) }} as grid_to_grid_wh,
        greatest(-load_wh, 0) as unexplained_wh
{%- endmacro %}


{# What a source still has or a sink still takes, the lesser; rounding takes nothing below zero. #}
{% macro _flow(source, sink) -%}
    greatest(least({{ source | join(" - ") }}, {{ sink | join(" - ") }}), 0)
{%- endmacro %}


{# The nine flows, source first. #}
{% macro flow_names() -%}
    {{ return([
        "production_to_load", "production_to_battery", "production_to_grid",
        "battery_to_load", "battery_to_grid", "battery_to_battery",
        "grid_to_load", "grid_to_battery", "grid_to_grid",
    ]) }}
{%- endmacro %}


{# What is metered, and what follows from it. #}
{% macro flow_totals() -%}
    {{ return(["production", "import", "export", "charge", "discharge", "load", "unexplained"]) }}
{%- endmacro %}


{#
  The shares that follow from the flows of a period, from a row `sums` with all of them and
  `peak_power_w`. Where the battery's energy came from is judged by what charged it in the same period.
#}
{% macro flow_shares() -%}
    {{ share("(sums.production_to_load_wh + sums.production_to_battery_wh)", "sums.production_wh") }}
        as self_consumption,
    {{ share(
        "sums.production_to_battery_wh",
        "(sums.production_to_battery_wh + sums.grid_to_battery_wh)"
    ) }} as battery_production_share,
    case
        when sums.load_wh > 0 then (
            sums.production_to_load_wh
            + case
                when sums.battery_to_load_wh > 0
                    then sums.battery_to_load_wh * battery_production_share
                else 0
            end
        ) / sums.load_wh
    end as self_sufficiency,
    case when sums.load_wh > 0 then sums.production_to_load_wh / sums.load_wh end
        as self_sufficiency_least,
    case
        when sums.load_wh > 0
            then (sums.production_to_load_wh + sums.battery_to_load_wh) / sums.load_wh
    end as self_sufficiency_most,
    sums.production_wh / sums.peak_power_w as specific_yield_kwh_per_kwp
{%- endmacro %}
