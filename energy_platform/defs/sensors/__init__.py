"""Level-triggered sensors: each tick looks at the lake and the ledger themselves.

A missing event loses nothing, and a failed run or a restart neither. Rules of what is due, stale,
behind or wrong do not belong here: ``ingest``, ``refresh``, ``delivery`` and ``alerts`` hold them.
"""
