-- The energy of a point and local month is the same by days and by the month.
{{ same_energy(
    "fct_energy_daily",
    "fct_energy_monthly",
    "cast(date_trunc('month', local_day) as date)",
    "local_month",
    grain="month",
    day="local_day"
) }}
