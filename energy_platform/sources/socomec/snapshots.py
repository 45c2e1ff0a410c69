"""The inventory of SoData as snapshot frames.

Sites, devices and variables are what the days are read by: where they cannot be read, the inventory
fails. Customers and last values are for those who ask: where they cannot be read, they are left out
with a warning, and the lake keeps those it has.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.schemas import INSTANT
from energy_platform.sources.columns import INSTANT_FORMATS, split_values
from energy_platform.sources.http.errors import PermanentError, VendorError
from energy_platform.sources.http.masking import without_contacts
from energy_platform.sources.http.threads import in_order
from energy_platform.sources.socomec.models import as_number
from energy_platform.sources.socomec.tables import (
    RAW_SOCOMEC_CUSTOMERS,
    RAW_SOCOMEC_DEVICES,
    RAW_SOCOMEC_LAST_VALUES,
    RAW_SOCOMEC_SITES,
    RAW_SOCOMEC_VARIABLES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from energy_platform.sources.socomec.client import SocomecClient
    from energy_platform.sources.socomec.models import (
        CorporateAccount,
        Customer,
        Device,
        LastValue,
        Site,
        Variable,
    )

log = logging.getLogger(__name__)

_DEVICES_A_FRAME: Final = 200
"""Devices whose answers are objects at once: a variable takes 2 kB so, and 200 bytes in a frame."""

_REFUSED: Final = frozenset({400, 403, 404, 405, 409, 410, 422, 500, 501})
"""Answers about a device that was listed a moment ago but is refused, broken or gone."""


def inventory(client: SocomecClient) -> dict[str, pl.DataFrame]:
    """Read the sites, devices, variables, last values and customers the account sees.

    Returns:
        The frames of ``raw_socomec__sites``, ``raw_socomec__devices``,
        ``raw_socomec__variables``, ``raw_socomec__last_values`` and ``raw_socomec__customers`` by
        table name. A variable without a unit gets the one of its last value. The customers are
        missing where the user may not read them, last values of a device where they were refused.

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
    read = _read_variables(client, devices)
    if read.scaled:
        log.warning(
            "socomec inventory: %d variables have a coefficient; never applied", read.scaled
        )
    # Last, since a source that stops answering here has given all that days are read by.
    customers = _customers(client, accounts)
    last_values = [*read.last, *_last_values(client, read.unasked, total=len(devices))]
    for warning in client.take_warnings():
        log.warning("socomec inventory: %s", warning)
    frames = {
        RAW_SOCOMEC_SITES.name: _site_frame(sites),
        RAW_SOCOMEC_DEVICES.name: _device_frame(devices),
        RAW_SOCOMEC_VARIABLES.name: _first_of_each(
            pl.concat(read.frames), RAW_SOCOMEC_VARIABLES.sort_key
        ),
        RAW_SOCOMEC_LAST_VALUES.name: _newest_of_each(pl.concat(last_values)),
    }
    return frames if customers is None else frames | {RAW_SOCOMEC_CUSTOMERS.name: customers}


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
    last: list[LastValue] | None
    refusal: VendorError | None


class _Read(NamedTuple):
    """What the devices of an account gave.

    Attributes:
        frames: Their variables, some devices in each frame.
        last: Last values of those whose variables needed them.
        unasked: Account and device of the others.
        scaled: Variables with a coefficient.
    """

    frames: list[pl.DataFrame]
    last: list[pl.DataFrame]
    unasked: list[tuple[str, Device]]
    scaled: int


def _read_variables(client: SocomecClient, devices: Sequence[tuple[str, Device]]) -> _Read:
    """Read the variables of all devices; what was read of some becomes frames before the next.

    Raises:
        VendorError: Every device is refused; the first one's reason.
    """
    frames, last, unasked = [_variable_frame(())], [_last_value_frame(())], []
    scaled = 0
    refusals: list[VendorError] = []
    answers = in_order(
        devices,
        lambda item: _variables(client, ca=item[0], device=item[1]),
        threads=client.settings.max_in_flight,
    )
    rows: list[_VariableRow] = []
    values: list[tuple[Device, LastValue]] = []
    for number, (item, one) in enumerate(zip(devices, answers, strict=True), start=1):
        rows += one.rows
        values += [(item[1], value) for value in one.last or ()]
        scaled += sum(row.variable.is_scaled for row in one.rows)
        if one.refusal is not None:
            refusals.append(one.refusal)
        elif one.last is None and one.rows:
            unasked.append(item)
        if number % _DEVICES_A_FRAME == 0 or number == len(devices):
            frames.append(_variable_frame(rows))
            last.append(_last_value_frame(values))
            rows, values = [], []
    if len(refusals) == len(devices):
        raise refusals[0]
    return _Read(frames, last, unasked, scaled)


