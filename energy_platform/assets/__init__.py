"""The Dagster assets: thin calls into the rooms that hold the rules."""
