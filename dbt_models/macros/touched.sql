{#
  The incremental strategy of every fact: whole touched periods are replaced.

  Rows of a touched (timezone, period) go, also those the new result no longer has; then the new
  rows come. Both happen in the transaction of the model. A model that names the touched periods
  nowhere else says so in a depends_on comment, or dbt would not make them first.
#}
{% macro get_incremental_touched_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) -%}
    delete from {{ arg_dict["target_relation"] }}
    where {{ in_touched(config.require("period"), grain=config.get("grain", "day")) }};
    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }};
{% endmacro %}


{# Whether a row's (timezone, period) is among the touched ones of a grain: day, week, month. #}
{% macro in_touched(period, grain="day") -%}
    (timezone, {{ period }}) in (
        select (timezone, period_start)
        from {{ ref("stg_build__touched_periods") }}
        where grain = '{{ grain }}'
    )
{%- endmacro %}


{#
  The rows that a generic test looks at. Of a big table these are the periods that the build makes
  anew (a first build makes them all), written `where: __touched_day__`, `_week__` or `_month__`.
  dbt calls this macro for every generic test ("Customizing `where` logic" in its documentation);
  while it parses, it does not know the configuration yet and only takes note of the reference.
#}
{% macro get_where_subquery(relation) -%}
    {%- set filter = namespace(where=config.get("where", "")) -%}
    {%- for grain in ["day", "week", "month"] if filter.where or not execute -%}
        {%- set rows = in_touched("local_" ~ grain, grain=grain) -%}
        {%- set filter.where = filter.where | replace("__touched_" ~ grain ~ "__", rows) -%}
    {%- endfor -%}
    {%- if filter.where -%}
        (select * from {{ relation }} where {{ filter.where }}) as touched_rows
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
