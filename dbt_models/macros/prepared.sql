{# A Parquet file that warehouse.prepare hands over beside the day files. #}
{% macro prepared(name) -%}
    read_parquet(
        '{{ env_var("ENERGY_PLATFORM_WAREHOUSE", "target") | replace("'", "''") }}/{{ name }}.parquet'
    )
{%- endmacro %}
