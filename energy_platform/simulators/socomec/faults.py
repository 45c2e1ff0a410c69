"""What may go wrong at SoData, by name."""

from __future__ import annotations

from typing import Final

FAULTS: Final = frozenset(
    {
        "expire_token_after",
        "refuse_login",
        "refuse_refresh",
        "no_rights",
        "page_drift",
        "repeated_page",
        "endless_pages",
        "wrong_total",
        "truncate",
        "truncate_series",
        "truncate_newest",
        "thin_out",
        "series_left_out",
        "odd_rows",
        "device_refused",
        "late_points",
        "clock_skew",
        "too_large",
        "too_slow",
        "null_value",
        "mixed_types",
        "extra_keys",
    }
)
"""Faults of SoData beside the general ones; those with a number are written ``truncate=1000``.

``expire_token_after=N``: a token is good for N calls. ``no_rights``: listings are empty.
``page_drift``: a later page begins with the last record of the page before. ``repeated_page``: a
later page is the first one again. ``endless_pages``: the total is never reached. ``truncate=N``:
an answer holds its first N points. ``truncate_series=N`` and ``truncate_newest=N``: each series
holds its oldest or newest N points. ``thin_out=N``: windows above six hours hold every N-th point.
``series_left_out``: an answer lacks one of its series. ``odd_rows``: rows without a stamp or a
zone, or that are not objects, stand between the points. ``device_refused=STATUS``: one device is
answered for with this status. ``too_large=N`` and ``too_slow=N``: 413 or 504 above N points.
``late_points=H``: the last H hours of each UTC day (2 by default) are held back until it is
cleared. ``clock_skew:seconds=N``: the cloud's clock and its newest samples are N seconds ahead.
"""
