"""Devices and dataprofiles in the Belimo Cloud's shapes.

Source: Belimo Cloud Client API, section 3 (device, dataprofile).
"""

from __future__ import annotations

import re
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from energy_platform.simulators.belimo.devices import PROFILES

if TYPE_CHECKING:
    from energy_platform.simulators.world import Device, Signal, Site, World

Record = dict[str, Any]

_SPACE: Final = uuid.UUID("aaaaaaaa-0000-4000-8000-000000000000")

CREATED: Final = datetime(2020, 5, 8, 10, 9, 12, tzinfo=UTC)
"""Production date of every valve; an untransferred data scope begins here."""

ONLINE_S: Final = 300
"""A device counts as online when it was seen this recently."""

OWNER: Final = {"entityId": "o1", "ref": "/usergroups/o1", "displayName": "owner@building.example"}

UNREGISTERED: Final = 2
"""Devices that only the state ALL or UNREGISTERED lists."""


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """A device under one owner: its id, and the instants its history covers.

    Attributes:
        id: Id of the data scope.
        number: Running number of the device.
        device: The valve behind it; None for an unregistered one.
        since: Epoch seconds its history begins.
        site: Where it is.
        ended: Whether the device lives under another id now.
    """

    id: str
    number: int
    device: Device | None
    since: float
    site: Site
    ended: bool = False


class Inventory:
    """All data scopes; a transfer gives a device a new one."""

    def __init__(self, world: World) -> None:
        sites = {site.key: site for site in world.sites}
        self._lock = threading.Lock()
        self._scopes: dict[str, Scope] = {}
        self._current: dict[int, Scope] = {}
        self.transfers: list[tuple[float, str, str]] = []
        devices = world.of_vendor("belimo")
        for number, device in enumerate(devices, start=1):
            self._add(
                Scope(
                    _uid(device.serial, "0"),
                    number,
                    device,
                    CREATED.timestamp(),
                    sites[device.site],
                )
            )
        for spare in range(UNREGISTERED):
            number = len(devices) + spare + 1
            self._add(
                Scope(_uid("spare", str(spare)), number, None, CREATED.timestamp(), world.sites[0])
            )

    def _add(self, scope: Scope) -> None:
        self._scopes[scope.id] = scope
        self._current[scope.number] = scope

    def scope(self, identity: str) -> Scope | None:
        """The scope of that id, ended ones included."""
        return self._scopes.get(identity)

    def current(self) -> list[Scope]:
        """Every device under the id it has now."""
        return list(self._current.values())

    def number_of(self, serial: str) -> int:
        """Running number of a serial number.

        Raises:
            KeyError: No such valve.
        """
        for scope in self.current():
            if scope.device is not None and scope.device.serial == serial:
                return scope.number
        msg = f"no valve has the serial number {serial!r}"
        raise KeyError(msg)

    def transfer(self, number: int, *, now: float, with_data: bool) -> str:
        """Give a device a new id.

        Args:
            number: Its running number, from 1.
            now: Instant of the transfer, epoch seconds.
            with_data: Whether the old history moves along.

        Returns:
            The new id.

        Raises:
            KeyError: No such valve.
        """
        with self._lock:
            old = self._current[number]
            if old.device is None:
                msg = f"valve {number} is not registered"
                raise KeyError(msg)
            count = sum(scope.number == number for scope in self._scopes.values())
            since = old.since if with_data else now
            new = Scope(_uid(old.device.serial, str(count)), number, old.device, since, old.site)
            self._scopes[old.id] = Scope(
                old.id, number, old.device, old.since, old.site, ended=True
            )
            self._add(new)
            self.transfers.append((now, old.id, new.id))
            return new.id

    def transferred(self, number: int) -> bool:
        """Whether a device was ever transferred."""
        return sum(scope.number == number for scope in self._scopes.values()) > 1


def record(scope: Scope, *, now: float, with_state: bool = True) -> Record:
    """A device as ``GET /devices/{id}`` shows it; the state is most of the work."""
    device = scope.device
    if device is None:
        return _unregistered(scope)
    seen = device.signals[0].newest(now)
    health: Record = {
        "lastSeen": None if seen is None else milliseconds(seen[0]),
        "onlineDays": 300,
        "state": health_state(scope),
    }
    # A text or nothing: the vendor's own description of the API knows no null here.
    if "error" in device.traits:
        health["description"] = "Temperature sensor fault"
    if "no_last_seen" in device.traits:
        del health["lastSeen"]
    profile = None if "no_profile" in device.traits else _profile_reference(device.model)
    return {
        "id": scope.id,
        "productionId": f"P{scope.number:04d}",
        "displayName": device.serial if scope.number % 9 == 0 else device.name,
        "serialNumber": device.serial,
        "materialNumber": "MAT-1",
        "deviceType": "2",
        "productionDate": "2020-05-08T10:09:12.000Z",
        "purpose": "PRODUCT",
        "dataprofile": profile,
        "software": {
            "entityId": "s/1.0",
            "ref": "/software/versions/s/1.0",
            "displayName": "Update 1",
        },
        "runningSoftwareModules": {},
        "health": health,
        "owner": OWNER,
        "projectName": "Demo",
        "addressCity": scope.site.city,
        "addressCountry": scope.site.country,
        "remoteControlEnabled": True,
        "claimingProtectionActive": False,
        "state": state(scope, now=now) if with_state else None,
    }


