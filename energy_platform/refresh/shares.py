"""A day in shares of points, so that what is worked on at once fits into memory.

Readings are judged by their point and, where devices share a serial number, by their device. So no
share ends inside a point, nor inside a device; and points follow one another from share to share as
they do in the files, so that what is made of one share follows what was made of the one before.

Here belongs where a day is cut. How many rows a share may have is said in
:mod:`energy_platform.memory`, what is made of them in :mod:`energy_platform.refresh.steps`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.sources.registry import get_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from energy_platform.lake.opened import OpenedFile
    from energy_platform.schemas import Vendor

    OnLarge = Callable[[str, int], None]
    """Told of a share that has more rows than wanted: its first point, and how many rows."""

_SEEN: Final = {
    "vendor": pl.String(),
    "block": pl.UInt32(),
    "device": pl.String(),
    "point_id": pl.String(),
    "rows": pl.UInt64(),
}


_DEVICE: Final = r"^([^/]*//?[^/]*)"
"""What the ids of a device's points begin with; sorted by point, they lie next to each other."""


def raw_shares(
    raw: Mapping[Vendor, OpenedFile], *, most_rows: int, on_large: OnLarge
) -> Iterator[dict[Vendor, pl.DataFrame]]:
    """Yield the raw rows of a day by vendor, some points at a time; at least once.

    A day that fits is read once and yielded whole. Any other is read once more, to see which
    devices lie where; each share then reads only the blocks that its devices lie in.

    Args:
        raw: The day's files by vendor.
        most_rows: Rows of a share; more only where what must not be cut has more.
        on_large: See ``OnLarge``.

    Raises:
        LakeError: A file is damaged.
    """
    if sum(file.rows for file in raw.values()) <= most_rows:
        yield {vendor: file.read() for vendor, file in raw.items()}
        return
    seen = pl.concat([_seen(vendor, file) for vendor, file in raw.items()])
    for share in _cut(seen, most_rows=most_rows):
        if (rows := int(share["rows"].sum())) > most_rows:
            on_large(str(share["point_id"].min()), rows)
        vendors = share.partition_by("vendor", as_dict=True)
        yield {
            vendor: _read(file, vendor, vendors[vendor,])
            for vendor, file in raw.items()
            if (vendor,) in vendors
        }


def point_shares(
    file: OpenedFile, *, most_rows: int, on_large: OnLarge, whole_devices: bool = False
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a derived file, which is sorted by point, some points at a time.

    Args:
        file: The file.
        most_rows: Rows of a share; more only where a single point has more.
        on_large: See ``OnLarge``.
        whole_devices: Whether no share may end inside a device either.

    Yields:
        Whole points, in order; the file as it is where it fits, also without rows.

    Raises:
        LakeError: The file is damaged.
    """
    if file.rows <= most_rows:
        yield file.read()
        return
    held: pl.DataFrame | None = None
    for block in file.blocks():
        held = block if held is None else pl.concat([held, block])
        while True:
            ids = held["point_id"]
            whole = ids.str.extract(_DEVICE) if whole_devices else ids
            if (end := _end_of_share(whole, most_rows=most_rows)) is None:
                break
            if end > most_rows:
                on_large(held["point_id"][0], end)
            yield held.head(end)
            held = held.slice(end)
    if held is not None and held.height:
        if held.height > most_rows:
            on_large(held["point_id"][0], held.height)
        yield held


def _end_of_share(ids: pl.Series, *, most_rows: int) -> int | None:
    """Return where the first share of some sorted rows ends; None where only more rows can say."""
    if ids.len() <= most_rows:
        return None
    end = int((ids.head(most_rows) != ids[most_rows]).sum())
    if end:
        return end
    first = int((ids == ids[0]).sum())
    return first if first < ids.len() else None


def _seen(vendor: Vendor, file: OpenedFile) -> pl.DataFrame:
    """Count the rows of a raw file by block, device and point."""
    source = get_source(vendor)
    counted: list[tuple[object, ...]] = []
    for number, block in enumerate(file.blocks()):
        points = source.readings(block)["point_id"]
        device = block[source.device_column].alias("device")
        if points.len() != block.height:
            # Whose readings they are cannot be told: such a source is never cut.
            device = pl.Series("device", [None], pl.String()).new_from_index(0, points.len())
        count = pl.DataFrame([device, points]).group_by("device", "point_id").agg(rows=pl.len())
        # As Python's texts: slices of a column keep the texts of the whole block in memory.
        counted += [(vendor, number, *row) for row in count.iter_rows()]
    return pl.DataFrame(counted, schema=_SEEN, orient="row")


def _cut(seen: pl.DataFrame, *, most_rows: int) -> list[pl.DataFrame]:
    """Cut what was seen of raw files into shares, in the order of their points.

    A cut lies between two points that no device lies across.
    """
    places = seen.select("point_id").unique().sort("point_id").with_row_index("place")
    devices = (
        seen.join(places, on="point_id", nulls_equal=True)
        .group_by("vendor", "device")
        .agg(first=pl.col("place").min(), last=pl.col("place").max(), rows=pl.col("rows").sum())
        .sort("first")
        .with_columns(
            together=(pl.col("first") > pl.col("last").cum_max().shift(1))
            .fill_null(value=False)
            .cum_sum()
        )
    )
    sizes = devices.group_by("together").agg(pl.col("rows").sum()).sort("together")
    shares, size = [0], 0
    for rows in sizes["rows"]:
        shares.append(shares[-1] + bool(size and size + rows > most_rows))
        size = rows if shares[-1] != shares[-2] else size + rows
    of_device = devices.join(
        sizes.select("together", share=pl.Series(shares[1:], dtype=pl.UInt32)), on="together"
    ).select("vendor", "device", "share")
    return (
        seen.join(of_device, on=["vendor", "device"], nulls_equal=True)
        .sort("share")
        .partition_by("share", maintain_order=True)
    )


def _read(file: OpenedFile, vendor: Vendor, share: pl.DataFrame) -> pl.DataFrame:
    """Read the rows of a share's devices."""
    device = get_source(vendor).device_column
    devices = share["device"].unique()
    parts = []
    for number in share["block"].unique().sort():
        block = file.block(number)
        if not devices.null_count():
            # Gathered: rows that a filter finds next to each other stay a slice of the whole block.
            block = block[block[device].is_in(devices.implode()).arg_true()]
        parts.append(block)
    return pl.concat(parts)
