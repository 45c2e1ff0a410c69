"""The inventory of SoData as snapshot frames: sites, devices, variables."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.schemas import (
    RAW_SOCOMEC_DEVICES,
    RAW_SOCOMEC_SITES,
    RAW_SOCOMEC_VARIABLES,
)
from energy_platform.vendors.errors import PermanentError, VendorError
from energy_platform.vendors.socomec.models import as_number
from energy_platform.vendors.threads import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from energy_platform.vendors.socomec.client import SocomecClient
    from energy_platform.vendors.socomec.models import (
        CorporateAccount,
        Device,
        LastValue,
        Site,
        Variable,
    )

log = logging.getLogger(__name__)

_REFUSED: Final = frozenset({400, 403, 404, 405, 409, 410, 422, 500, 501})
"""Answers about a device that was listed a moment ago but is refused, broken or gone."""


def inventory(client: SocomecClient) -> dict[str, pl.DataFrame]:
    """Read the sites, devices and variables the account sees.

    Returns:
        The frames of ``raw_socomec__sites``, ``raw_socomec__devices`` and
        ``raw_socomec__variables`` by table name. A variable without a unit gets the one of its
        last value.

    Raises:
        PermanentError: No account or no device is visible: an empty answer of this vendor more
            often means a missing right than a missing device, and must not replace a snapshot.
            Or every device is refused.
        VendorError: What the vendor refused or could not answer.
    """
    accounts = _accounts(client)
    sites = [(ca.uuid, site) for ca in accounts for site in client.sites(ca.uuid)]
    devices = [(ca.uuid, device) for ca in accounts for device in client.devices(ca.uuid)]
    if not devices:
        raise _nothing_visible("devices", ", ".join(ca.name or ca.uuid for ca in accounts))
    read = list(
        in_order(
            devices,
            lambda item: _variables(client, ca=item[0], device=item[1]),
            threads=client.settings.max_in_flight,
        )
    )
    refusals = [one.refusal for one in read if one.refusal is not None]
    if len(refusals) == len(devices):
        raise refusals[0]
    variables = [row for one in read for row in one.rows]
    scaled = sum(row.variable.is_scaled for row in variables)
    if scaled:
        log.warning("socomec inventory: %d variables have a coefficient; never applied", scaled)
    for warning in client.take_warnings():
        log.warning("socomec inventory: %s", warning)
    return {
        RAW_SOCOMEC_SITES.name: _site_frame(sites),
        RAW_SOCOMEC_DEVICES.name: _device_frame(devices),
        RAW_SOCOMEC_VARIABLES.name: _variable_frame(variables),
    }


def _accounts(client: SocomecClient) -> list[CorporateAccount]:
    if client.settings.ca_uuid:
        return [client.corporate_account(client.settings.ca_uuid)]
    accounts = client.corporate_accounts()
    if not accounts:
        raise _nothing_visible("corporate accounts", "this user")
    return accounts


def _nothing_visible(what: str, where: str) -> PermanentError:
    return PermanentError(
        f"no {what} visible in {where}",
        vendor="socomec",
        endpoint=what,
        advice="Ask the account owner for the functional rights and Data Access Groups",
    )


class _VariableRow(NamedTuple):
    device_uuid: str
    variable: Variable
    last: LastValue | None


class _Variables(NamedTuple):
    rows: list[_VariableRow]
    refusal: VendorError | None


def _variables(client: SocomecClient, *, ca: str, device: Device) -> _Variables:
    """Read the variables of a device; one that is refused costs no other its place."""
    try:
        variables = client.variables(ca, device.uuid)
        lacking = any(not variable.unit or not variable.title for variable in variables)
        values = client.last_values(ca, device.uuid) if lacking else []
    except VendorError as error:
        if error.status not in _REFUSED or error.endpoint not in {"variables", "last values"}:
            raise
        log.warning("%s; left out of the inventory", error)
        return _Variables([], error)
    last = {value.triple: value for value in values}
    rows = [_VariableRow(device.uuid, one, last.get(one.triple)) for one in variables]
    return _Variables(rows, None)


def _site_frame(sites: Iterable[tuple[str, Site]]) -> pl.DataFrame:
    rows = [
        (one.uuid, ca, one.customer_uuid, one.name, one.time_zone, one.devices_quantity)
        for ca, one in sites
    ]
    return _snapshot(rows, schema=RAW_SOCOMEC_SITES.schema, key=RAW_SOCOMEC_SITES.sort_key)


def _device_frame(devices: Iterable[tuple[str, Device]]) -> pl.DataFrame:
    rows = [
        (
            one.uuid,
            ca,
            one.site_uuid,
            one.gateway_uuid,
            # Without a serial number the UUID is the most stable name there is.
            one.serial_number or one.uuid,
            one.name,
            one.model_name,
            one.manufacturer,
            one.time_zone,
            one.status,
            one.connection_status,
        )
        for ca, one in devices
    ]
    return _snapshot(rows, schema=RAW_SOCOMEC_DEVICES.schema, key=RAW_SOCOMEC_DEVICES.sort_key)


def _variable_frame(variables: Iterable[_VariableRow]) -> pl.DataFrame:
    rows = []
    for device_uuid, one, last in variables:
        polling = as_number(one.polling_time)
        rows.append(
            (
                one.uuid,
                device_uuid,
                *one.triple,
                one.service_name,
                one.service_type,
                one.service_group,
                one.title or (last.title if last else None),
                one.unit or (last.unit if last else None),
                one.is_computed,
                one.is_scaled,
                None if polling is None else int(polling),
                one.active,
            )
        )
    return _snapshot(rows, schema=RAW_SOCOMEC_VARIABLES.schema, key=RAW_SOCOMEC_VARIABLES.sort_key)


def _snapshot(
    rows: Sequence[tuple[object, ...]], *, schema: pl.Schema, key: tuple[str, ...]
) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.sort(key, maintain_order=True).unique(
        subset=key, keep="first", maintain_order=True
    )
