"""Odd rows of a raw day, kept one by one in a table of their own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from energy_platform.lake.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.lake.lake import Lake
    from energy_platform.schemas import Table
    from energy_platform.sources.coverage import Reject


def land_rejects(lake: Lake, table: Table, *, day: str, rejects: Sequence[Reject]) -> int:
    """Add the odd rows of an answer to those a day has; the same ones again change nothing.

    Args:
        lake: Where the file lies.
        table: The vendor's table of odd rows.
        day: Partition key.
        rejects: The odd rows; without any the day gets no file.

    Returns:
        How many odd rows the day has now.

    Raises:
        LakeError: The file in place is damaged.
        OSError: The disk refuses.
    """
    if not rejects:
        footer = lake.footer(table, day=day)
        return 0 if footer is None else footer.rows
    with lake.lock(table.name):
        both = pl.concat([lake.read(table, day=day), rejects_frame(rejects, table=table)])
        frame = both.unique(table.sort_key, keep="first").sort(table.sort_key)
        return lake.write(table, frame, day=day).after.rows


def rejects_frame(rejects: Sequence[Reject], *, table: Table) -> pl.DataFrame:
    """Return odd rows in the columns of their table, numbered where they are equal.

    >>> from energy_platform.sources.base import reject_table_of
    >>> from energy_platform.sources.coverage import Reject
    >>> odd = Reject("7", "import", "yesterday", "1.5", "a stamp that cannot be read")
    >>> frame = rejects_frame([odd, odd], table=reject_table_of("acme"))
    >>> frame["stamp_text"].to_list(), frame["row_id"].n_unique()
    (['yesterday', 'yesterday'], 2)
    """
    times: Counter[Reject] = Counter()
    rows = []
    for reject in rejects:
        times[reject] += 1
        identity = repr((reject.stamp_text, reject.value_text, reject.reason, times[reject]))
        content = identity.encode("utf-8", "surrogatepass")
        row_id = digest_of(content, size=8)
        rows.append(
            (
                reject.device,
                reject.series,
                row_id,
                reject.stamp_text,
                reject.value_text,
                reject.reason,
            )
        )
    return pl.DataFrame(rows, schema=table.schema, orient="row").sort(table.sort_key)
