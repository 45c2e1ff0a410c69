{{ config(period="local_month", grain="month") }}

{{ energy_of_days("month") }}
