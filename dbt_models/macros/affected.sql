{#
  The incremental strategy of every fact: whole affected periods are replaced.

  Rows of an affected (timezone, period) go, also those the new result no longer has; then the new
  rows come. Where the build rebuilds some points alone, so do only theirs, or with `scope: site_id`
  those of their sites. Both happen in the transaction of the model. A model that names the affected periods
  nowhere else says so in a depends_on comment, or dbt would not make them first.
#}
{% macro get_incremental_affected_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) -%}
    {%- set months = config.get("months") -%}
    {%- if months %}
    delete from {{ arg_dict["target_relation"] }}
    where {{ months }} and {{ in_affected(
        config.require("period"),
        grain="month",
        scope=config.get("scope", "point_id")
    ) }};
    {%- endif %}
    delete from {{ arg_dict["target_relation"] }}
    where {{ "not (" ~ months ~ ") and " if months }}{{ in_affected(
        config.require("period"),
        grain=config.get("grain", "day"),
        scope=config.get("scope", "point_id")
    ) }};
    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }};
{% endmacro %}


{#
  Whether a row is of an affected (timezone, period) of a grain, day, week or month, and of an
  affected point; or, with the scope `site_id`, of the site of one.

  DuckDB skips row groups by the pair, so that a build does not read the years before. It does not
  where one row of two is looked up, `select (timezone, period_start)`, which also takes thrice the
  time. A period that is made of a day's column names that one in `day`, to skip by.
#}
{% macro in_affected(period, grain="day", day=none, scope="point_id") -%}
    (timezone, {{ period }}) in (
        select
            timezone,
            period_start
        from {{ ref("stg_build__affected_periods") }}
        where grain = '{{ grain }}'
    )
    {%- if day is not none %}
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
    and {{ scope }} in (select {{ scope }} from {{ ref("stg_build__affected_points") }})
{%- endmacro %}


{#
  The rows that a generic test looks at. Of a big table these are the periods that the build
  rebuilds (a first build all of them), written `where: __affected_day__`, `_week__` or `_month__`,
  or for a table of sites `__affected_site_day__` and so on.
  dbt calls this macro for every generic test ("Customizing `where` logic" in its documentation);
  while it parses, it does not know the configuration yet and only takes note of the reference.
#}
{% macro get_where_subquery(relation) -%}
    {%- set filter = namespace(where=config.get("where", "")) -%}
    {%- for grain in ["day", "week", "month"]
        if not execute or grain ~ "__" in (filter.where or "") -%}
        {%- set points = in_affected("local_" ~ grain, grain=grain) -%}
        {%- set sites = in_affected("local_" ~ grain, grain=grain, scope="site_id") -%}
        {%- set filter.where = (filter.where or "")
            | replace("__affected_" ~ grain ~ "__", points)
            | replace("__affected_site_" ~ grain ~ "__", sites) -%}
    {%- endfor -%}
    {%- if filter.where -%}
        (select * from {{ relation }} where {{ filter.where }}) as affected_rows
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}


{#
  The incremental strategy of `mart_site_comparison`: rows of compared periods are replaced, those
  of the affected ones and of later ones that are compared with them.
#}
{% macro get_incremental_compared_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) -%}
    delete from {{ arg_dict["target_relation"] }}
    where {{ in_compared() }};
    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }};
{% endmacro %}


{# Whether a row of a site's period is compared again; the first condition skips row groups. #}
{% macro in_compared() -%}
    local_day in (select period_start from {{ ref("stg_build__compared_periods") }})
    and (grain, timezone, local_day) in (
        select (grain, timezone, period_start) from {{ ref("stg_build__compared_periods") }}
    )
    and site_id in (select site_id from {{ ref("stg_build__affected_points") }})
{%- endmacro %}
