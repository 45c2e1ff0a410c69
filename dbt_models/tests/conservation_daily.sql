-- The energy of a point and local day is the same by quarter-hours and by the day.
{{ same_energy("fct_energy_15min", "fct_energy_daily", "local_day", "local_day", grain="day") }}
