{#
  The largest error of an instrument on an energy by its class, Wh, and a step of its register at
  either end. A point is `points`.
#}
{% macro largest_error_wh(accuracy_percent, energy_wh, resolution_wh) -%}
    ({{ accuracy_percent }} / 100 * abs({{ energy_wh }}) + coalesce({{ resolution_wh }}, 0))
{%- endmacro %}
