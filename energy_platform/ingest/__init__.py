"""From a source's answers to whole days in the lake.

Belongs here: which days are due (``due``), today's ticks (``intraday``), asking a source for days
and its inventory (``run``), and what a pulled day becomes (``landing_days``, ``accepting``). Does
not belong here: what a source is and how it is asked (``sources``), the files (``lake``), what is
made of them (``refresh``), and who starts a run (``defs``).
"""
