-- The energy of a point and local week is the same by days and by the week.
{{ same_energy(
    "fct_energy_daily",
    "fct_energy_weekly",
    "cast(date_trunc('week', local_day) as date)",
    "local_week",
    grain="week",
    day="local_day"
) }}
