"""What starts by itself: jobs, schedules and level-triggered sensors.

Schedules ask for days, sensors ask for what is stale or behind; none of them holds a rule of its
own. A missing event loses nothing, since every tick looks at the lake and the ledger themselves.
"""
