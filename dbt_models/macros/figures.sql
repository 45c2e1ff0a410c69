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


{# What the exact sum of a single row is. #}
{% macro exact(expression) -%}
    (cast(({{ expression }}) * 1099511627776.0 as hugeint)::double / 1099511627776.0)
{%- endmacro %}


{#
  How far a period has come, judged with the coverage it has:

  - disputed: a register showed something in it that is not booked;
  - final: a step ends at or after its end, the days read again for late data have passed, and at
    least 99 % of it is covered;
  - partial: the same, but less of it is covered;
  - closed: a step ends at or after its end, late data may still come;
  - incomplete: late data no longer comes, and no step reached its end;
  - open: data may still come.
#}
{% macro period_status(ends_at, is_disputed, covered_s, expected_s) -%}
    case
        when {{ is_disputed }} then 'disputed'
        when points.last_end_at >= {{ ends_at }} and {{ ends_at }} <= points.final_before
            then case when {{ covered_s }} >= 0.99 * {{ expected_s }} then 'final' else 'partial' end
        when points.last_end_at >= {{ ends_at }} then 'closed'
        when {{ ends_at }} <= points.final_before then 'incomplete'
        else 'open'
    end
{%- endmacro %}


{# The end of a period for a point: earlier where the point goes out of service in it. #}
{% macro in_service_end(ends_at) -%}
    least({{ ends_at }}, points.until_at)
{%- endmacro %}


{# What is not covered is unknown: null, never nothing. #}
{% macro known(amount, covered_s, of=none) -%}
    case when {{ covered_s }} > 0 or {{ of or amount }} <> 0 then {{ amount }} end
{%- endmacro %}


{#
  The zone of a row's point, to look up the clock with. It is made of both, so that DuckDB joins the
  clock to the rows: left alone it puts the points on the clock first, which is every quarter-hour
  of every point.
#}
{% macro zone_of(rows, zones) -%}
    case when {{ rows }}.point_id is not null then {{ zones }}.timezone end
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
{% macro one_method(method, where=none) -%}
    {%- set own = " filter (where " ~ where ~ ")" if where else "" -%}
    case
        when min({{ method }}){{ own }} <> max({{ method }}){{ own }} then 'mixed'
        else min({{ method }}){{ own }}
    end
{%- endmacro %}
