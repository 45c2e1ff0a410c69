{# Every value of the column is the name of a source that the platform knows. #}
{% test registered_source(model, column_name) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} not in (select vendor from {{ prepared("vendors") }})
{% endtest %}
