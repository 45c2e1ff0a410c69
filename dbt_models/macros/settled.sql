{#
  The least settled status of some rows, as `mart_site_energy` has it: disputed, incomplete, open,
  partial, closed or final; unconfirmed in place of final where a point is still a guess.
#}
{% macro least_settled(status, is_unconfirmed) -%}
    case
        {%- for one in ["disputed", "incomplete", "open", "partial", "closed"] %}
        when bool_or({{ status }} = '{{ one }}') then '{{ one }}'
        {%- endfor %}
        when bool_or({{ is_unconfirmed }}) then 'unconfirmed'
        else 'final'
    end
{%- endmacro %}


{#
  The largest error of an instrument on an energy by its class, Wh, and a step of its register at
  either end. A point is `points`.
#}
{% macro largest_error_wh(accuracy_percent, energy_wh, resolution_wh) -%}
    ({{ accuracy_percent }} / 100 * abs({{ energy_wh }}) + coalesce({{ resolution_wh }}, 0))
{%- endmacro %}