def state(scope: Scope, *, now: float) -> Record:
    """All datapoints with their one timestamp."""
    device = scope.device
    seen = None if device is None else device.signals[0].newest(now)
    if device is None or seen is None or seen[0] < scope.since:
        return {"timestamp": None, "datapoints": {}}
    points: Record = {}
    for signal in device.signals:
        newest = signal.newest(now)
        if newest is not None:
            points[signal.address] = {"value": plain(signal, newest[1])}
    points["slsystem.410"] = {"value": "kWh"}
    points["metadata.1001"] = {"value": device.name}
    points["metadata.1009"] = {"value": scope.site.city}
    points["metadata.1011"] = {"value": scope.site.country}
    return {"timestamp": milliseconds(seen[0]), "datapoints": points}


def plain(signal: Signal, value: float) -> float | int | str | bool | None:
    """One value in the JSON type of its datapoint."""
    if value != value:  # noqa: PLR0124 (NaN is a null)
        return None
    if signal.states:
        return signal.states[int(value)]
    if "boolean" in signal.traits:
        return bool(value)
    return int(value) if base_type(signal) == "int" else value


def base_type(signal: Signal) -> str:
    """``default.basetype`` of a datapoint."""
    if signal.states:
        return "text"
    if "boolean" in signal.traits:
        return "bool"
    return "int" if signal.decimals == 0 and signal.kind == "gauge" else "real"


def health_state(scope: Scope) -> str:
    """OK, WARNING, ERROR or UNKNOWN."""
    traits = scope.device.traits if scope.device is not None else frozenset()
    if "error" in traits:
        return "ERROR"
    if "warning" in traits:
        return "WARNING"
    return "UNKNOWN" if "no_last_seen" in traits else "OK"


def stats(scopes: list[Scope], *, now: float) -> Record:
    """Counts of ``GET /devices/stats``."""
    registered = [scope for scope in scopes if scope.device is not None]
    online = 0
    for scope in registered:
        seen = None if scope.device is None else scope.device.signals[0].newest(now)
        online += seen is not None and now - seen[0] <= ONLINE_S
    problem = sum(health_state(scope) in {"WARNING", "ERROR"} for scope in registered)
    return {
        "totalDevices": len(registered),
        "connection": {"offline": len(registered) - online, "online": online},
        "health": {"problem": problem, "ok": len(registered) - problem},
        "transfer": {"incoming": 0, "outgoing": 0},
    }


def profiles(world: World) -> dict[str, Record]:
    """Dataprofiles by ``id/version``."""
    found: dict[str, Record] = {}
    for entity in PROFILES:
        example = next(one for one in world.of_vendor("belimo") if one.model == entity)
        identity, version = entity.rsplit("/", 1)
        found[entity] = {
            "id": identity,
            "version": version,
            "ref": entity,
            "name": f"demo.{identity.lower()}",
            "state": "PRODUCTIVE",
            "properties": {},
            "aspects": [],
            "subprofiles": [],
            "datapoints": [_datapoint(signal) for signal in example.signals],
            "subprofileRefs": [],
            "aggregatedSupportedAspects": [],
        }
    return found


def _datapoint(signal: Signal) -> Record:
    features = {
        "default.name": signal.name,
        "default.basetype": base_type(signal),
        "default.access": "r",
        "default.description": _description(signal),
        "default.unit": signal.unit,
    }
    if "no_unit" in signal.traits or not signal.unit:
        del features["default.unit"]
    if "no_description" in signal.traits:
        del features["default.description"]
    return {"id": signal.address, "featureValues": features, "definedBy": {}}


def _description(signal: Signal) -> str:
    """What the vendor prints of a datapoint: ``Heating Energy in J`` of ``heatingEnergy``."""
    words = re.findall(r"[A-Z]?[a-z]+", signal.name)
    text = " ".join(word.capitalize() for word in words)
    return f"{text} in {signal.unit}" if signal.unit else text


def _profile_reference(entity: str) -> Record:
    return {
        "entityId": entity,
        "ref": f"/definitions/dataprofiles/{entity}",
        "displayName": entity.split("/", maxsplit=1)[0],
    }


def _unregistered(scope: Scope) -> Record:
    serial = f"99999-0000{scope.number}-999-999"
    return {
        "id": scope.id,
        "productionId": f"P{scope.number:04d}",
        "displayName": serial,
        "serialNumber": serial,
        "materialNumber": "MAT-1",
        "deviceType": "2",
        "productionDate": "2020-05-08T10:09:12.000Z",
        "purpose": "PRODUCT",
        "dataprofile": None,
        "software": None,
        "runningSoftwareModules": None,
        "health": {"state": "UNKNOWN", "description": None},
        "owner": None,
        "remoteControlEnabled": False,
        "claimingProtectionActive": False,
        "state": {"timestamp": None, "datapoints": {}},
    }


def milliseconds(at: float) -> str:
    """ISO 8601 with milliseconds and Z."""
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _uid(*names: str) -> str:
    return str(uuid.uuid5(_SPACE, "/".join(names)))
