"""What inventories of several sources have in common. One source's own rules are in its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from energy_platform.identity import with_names

if TYPE_CHECKING:
    import polars as pl

    from energy_platform.lake.lake import Lake
    from energy_platform.schemas import Table


def with_devices_named_apart(
    frames: dict[str, pl.DataFrame], table: Table, *, own_id: str, lake: Lake | None
) -> dict[str, pl.DataFrame]:
    """Return inventory frames in which each serial number names one device.

    Args:
        frames: The inventory as the source gave it, by table name.
        table: Which of them lists the devices, with a column ``serial_number``.
        own_id: Its column of the source's own id of a device; may be null.
        lake: Holds the inventory of before, by which devices keep their names.
    """
    before = None if lake is None else lake.read(table)
    return frames | {table.name: with_names(frames[table.name], own_id=own_id, before=before)}


class RowsByKey:
    """The rows of a frame by one column, found without looking at all of them each time.

    Args:
        frame: The rows.
        key: The column.

    >>> import polars as pl
    >>> rows = RowsByKey(pl.DataFrame({"device": ["b", "a", "b"], "point": [1, 2, 3]}), "device")
    >>> [row["point"] for row in rows["b"]]
    [1, 3]
    >>> rows["c"]
    []
    """

    def __init__(self, frame: pl.DataFrame, key: str) -> None:
        self._frame = frame.sort(key, maintain_order=True)
        runs = self._frame[key].rle().struct.unnest()
        starts = runs["len"].cum_sum() - runs["len"]
        self._runs = dict(zip(runs["value"], zip(starts, runs["len"], strict=True), strict=True))

    def __getitem__(self, value: str) -> list[dict[str, Any]]:
        """Return the rows with a value, in the order of the frame."""
        start, length = self._runs.get(value, (0, 0))
        return list(self._frame.slice(start, length).iter_rows(named=True))
