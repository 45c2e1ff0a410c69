"""The Dagster assets: thin calls into the rooms that hold the rules."""

import warnings

import dagster as dg

# Single-run backfills are what a range of days needs; that they are marked beta is known here and
# no news to whoever reads a log.
warnings.filterwarnings("ignore", message=".*backfill_policy.*", category=dg.BetaWarning)
