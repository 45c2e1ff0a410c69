{{ config(period="local_day") }}
-- depends_on: {{ ref("stg_touched_periods") }}

{{ counted_by_hour("consumption") }}
