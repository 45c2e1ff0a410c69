"""The catalogues: every word of a report, one file for each language."""
