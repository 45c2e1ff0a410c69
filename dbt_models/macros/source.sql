{#-
  A source in the folder of the build under way, which its location names `<build>`. The folder is put
  in when a query is made, not when the project is parsed: dbt would parse each model again in each
  folder.
-#}
{% macro source(source_name, table_name) -%}
    {%- set relation = builtins.source(source_name, table_name) -%}
    {%- if not execute -%}
        {{ return(relation) }}
    {%- endif -%}
    {%- set folder = env_var("ENERGY_PLATFORM_WAREHOUSE", "target") | replace("'", "''") -%}
    {{ return(relation | string | replace("<build>", folder)) }}
{%- endmacro %}
