{{ config(period="local_week", grain="week") }}

{{ energy_of_days("week") }}
