{#
  The incremental strategy of every fact: whole affected periods are replaced.

  Rows of an affected (timezone, period) go, also those the new result no longer has; then the new
  rows come. Both happen in the transaction of the model. A model that names the affected periods
  nowhere else says so in a depends_on comment, or dbt would not make them first.
#}
{% macro get_incremental_affected_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) -%}
    delete from {{ arg_dict["target_relation"] }}
    where {{ in_affected(config.require("period"), grain=config.get("grain", "day")) }};
    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }};
{% endmacro %}


{#
  Whether a row's (timezone, period) is among the affected ones of a grain: day, week, month.

  The second condition follows from the first. It is what DuckDB can skip row groups by, so that a
  build does not read the years before. A period that is made of a day's column names that one in
  `day`, for the same reason.
#}
{% macro in_affected(period, grain="day", day=none) -%}
    (timezone, {{ period }}) in (
        select (timezone, period_start)
        from {{ ref("stg_build__affected_periods") }}
        where grain = '{{ grain }}'
    )
    {%- if day is none %}
    and {{ period }} in (
        select period_start
        from {{ ref("stg_build__affected_periods") }}
        where grain = '{{ grain }}'
    )
    {%- else %}
    and {{ day }} between (
        select min(period_start)
        from {{ ref("stg_build__affected_periods") }}
        where grain = '{{ grain }}'
    ) and (
        select max(period_start) + 31
        from {{ ref("stg_build__affected_periods") }}
        where grain = '{{ grain }}'
    )
    {%- endif %}
{%- endmacro %}


{#
  The rows that a generic test looks at. Of a big table these are the periods that the build
  rebuilds (a first build all of them), written `where: __affected_day__`, `_week__` or `_month__`.
  dbt calls this macro for every generic test ("Customizing `where` logic" in its documentation);
  while it parses, it does not know the configuration yet and only takes note of the reference.
#}
{% macro get_where_subquery(relation) -%}
    {%- set filter = namespace(where=config.get("where", "")) -%}
    {%- for grain in ["day", "week", "month"]
        if not execute or "__affected_" ~ grain in (filter.where or "") -%}
        {%- set rows = in_affected("local_" ~ grain, grain=grain) -%}
        {%- set filter.where = (filter.where or "") | replace("__affected_" ~ grain ~ "__", rows) -%}
    {%- endfor -%}
    {%- if filter.where -%}
        (select * from {{ relation }} where {{ filter.where }}) as affected_rows
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
