{#
  A sum of doubles that does not depend on the order of the rows.

  Adding doubles in another order changes the last digits, so two builds of the same data would
  differ. Scaling by a power of two is exact; whole numbers add up exactly in any order. What is
  cut off lies below 1e-12 of the unit.
#}
{% macro exact_sum(expression, where=none) -%}
    (
        (
            sum(cast(({{ expression }}) * 1099511627776.0 as hugeint))
            {{- " filter (where " ~ where ~ ")" if where }}
        )::double / 1099511627776.0
    )
{%- endmacro %}


{#
  How far a period has come: closed when a step of the register ends at or after its end, final
  when also the days that are read again for late data have passed. A period of which a register
  showed energy that is not booked is disputed until someone decides about it, never final.
#}
{% macro period_status(
    ends_at, last_end_at="last_end_at", final_before="final_before", is_disputed="false"
) -%}
    case
        when {{ is_disputed }} then 'disputed'
        when {{ last_end_at }} >= {{ ends_at }} and {{ ends_at }} <= {{ final_before }} then 'final'
        when {{ last_end_at }} >= {{ ends_at }} then 'closed'
        when {{ ends_at }} <= {{ final_before }} then 'incomplete'
        else 'open'
    end
{%- endmacro %}


{# The seconds between two instants as a double. #}
{% macro seconds_between(start, end) -%}
    (epoch_us({{ end }}) - epoch_us({{ start }})) / 1e6
{%- endmacro %}


{# The share of a total, null where the total is nothing. #}
{% macro share(part, whole) -%}
    case when {{ whole }} <> 0 then {{ part }} / {{ whole }} end
{%- endmacro %}


{# How energy was measured: the one method of all rows, or that several were added up. #}
{% macro one_method(method="method") -%}
    case when min({{ method }}) <> max({{ method }}) then 'mixed' else min({{ method }}) end
{%- endmacro %}
