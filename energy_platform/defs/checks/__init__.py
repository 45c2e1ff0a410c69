"""Asset checks: specs and results around the pure judgements of the other packages.

Checks on our own promises block; checks on outside data warn. A rule does not belong here.
"""
