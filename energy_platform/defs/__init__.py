"""All that imports Dagster: assets, checks, jobs, schedules, sensors, resources, the launcher.

Rules do not belong here: they live in the other packages, and these definitions call them.
"""
