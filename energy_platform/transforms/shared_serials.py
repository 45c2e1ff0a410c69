"""Devices that share a serial number, recognised by their samples of one day.

How inventories name such devices apart belongs to ``identity``; this is for days that were landed
under one number before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

FEW: Final = 2
"""Samples among those of another id that may be the seam of a transfer: old and new id overlap by a
sample or two, two meters by a whole day (case of the serial number 000000)."""


def foreign_device_ids(raw: pl.DataFrame, *, device: str, series: Sequence[str]) -> list[str]:
    """Return the vendor's ids whose rows are of another device than their serial number names.

    Args:
        raw: Rows of a raw day: ``serial_number, at, value, value_text``, and the columns that
            make a series.
        device: Column of the vendor's own id.
        series: Columns that make a series of a device.

    Returns:
        Of each serial number, the ids but the smallest whose samples of some series lie among
        those of a smaller id, and are not the same.

    Example:
        >>> raw = pl.DataFrame({
        ...     "serial_number": "000000",
        ...     "device_id": ["a", "b"] * 4,
        ...     "datapoint_id": "energy",
        ...     "at": [datetime(2026, 3, 1, n, tzinfo=UTC) for n in range(8)],
        ...     "value": [100.0, 7.0] * 4,
        ...     "value_text": None,
        ... })
        >>> foreign_device_ids(raw, device="device_id", series=["datapoint_id"])
        ['b']
    """
    ids = raw.group_by("serial_number").agg(pl.col(device).unique().sort())
    shared = ids.filter(pl.col(device).list.len() > 1)
    found: set[str] = set()
    for serial, names in shared.iter_rows():
        rows = raw.filter(pl.col("serial_number") == serial)
        for place, name in enumerate(names[1:], start=1):
            own = rows.filter(pl.col(device) == name)
            others = rows.filter(pl.col(device).is_in(names[:place]))
            if _lies_among(own, others, series=series):
                found.add(name)
    return sorted(found)


def _lies_among(own: pl.DataFrame, others: pl.DataFrame, *, series: Sequence[str]) -> bool:
    """Say whether samples of some series lie within those of the others, and differ from them."""
    spans = others.group_by(series).agg(first=pl.col("at").min(), last=pl.col("at").max())
    inside = own.join(spans, on=series).filter(pl.col("at").is_between("first", "last"))
    sample = [*series, "at", "value", "value_text"]
    differing = inside.join(others, on=sample, how="anti", nulls_equal=True)
    many = differing.group_by(series).len().filter(pl.col("len") > FEW)
    return many.height > 0


def foreign_column(raw: pl.DataFrame, *, device: str, series: Sequence[str]) -> list[pl.Series]:
    """Return ``is_foreign``, whether rows are of another device than their point's; or nothing.

    Ids that follow one another under a serial number are one device that was transferred or set up
    again. Ids whose samples of one day lie among each other, and differ, are devices that share a
    number; the inventory names them apart, so that only days landed before have such rows. Those
    of the smallest id stay: that is the device that the number names.

    Args:
        raw: Rows of a day table with ``serial_number``.
        device: Column of the source's own id of the device.
        series: Columns that make a series of a device.

    Example:
        >>> raw = pl.DataFrame({
        ...     "serial_number": "000000",
        ...     "device_id": ["a", "b"] * 4,
        ...     "datapoint_id": "energy",
        ...     "at": [datetime(2026, 3, 1, n, tzinfo=UTC) for n in range(8)],
        ...     "value": [100.0, 7.0] * 4,
        ...     "value_text": None,
        ... })
        >>> (column,) = foreign_column(raw, device="device_id", series=["datapoint_id"])
        >>> column.name, column.sum()
        ('is_foreign', 4)
    """
    shared = foreign_device_ids(raw, device=device, series=series)
    if not shared:
        return []
    return [raw[device].is_in(shared).alias("is_foreign")]
