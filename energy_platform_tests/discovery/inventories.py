"""Small inventories in the shape the vendors' clients return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from energy_platform.sources.belimo.tables import RAW_BELIMO_DATAPROFILES, RAW_BELIMO_DEVICES
from energy_platform.sources.registry import get_source
from energy_platform.sources.skycentrics.tables import (
    RAW_SKYCENTRICS_DEVICES,
    RAW_SKYCENTRICS_SENSORS,
)
from energy_platform.sources.socomec.tables import (
    RAW_SOCOMEC_DEVICES,
    RAW_SOCOMEC_LAST_VALUES,
    RAW_SOCOMEC_SITES,
    RAW_SOCOMEC_VARIABLES,
)

if TYPE_CHECKING:
    from energy_platform.discovery import ProposedDevice, ProposedPoint, VendorInventory
    from energy_platform.schemas import Table


def frame(table: Table, *rows: dict[str, Any]) -> dict[str, pl.DataFrame]:
    return {table.name: pl.DataFrame(list(rows), schema=table.schema)}


def variable(service_id: str, title: str | None, unit: str | None, **more: Any) -> dict[str, Any]:
    return {
        "uuid": f"v{service_id}",
        "device_uuid": "d1",
        "item_type": "Global",
        "item_index": "0",
        "service_id": service_id,
        "service_name": f"I{service_id}",
        "service_type": "Measure",
        "title": title,
        "unit": unit,
        "is_computed": False,
        "is_scaled": False,
        "polling_time": None,
        "active": True,
    } | more


def socomec(
    *variables: dict[str, Any],
    name: str = "Meter",
    serial: str = "SN1",
    zone: str = "Europe/Paris",
    site_name: str = "Head office",
    last: tuple[dict[str, Any], ...] = (),
) -> VendorInventory:
    site = {"uuid": "s1", "ca_uuid": "c", "name": site_name, "time_zone": zone}
    device = {
        "uuid": "d1",
        "ca_uuid": "c",
        "site_uuid": "s1",
        "gateway_uuid": "g1",
        "serial_number": serial,
        "name": name,
        "model_name": "DIRIS A-40",
        "time_zone": zone,
    }
    gateway = device | {
        "uuid": "g1",
        "gateway_uuid": None,
        "serial_number": "GW1",
        "name": "Gateway",
    }
    return get_source("socomec").discover(
        frame(RAW_SOCOMEC_SITES, site)
        | frame(RAW_SOCOMEC_DEVICES, device, gateway)
        | frame(RAW_SOCOMEC_VARIABLES, *variables)
        | frame(RAW_SOCOMEC_LAST_VALUES, *last)
    )


def datapoint(key: str, name: str | None, unit: str | None, **more: Any) -> dict[str, Any]:
    return {
        "dataprofile": "valve/1",
        "datapoint_id": key,
        "name": name,
        "basetype": "real",
        "access": "r",
        "unit": unit,
    } | more


def valve(serial: str = "V1", **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{serial}",
        "serial_number": serial,
        "display_name": f"Valve {serial}",
        "dataprofile": "valve/1",
        "project_name": "Tower",
        "address_city": "Basel",
        "address_country": "CH",
    } | more


def belimo(
    *datapoints: dict[str, Any], devices: tuple[dict[str, Any], ...] | None = None
) -> VendorInventory:
    return get_source("belimo").discover(
        frame(RAW_BELIMO_DEVICES, *(devices if devices is not None else (valve(),)))
        | frame(RAW_BELIMO_DATAPROFILES, *datapoints)
    )


def sensor(
    name: str, units: str, *, kind: str = "State", value: float | str | None = None
) -> dict[str, Any]:
    return {
        "device_id": "1000000001",
        "sensor_id": name.replace(" ", "_"),
        "name": name,
        "type": kind,
        "units": units,
        "value": value if isinstance(value, float) else None,
        "value_text": value if isinstance(value, str) else None,
    }


def skycentrics(*sensors: dict[str, Any], name: str = "Roof gateway") -> VendorInventory:
    return get_source("skycentrics").discover(
        frame(RAW_SKYCENTRICS_DEVICES, {"id": "1000000001", "name": name})
        | frame(RAW_SKYCENTRICS_SENSORS, *sensors)
    )


def only_device(found: VendorInventory) -> ProposedDevice:
    (device,) = found.devices.values()
    return device


def only_point(found: VendorInventory) -> ProposedPoint:
    (point,) = only_device(found).points
    return point


def told(guess: ProposedPoint) -> tuple[str, str]:
    return guess.quantity, guess.kind
