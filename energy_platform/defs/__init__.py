"""All that imports Dagster: assets, checks, jobs, schedules, sensors, resources, the instance.

Rules do not belong here: they lie in the other packages, and these definitions call them.
"""
