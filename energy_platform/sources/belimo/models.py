"""What Belimo Cloud answers, tolerant of unknown keys, nulls and missing keys.

The owner of a device may hold an e-mail address and is not decoded at all.
"""

from __future__ import annotations

import re
from typing import Final, Generic, TypeVar

import msgspec

T = TypeVar("T")

Value = float | str | bool | None
"""A value of a datapoint; whole numbers arrive as floats."""

Text = str | int | float | bool | None
"""A field documented as text which some answers may give as a number."""

_UNIT_AT_END: Final = re.compile(r"\bin ([^\s,;()]+?)\s*\.?\s*$")
"""The unit at the end of a description, as in ``Heating Energy in J``."""


class ApiInfo(msgspec.Struct, frozen=True):
    """Version of the API; needs no token."""

    version: str


class Connection(msgspec.Struct, frozen=True):
    """Devices by connection; online means seen within five minutes."""

    online: int = 0
    offline: int = 0


class HealthCount(msgspec.Struct, frozen=True):
    """Devices by health; a problem is a warning or an error."""

    problem: int = 0
    ok: int = 0


class DeviceStats(msgspec.Struct, frozen=True, rename="camel"):
    """Counts over the devices of the account."""

    total_devices: int = 0
    connection: Connection | None = None
    health: HealthCount | None = None


class Reference(msgspec.Struct, frozen=True, rename="camel"):
    """A pointer to another entity, such as a dataprofile."""

    entity_id: str | None = None
    display_name: Text = None


class Health(msgspec.Struct, frozen=True, rename="camel"):
    """Health of a device as the cloud sees it."""

    last_seen: str | None = None
    state: str | None = None


class StateValue(msgspec.Struct, frozen=True):
    """One datapoint of a state; ``value`` may be of any type."""

    value: object = None


class State(msgspec.Struct, frozen=True):
    """State of a device: one timestamp for all datapoints."""

    timestamp: str | None = None
    datapoints: dict[str, StateValue | None] | None = None


class Device(msgspec.Struct, frozen=True, rename="camel"):
    """A device as the account sees it.

    ``id`` names the data scope and changes when the device is transferred to another owner; the
    physical device is known by its serial number.
    """

    id: str
    serial_number: Text = None
    production_id: Text = None
    display_name: Text = None
    material_number: Text = None
    device_type: Text = None
    dataprofile: Reference | None = None
    health: Health | None = None
    project_name: Text = None
    address_city: Text = None
    address_country: Text = None
    state: State | None = None

    @property
    def serial(self) -> str:
        """The stable identity: serial number, else production id, else the id itself."""
        return str(self.serial_number or self.production_id or self.id)

    @property
    def profile_id(self) -> str | None:
        """``id/version`` of the dataprofile, None when the cloud knows none."""
        return (self.dataprofile.entity_id or None) if self.dataprofile else None


def loose_device(said: object) -> Device | None:
    """Read a device of which some member has another form: those members are as if missing.

    Args:
        said: One element of a listing.

    Returns:
        None when it is not an object or has no id, so that nothing can be asked of it.

    >>> loose_device({"id": "d-1", "displayName": 7}).id, loose_device({"displayName": "AHU"})
    ('d-1', None)
    """
    if not isinstance(said, dict) or not isinstance(said.get("id"), str) or not said["id"]:
        return None
    known = {"id": said["id"]}
    for field in msgspec.structs.fields(Device):
        if field.encode_name in said and field.name != "id":
            try:
                known[field.name] = msgspec.convert(said[field.encode_name], field.type)
            except msgspec.ValidationError:
                continue
    return Device(**known)


class Datapoint(msgspec.Struct, frozen=True, rename="camel"):
    """Definition of one datapoint within a dataprofile; all features are texts."""

    id: str
    feature_values: dict[str, Text] | None = None

    def feature(self, name: str) -> str | None:
        """Return a feature such as ``default.name``; None when missing or empty."""
        value = (self.feature_values or {}).get(name)
        return None if value is None or value == "" else str(value)

    @property
    def unit(self) -> str | None:
        """Unit said by the profile, else the word after " in " that ends the description."""
        said = self.feature("default.unit")
        if said is not None:
            return said
        found = _UNIT_AT_END.search(self.feature("default.description") or "")
        return found[1] if found else None


class Dataprofile(msgspec.Struct, frozen=True):
    """A dataprofile; datapoints only come when asked for expanded."""

    id: str
    version: str = ""
    name: Text = None
    state: Text = None
    datapoints: list[Datapoint] | None = None


class Paging(msgspec.Struct, frozen=True):
    """Where a page stands in its collection."""

    total: int | None = None
    offset: int | None = None
    limit: int | None = None


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of any collection; without ``data`` it is none, whatever its status says."""

    data: list[T] | None
    paging: Paging | None = None


class Sample(msgspec.Struct, frozen=True, gc=False):
    """A raw sample; ``timestamp`` is the sample time."""

    timestamp: str | None = None
    value: Value = None


class Series(msgspec.Struct, frozen=True, rename="camel"):
    """Buckets of one datapoint; ``timestamp`` of each is the start of the bucket."""

    datapoint_id: str | None = None
    values: list[Sample] | None = None


class Timeseries(msgspec.Struct, frozen=True):
    """Resampled history; unknown datapoints and empty buckets are absent."""

    series: list[Series] | None
    resolution: str | int | None = None