def _variables(client: SocomecClient, *, ca: str, device: Device) -> _Variables:
    """Read the variables of a device; one that is refused costs no other its place."""
    try:
        variables = client.variables(ca, device.uuid)
        lacking = any(not variable.unit or not variable.title for variable in variables)
        values = client.last_values(ca, device.uuid) if lacking else None
    except VendorError as error:
        if error.status not in _REFUSED or error.endpoint not in {"variables", "last values"}:
            raise
        log.warning("%s; left out of the inventory", error)
        return _Variables([], None, error)
    last = {value.triple: value for value in values or ()}
    rows = [_VariableRow(device.uuid, one, last.get(one.triple)) for one in variables]
    return _Variables(rows, values, None)


def _last_values(
    client: SocomecClient, devices: Sequence[tuple[str, Device]], *, total: int
) -> list[pl.DataFrame]:
    """Ask for the last values of devices whose variables did not need them."""
    errors: list[VendorError] = []

    def ask(item: tuple[str, Device]) -> list[LastValue]:
        ca, device = item
        try:
            return client.last_values(ca, device.uuid)
        except VendorError as error:
            if error.endpoint != "last values":
                raise
            errors.append(error)
            return []

    answers = in_order(devices, ask, threads=client.settings.max_in_flight)
    frames, values = [], []
    for number, ((_, device), answered) in enumerate(zip(devices, answers, strict=True), start=1):
        values += [(device, value) for value in answered]
        if number % _DEVICES_A_FRAME == 0 or number == len(devices):
            frames.append(_last_value_frame(values))
            values = []
    if errors:
        # One line, not one a device: a source that is down fails for all that are left.
        log.warning(
            "%s; last values of %d of %d devices are those of the last time",
            errors[0],
            len(errors),
            total,
        )
    return frames


def _customers(client: SocomecClient, accounts: Iterable[CorporateAccount]) -> pl.DataFrame | None:
    """Read the customers; None where the user may not, or they cannot be read."""
    try:
        found = [(ca.uuid, one) for ca in accounts for one in client.customers(ca.uuid)]
    except VendorError as error:
        if error.endpoint != "customers":
            raise
        log.warning("%s; the customers are those of the last time, nothing else lacks", error)
        return None
    return _customer_frame(found)


def _customer_frame(customers: Iterable[tuple[str, Customer]]) -> pl.DataFrame:
    rows = [
        (one.uuid, ca, None if one.name is None else without_contacts(one.name), one.sites_quantity)
        for ca, one in customers
    ]
    return _snapshot(rows, schema=RAW_SOCOMEC_CUSTOMERS.schema, key=RAW_SOCOMEC_CUSTOMERS.sort_key)


def _last_value_frame(values: Sequence[tuple[Device, LastValue]]) -> pl.DataFrame:
    """Lay out last values; numbers come as texts here, dates may be months old."""
    numbers, texts = split_values(
        [one.value if one.number is None else one.number for _, one in values]
    )
    return pl.DataFrame(
        {
            "device_uuid": [device.uuid for device, _ in values],
            "item_type": [one.triple[0] for _, one in values],
            "item_index": [one.triple[1] for _, one in values],
            "service_id": [one.triple[2] for _, one in values],
            "at": _dates([one.date for _, one in values]),
            "value": numbers,
            "value_text": texts,
            "unit": [one.unit for _, one in values],
            "title": [one.title for _, one in values],
            "service_type": [one.service_type for _, one in values],
            "serial_number": [device.serial_number or device.uuid for device, _ in values],
        },
        schema=RAW_SOCOMEC_LAST_VALUES.schema,
    )


def _newest_of_each(frame: pl.DataFrame) -> pl.DataFrame:
    """Return, of two values of one variable, the newer one."""
    newest = frame.sort("at", descending=True, nulls_last=True, maintain_order=True)
    key = RAW_SOCOMEC_LAST_VALUES.sort_key
    return newest.unique(subset=key, keep="first", maintain_order=True).sort(key)


def _dates(texts: Sequence[str | None]) -> pl.Series:
    """Read the dates one by one: one that is not an instant is null."""
    said = pl.Series("at", texts, dtype=pl.String)
    read = [
        said.str.to_datetime(shape, time_unit="us", time_zone="UTC", strict=False)
        for shape in INSTANT_FORMATS
    ]
    return read[0].zip_with(read[0].is_not_null(), read[1]).cast(INSTANT)


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
    return pl.DataFrame(rows, schema=RAW_SOCOMEC_VARIABLES.schema, orient="row")


def _snapshot(
    rows: Sequence[tuple[object, ...]], *, schema: pl.Schema, key: tuple[str, ...]
) -> pl.DataFrame:
    return _first_of_each(pl.DataFrame(rows, schema=schema, orient="row"), key)


def _first_of_each(frame: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    return frame.sort(key, maintain_order=True).unique(
        subset=key, keep="first", maintain_order=True
    )
