{# No value of the column lies below the lowest allowed; nulls pass. #}
{% test at_least(model, column_name, lowest) %}
select * from {{ model }} where {{ column_name }} < {{ lowest }}
{% endtest %}
