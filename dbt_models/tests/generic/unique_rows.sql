{# No two rows share the values of the columns. #}
{% test unique_rows(model, columns) %}
select {{ columns | join(", ") }}, count(*) as rows_found
from {{ model }}
group by all
having count(*) > 1
{% endtest %}
