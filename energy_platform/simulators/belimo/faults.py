"""What may go wrong at the Belimo Cloud, by name."""

from __future__ import annotations

from typing import Final

FAULTS: Final = frozenset(
    {
        "expire_token_after",
        "refuse_login",
        "refuse_refresh",
        "rate_limit",
        "transfer",
        "no_rights",
        "page_drift",
        "repeated_page",
        "endless_pages",
        "wrong_total",
        "truncate",
        "late_points",
        "clock_skew",
        "clamp_limit",
        "null_value",
        "mixed_types",
        "extra_keys",
        "capped_total",
        "short_pages",
        "no_total",
        "left_out_series",
        "odd_rows",
        "refuse_device",
    }
)
"""Faults of the Belimo Cloud beside the general ones.

``expire_token_after=N``: a token is good for N calls. ``rate_limit=N``: 429 above N requests in a
second. ``transfer=N``: valve number N has a new id from now on, without its history.
``no_rights``: listings are empty. ``page_drift``, ``repeated_page``, ``endless_pages``,
``wrong_total``: what a listing may do. ``truncate=N``: a listing holds its first N samples.
``late_points=H``: the last H hours of each UTC day (2 by default) are held back until it is
cleared. ``clock_skew:seconds=N``: the cloud's clock is N seconds ahead.
``clamp_limit``: a limit above 2000 is cut instead of refused.
``capped_total=N``: a total never says more than N, while pages go on. ``short_pages=N``: a page
holds N elements at most, whatever was asked for. ``no_total``: paging without a total.
``left_out_series``: history answers as if there were no samples, timeseries without the series.
``odd_rows``: one sample in twenty has no stamp, no zone, is not an object, or is not a number.
``refuse_device=N``: valve number N answers every question for its history with 400.
"""
