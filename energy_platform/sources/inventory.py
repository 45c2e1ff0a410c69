"""What inventories of several sources have in common. One source's own rules are in its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
