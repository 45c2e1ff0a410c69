{{ config(period="local_day") }}

{{ counted_by_day("energy") }}
