"""Answers of the SoData API, sections 4.1 and 5, as far as the platform reads them.

Unknown keys are ignored; keys that an answer may lack or set to null have a default. Contacts,
addresses, e-mails, activation and configuration keys are left out on purpose: they are personal
data or secrets.
"""

from __future__ import annotations

import math
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

T = TypeVar("T")

Number = int | float | str | None
"""The vendor writes numbers as JSON numbers here and as texts there."""


class SeriesKey(NamedTuple):
    """What identifies a series: a device and the triple of a service, in the order of the lake."""

    device_uuid: str
    item_type: str
    item_index: str
    service_id: str


class Page(msgspec.Struct, Generic[T], rename="camel"):
    """One page of a listing, or a listing that comes at once."""

    results: list[T]
    total: int | None = None


class CorporateAccount(msgspec.Struct, rename="camel", frozen=True):
    """A corporate account, the root of everything visible."""

    uuid: str
    name: str | None = None
    active: bool | None = None


class Customer(msgspec.Struct, rename="camel", frozen=True):
    """A customer, without contact and address."""

    uuid: str
    name: str | None = None
    corporate_account_uuid: str | None = None
    sites_quantity: int | None = None


class Site(msgspec.Struct, rename="camel", frozen=True):
    """A site."""

    uuid: str
    name: str | None = None
    customer_uuid: str | None = None
    time_zone: str | None = None
    devices_quantity: int | None = None


class Device(msgspec.Struct, rename="camel", frozen=True):
    """A device or a gateway."""

    uuid: str
    name: str | None = None
    serial_number: str | None = None
    site_uuid: str | None = None
    gateway_uuid: str | None = None
    time_zone: str | None = None
    model_name: str | None = None
    manufacturer: str | None = None
    status: str | None = None
    connection_status: str | None = None


class Variable(msgspec.Struct, rename="camel", frozen=True):
    """A variable (service) of a device, addressed by item type, item index and service id."""

    uuid: str
    item_type: str
    item_index: str | int
    service_id: str | int
    device_uuid: str | None = None
    service_name: str | None = None
    service_type: str | None = None
    service_group: str | None = None
    unit: str | None = None
    coef: Number = None
    offset: Number = None
    base_coef: Number = None
    base_offset: Number = None
    service_translations: Any = None
    is_computed: bool | None = None
    polling_time: Number = None
    active: bool | None = None

    @property
    def triple(self) -> tuple[str, str, str]:
        """Item type, item index and service id, as texts."""
        return self.item_type, str(self.item_index), str(self.service_id)

    @property
    def title(self) -> str | None:
        """The English title; any other language when there is none."""
        if not isinstance(self.service_translations, dict):
            return None
        for language in ("en", *sorted(map(str, self.service_translations))):
            words = self.service_translations.get(language)
            title = words.get("title") if isinstance(words, dict) else None
            if isinstance(title, str) and title:
                return title
        return None

    @property
    def is_scaled(self) -> bool:
        """Whether a coefficient or an offset is set at the vendor."""
        scaling = (self.coef, self.offset, self.base_coef, self.base_offset)
        return any(value is not None for value in scaling)


class LastValue(msgspec.Struct, rename="camel", frozen=True):
    """The newest value of one variable.

    Its ``date`` is its own: a value that never changed can be months old.
    """

    item_type: str
    item_index: str | int
    service_id: str | int
    value: Any = None
    date: str | None = None
    title: str | None = None
    unit: str | None = None
    service_type: str | None = None

    @property
    def triple(self) -> tuple[str, str, str]:
        """Item type, item index and service id, as texts."""
        return self.item_type, str(self.item_index), str(self.service_id)

    @property
    def number(self) -> float | None:
        """The value as a number; None for texts, empty and not-a-number."""
        return as_number(self.value)


class DeviceLastValues(msgspec.Struct, rename="camel", frozen=True):
    """The newest values of one device."""

    device_uuid: str
    values: list[LastValue] = []


class LastValues(msgspec.Struct, rename="camel", frozen=True):
    """Answer of the last-values call."""

    devices: list[DeviceLastValues]


class Point(msgspec.Struct, gc=False):
    """One datapoint; whole numbers arrive as float, as the lake stores them."""

    at: str
    value: float | bool | str | dict[str, Any] | list[Any] | None = None


class SeriesPoints(msgspec.Struct, rename="camel"):
    """The datapoints of one series."""

    device_uuid: str
    item_type: str
    item_index: str | int
    service_id: str | int
    data: list[Point]
    data_type: str | None = None
    device_time_zone: str | None = None

    @property
    def key(self) -> SeriesKey:
        """What identifies the series."""
        return SeriesKey(
            self.device_uuid, self.item_type, str(self.item_index), str(self.service_id)
        )


_CAMEL: Final = {"use_device_local_timezone": "useDeviceLocalTimezone"}


class Datapoints(msgspec.Struct, rename={"from_": "from", **_CAMEL}):
    """Answer of the history call, with the part of the echoed request that must not differ."""

    series: list[SeriesPoints]
    granularity: str | None = None
    use_device_local_timezone: bool | None = None
    from_: Any = None
    to: Any = None

    @property
    def points(self) -> int:
        """Datapoints over all series."""
        return sum(len(series.data) for series in self.series)


def as_number(value: object) -> float | None:
    """Read a number the vendor may have written as a text; None for anything else.

    >>> as_number("18.5"), as_number("ACTIVE"), as_number(True)
    (18.5, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
