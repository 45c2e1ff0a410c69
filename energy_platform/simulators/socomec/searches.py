"""Reads whose question stands in a body: variables page by page, last values of several devices.

SoData's document names both calls and shows neither body (section 4), so the bodies here are
assumptions: the words of the listings (``take``, ``skip``) and of the history call (``deviceUuid``,
``itemType``, ``itemIndex``, ``serviceId``), and nothing that a body adds is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from energy_platform.simulators.socomec.inventory import Record

TAKE: Final = 50
"""Records of a page that asks for no number (section 6)."""

_FILTERS: Final = (
    "deviceUuid",
    "deviceSerialNumber",
    "itemType",
    "itemIndex",
    "serviceId",
    "serviceType",
    "serviceGroup",
    "active",
)
"""Fields of a variable that a search may name."""

_LISTS: Final = {"deviceUuids": "deviceUuid", "serviceIds": "serviceId"}
"""Fields of a search that give several values of one field of a variable."""

_SERIES: Final = ("itemType", "itemIndex", "serviceId")


class BodyError(ValueError):
    """The body cannot be understood; its text says why."""


@dataclass(frozen=True, slots=True)
class Paging:
    """Which records of a listing are wanted."""

    take: int = TAKE
    skip: int = 0

    @classmethod
    def read(cls, *said: Mapping[str, Any]) -> Paging:
        """Read ``take`` and ``skip`` from the first of several places that has them.

        Raises:
            BodyError: One is not a whole number, or out of range.
        """
        numbers = {"take": TAKE, "skip": 0}
        for name, usual in list(numbers.items()):
            text = next((place[name] for place in said if name in place), usual)
            try:
                numbers[name] = int(text)
            except (TypeError, ValueError) as error:
                raise BodyError("take and skip must be integer numbers") from error
        if numbers["take"] < 1 or numbers["skip"] < 0:
            raise BodyError("take must not be less than 1, skip not less than 0")
        return cls(**numbers)


def read_body(body: bytes) -> dict[str, Any]:
    """Return the object of a body; an empty body is an empty object.

    Raises:
        BodyError: It is not JSON, or not an object.
    """
    try:
        said = msgspec.json.decode(body or b"{}")
    except msgspec.DecodeError as error:
        raise BodyError(f"Unexpected body: {error}") from error
    if not isinstance(said, dict):
        raise BodyError("body must be an object")
    return said


def searched(variables: Iterable[Record], *, wanted: Mapping[str, Any]) -> list[Record]:
    """Return the variables that a search names, in the order they came."""
    exact = {name: wanted[name] for name in _FILTERS if wanted.get(name) is not None}
    several = {
        field: set(wanted[name])
        for name, field in _LISTS.items()
        if isinstance(wanted.get(name), list)
    }
    text = str(wanted.get("search") or "").lower()
    return [
        one
        for one in variables
        if all(one[name] == value for name, value in exact.items())
        and all(one[name] in values for name, values in several.items())
        and (not text or text in _text(one))
    ]


def _text(variable: Record) -> str:
    title = variable["serviceTranslations"]["en"]["title"]
    return f"{title} {variable['serviceName']} {variable['serviceId']}".lower()


@dataclass(frozen=True, slots=True)
class LastValuesQuery:
    """Which last values are wanted.

    Attributes:
        devices: Device uuids in the order they were named, each once.
        services: The triples wanted of a device; a device that is not here gives all it has.
    """

    devices: tuple[str, ...]
    services: Mapping[str, frozenset[tuple[str, str, str]]]

    def wants(self, value: Record) -> bool:
        """Say whether a value of a wanted device was asked for."""
        services = self.services.get(value["deviceUuid"])
        return services is None or tuple(value[key] for key in _SERIES) in services


def read_last_values(body: bytes) -> LastValuesQuery:
    """Read the devices of a body: ``deviceUuids``, ``devices`` or ``series``.

    Raises:
        BodyError: It names no device, or names one with something that is not a text.
    """
    said = read_body(body)
    devices: list[str] = []
    services: dict[str, set[tuple[str, str, str]]] = {}
    for name in ("deviceUuids", "devices", "series"):
        entries = said.get(name, [])
        if not isinstance(entries, list):
            raise BodyError(f"{name} must be an array")
        for position, entry in enumerate(entries):
            uuid = entry.get("deviceUuid", entry.get("uuid")) if isinstance(entry, dict) else entry
            if not isinstance(uuid, str):
                raise BodyError(f"{name}.{position}.deviceUuid must be a string")
            devices.append(uuid)
            if isinstance(entry, dict) and set(_SERIES) <= entry.keys():
                triple = (str(entry["itemType"]), str(entry["itemIndex"]), str(entry["serviceId"]))
                services.setdefault(uuid, set()).add(triple)
    if not devices:
        raise BodyError("deviceUuids must contain at least 1 elements")
    return LastValuesQuery(
        tuple(dict.fromkeys(devices)),
        {uuid: frozenset(triples) for uuid, triples in services.items()},
    )
