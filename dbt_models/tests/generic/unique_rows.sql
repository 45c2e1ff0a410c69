{#
  No two rows share the values of the columns.

  Of quarter-hours, the last column is their start, and `day` is the column of their local day. It
  has at most 100 of them: a bit for each takes a third of the time of a group for each.
#}
{% test unique_rows(model, columns, day=none) %}
{% if day is none %}
select {{ columns | join(", ") }}, count(*) as rows_found
from {{ model }}
group by all
having count(*) > 1
{% else %}
select
    {{ columns[:-1] | join(", ") }},
    {{ day }},
    count(*) as rows_found,
    bit_count(bit_or(1::hugeint << (epoch_us({{ columns[-1] }}) // 900000000 % 120)::integer))
        as quarter_hours
from {{ model }}
group by all
having rows_found <> quarter_hours
{% endif %}
{% endtest %}
