"""Ids of devices and points: one per device and point, and never one for two.

A point's id is ``vendor/serial/key``. Vendors put no limits on what a serial number or a key may
hold, so that plain joining could make one id of two points: ``a/b`` and ``c``, ``a`` and ``b/c``.
What holds the separator is therefore escaped, in a form that no plain id has; all others are
joined as they are, which is what they always were.

One serial number may also stand on two devices, such as the 000000 of meters that were never given
one. Then all but one of them are named by serial number and vendor's id: ``000000~<id>``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.schemas import VIRTUAL

if TYPE_CHECKING:
    from collections.abc import Iterable

APART: Final = "~"
"""Between a serial number that several devices share and the vendor's id of one of them."""


def device_id(vendor: str, serial: str) -> str:
    """Return ``vendor/serial``; a serial number with a slash is escaped behind a second slash."""
    return f"{vendor}/{_segment(serial)}"


def point_id(vendor: str, serial: str, key: str) -> str:
    """Return ``vendor/serial/key``."""
    return f"{device_id(vendor, serial)}/{key}"


def is_virtual(point_id: str) -> bool:
    """Say whether a point is computed from others.

    >>> is_virtual("virtual/tenant-3/energy"), is_virtual("acme/virtual/1")
    (True, False)
    """
    return point_id.startswith(f"{VIRTUAL}/")


class PointName(NamedTuple):
    """What a point's id is made of."""

    vendor: str
    serial: str
    key: str


def name_of(point_id: str) -> PointName:
    """Return what a point's id was made of.

    Raises:
        ValueError: It is not the id of a point.
    """
    vendor, _, rest = point_id.partition("/")
    escaped = rest.startswith("/")
    serial, slash, key = rest.removeprefix("/").partition("/")
    if not slash:
        raise ValueError(f"{point_id!r} is not vendor/serial/key")
    return PointName(vendor, _unescaped(serial, "/") if escaped else serial, key)


def device_of(point_id: str) -> str:
    """Return the id of a point's device.

    Raises:
        ValueError: It is not the id of a point.
    """
    vendor, serial, _ = name_of(point_id)
    return device_id(vendor, serial)


def _segment(serial: str) -> str:
    return f"/{escaped(serial, '/')}" if "/" in serial or not serial else serial


def escaped(text: str, separator: str) -> str:
    """Return a text without a separator, in a form that no text without it has but itself."""
    return text.replace("%", "%25").replace(separator, f"%{ord(separator):02X}")


def _unescaped(text: str, separator: str) -> str:
    return text.replace(f"%{ord(separator):02X}", separator).replace("%25", "%")


def serial_segments(serial: pl.Series) -> pl.Series:
    """Return the serial numbers of many rows as they stand in ids."""
    odd = serial.str.contains("/", literal=True) | (serial == "")
    if not odd.any():
        return serial
    known = serial.filter(odd).unique().to_list()
    return serial.replace({one: _segment(one) for one in known})


class Identity(NamedTuple):
    """What tells a device from all others of its vendor.

    Attributes:
        serial: Its serial number, which others may have as well.
        own_id: The vendor's own id of it; empty where the vendor has none that lasts.
    """

    serial: str
    own_id: str


def names_apart(
    devices: Iterable[Identity], *, before: Iterable[tuple[str, str]] = ()
) -> dict[Identity, str]:
    """Return a name of each device that no other one has.

    A device keeps the name it had. Of those that had none, the smallest id gets the serial number,
    unless another device is named by it; the others get the serial number with their id.

    Args:
        devices: The devices that are listed.
        before: Pairs of own id and name of those that were listed before.
    """
    listed = sorted(set(devices))
    known = set(before)
    had: dict[Identity, str] = {}
    for one in listed:
        for name in (one.serial, f"{one.serial}{APART}{one.own_id}"):
            if (one.own_id, name) in known:
                had[one] = name
    times = Counter(had.values())
    names = {one: name for one, name in had.items() if times[name] == 1}
    taken = set(names.values())
    for one in listed:
        name = names.get(one, one.serial)
        while one not in names and name in taken:
            name += f"{APART}{one.own_id}"
        names[one] = name
        taken.add(name)
    return names


def with_names(
    devices: pl.DataFrame, *, own_id: str, before: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Let ``serial_number`` of an inventory name one device each.

    Args:
        devices: The inventory as the vendor gave it.
        own_id: Column of the vendor's own id; may be null.
        before: The inventory as it was kept last.
    """
    pair = ["serial_number", own_id]

    def rows(frame: pl.DataFrame) -> list[tuple[str, str]]:
        return frame.select(pl.col(pair).fill_null("")).rows()

    names = names_apart(
        (Identity(serial, own) for serial, own in rows(devices)),
        before=[(own, name) for name, own in rows(before)] if before is not None else (),
    )
    return devices.with_columns(
        serial_number=pl.Series([names[Identity(*row)] for row in rows(devices)], dtype=pl.String)
    )


def is_told_apart(name: str, *, own_id: str | None) -> bool:
    """Say whether a device is not named by its serial number alone, because others have it."""
    return bool(own_id) and name.endswith(f"{APART}{own_id}")
