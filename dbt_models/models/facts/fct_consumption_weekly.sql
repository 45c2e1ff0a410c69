{{ config(period="local_week", grain="week") }}

{{ counted_by_period("consumption", "week") }}
