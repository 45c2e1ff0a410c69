"""One installation on one machine: its `.env`, Dagster instance, locks and processes.

Nothing here imports Dagster: what is asked of its run table is asked with SQL.
"""
