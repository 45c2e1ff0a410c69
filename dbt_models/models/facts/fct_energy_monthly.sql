{{ config(period="local_month", grain="month") }}

{{ counted_by_period("energy", "month") }}
