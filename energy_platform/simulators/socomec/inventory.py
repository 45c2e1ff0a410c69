"""Corporate account, customer, sites, devices and variables in SoData's shapes.

Source: SoData API, section 4.1 (shapes).
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.simulators.world import Device, Signal, Site, World

Record = dict[str, Any]

_SPACE: Final = uuid.UUID("33333333-0000-4000-8000-000000000000")

LAST_SITE: Final = "kolkata"
"""The site of the second customer."""

OLD_SERVICES: Final = frozenset({"140121"})
"""Services whose value has not changed for months: their last value keeps its old date."""

UPS_SERVICES: Final = "14"
"""What the numbers of a UPS's services begin with."""

SERVICE_NAMES: Final = {
    "140100": "IUpsOutput_Lr",
    "141935": "IUpsStatistic_OverLoadMore5s_Delta",
    "141937": "IUpsStatistic_HoursOnInverter_Delta",
    "141938": "IUpsStatistic_HoursOnBp_Delta",
    "141939": "IUpsStatistic_HoursOnBatt_Delta",
}
"""Technical names of services where the vendor's document prints one, or one of their kind."""

OLD_DATE: Final = datetime(2022, 3, 28, 9, 11, 2, tzinfo=UTC)


def uid(*names: str) -> str:
    """The UUID of a thing of the world, always the same."""
    return str(uuid.uuid5(_SPACE, "/".join(names)))


CA_UUID: Final = uid("ca")
CUSTOMER_UUIDS: Final = (uid("customer"), uid("customer", "2"))
"""Two customers: the first has every site but the last one."""


class Inventory:
    """All records, built once."""

    def __init__(self, world: World) -> None:
        self.devices: dict[str, Device] = {
            uid("device", device.serial): device for device in world.of_vendor("socomec")
        }
        self.accounts = [_account()]
        self.sites = [
            _site(site, number=number, devices=self._count(site.key))
            for number, site in enumerate(world.sites)
        ]
        self.customers = [
            _customer(number, sites=sum(one["customerUuid"] == uuid for one in self.sites))
            for number, uuid in enumerate(CUSTOMER_UUIDS)
        ]
        zones = {site.key: site for site in world.sites}
        self.device_records = {
            identity: _device(identity, device, site=zones[device.site])
            for identity, device in self.devices.items()
        }
        self.variables = {
            identity: [_variable(identity, device, signal) for signal in device.signals]
            for identity, device in self.devices.items()
        }
        self.signals: dict[tuple[str, str, str, str], Signal] = {
            (identity, *address(signal)): signal
            for identity, device in self.devices.items()
            for signal in device.signals
        }
        self.zones = {
            identity: zones[device.site].zone for identity, device in self.devices.items()
        }

    def described_devices(self, query: Mapping[str, str]) -> list[Record]:
        """All devices, with their contact and address where the query wants them."""
        with_contact, with_address = (
            query.get(name) == "true" for name in ("withContact", "withAddress")
        )
        if not with_contact and not with_address:
            return list(self.device_records.values())
        return [
            record
            | ({"contact": _contact()} if with_contact else {})
            | ({"address": _address()} if with_address else {})
            for record in self.device_records.values()
        ]

    def _count(self, site: str) -> int:
        return sum(device.site == site for device in self.devices.values())


def address(signal: Signal) -> tuple[str, str, str]:
    """Item type, item index and service id."""
    item_type, item_index, service = signal.address.split("|")
    return item_type, item_index, service


def last_value(identity: str, device: Device, signal: Signal, *, now: float) -> Record | None:
    """The newest value of a signal in the shape of last-values; None when there is none."""
    newest = signal.newest(now)
    if newest is None:
        return None
    at, value = newest
    item_type, item_index, service = address(signal)
    moment = OLD_DATE if service in OLD_SERVICES else datetime.fromtimestamp(at, tz=UTC)
    text = f"{value:.{signal.decimals}f}"
    if "alarm" in signal.traits:
        text = "ACTIVE" if value > 0 else "INACTIVE"
    record: Record = {
        "serviceId": service,
        "itemType": item_type,
        "itemIndex": item_index,
        "deviceUuid": identity,
        "value": text,
        "date": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "title": signal.name,
        "unit": signal.unit,
        "deviceName": device.name,
        "itemName": item_type,
        "serviceGroup": signal.label,
        "serviceType": "Alarm" if "alarm" in signal.traits else "Measure",
    }
    if not signal.unit:
        del record["unit"]
    return record


def _account() -> Record:
    return {
        "defaultCustomerUuid": "",
        "uuid": CA_UUID,
        "name": "Demo CA",
        "activationType": "MAINTENANCE",
        "emailTo": None,
        "emailCc": None,
        "canPublish": False,
        "autoTemplateSynchro": True,
        "isMultiCustomerAccount": True,
        "active": True,
        "movingAuthorization": "CONSERVATION",
        "iconUuid": uid("icon"),
        "userLinks": [
            {
                "uuid": uid("user"),
                "status": "VALIDATED",
                "isSupport": False,
                "corporateAccountId": 3,
                "userId": 4,
            }
        ],
        "isMaster": False,
    }


def _customer(number: int, *, sites: int) -> Record:
    return {
        "uuid": CUSTOMER_UUIDS[number],
        "emailTo": "someone@customer.example",
        "emailCc": None,
        "technicalName": f"DEMO_CUSTOMER_{number + 1}",
        "name": ("Demo customer", "Demo customer abroad")[number],
        "reference": None,
        "description": "",
        "visibility": None,
        "corporateAccountId": 3,
        "additionalInformation": "",
        "movingAuthorization": "INHERITED",
        "corporateAccountUuid": CA_UUID,
        "iconUuid": uid("icon"),
        "companyAddress": _address(),
        "contact": _contact(),
        "sitesQuantity": sites,
    }


def _address() -> Record:
    return {
        "uuid": uid("address"),
        "useParent": False,
        "street": "Demo street 1",
        "postCode": "00000",
        "city": "Demo city",
        "country": "FR",
        "state": None,
    }


def _contact() -> Record:
    return {
        "uuid": uid("contact"),
        "useParent": False,
        "name": "Demo Person",
        "phone": "+00 000 000",
        "mobile": None,
        "email": "person@customer.example",
        "emailCC": None,
    }


def _site(site: Site, *, number: int, devices: int) -> Record:
    return {
        "uuid": uid("site", site.key),
        "emailTo": None,
        "emailCc": None,
        "technicalName": site.key.upper().replace("-", "_"),
        "language": None,
        "name": site.name,
        "description": "",
        "configurationOptions": {},
        "activationKey": uid("activation", site.key),
        "visibility": None,
        "customerId": 7 + number,
        "autoGatewaysRegistration": True,
        "autoProductsRegistration": True,
        "timeZone": site.zone,
        "additionalInformation": "",
        "movingAuthorization": "INHERITED",
        "customerUuid": CUSTOMER_UUIDS[site.key == LAST_SITE],
        "devicesQuantity": devices,
    }


def _device(identity: str, device: Device, *, site: Site) -> Record:
    return {
        "uuid": identity,
        "emailTo": None,
        "emailCc": None,
        "technicalName": device.name.upper().replace(" ", "_"),
        "mappingMode": "SERVICE_ID",
        "acquisitionId": None,
        "description": None,
        "serialNumber": device.serial,
        "custom": {
            "socomec": {
                "deviceID": device.serial,
                "nomPowerKVA": "20000",
                "nomPowerKW": "0",
                "compatibilityVersion": "1",
            }
        },
        "configurationOptions": {},
        "frequencyStatus": 60,
        "frequencyStream": 60,
        "status": "ACCEPTED",
        "creationType": "CREATED",
        "connectionStatus": "CONNECTED" if device.gateway is None else None,
        "visibility": None,
        "longitude": site.longitude,
        "latitude": site.latitude,
        "deviceTypeUuid": uid("type", device.model),
        "deviceTypeReferenceId": "9204",
        "manufacturer": "Socomec",
        "location": None,
        "contractNumber": "C-1",
        "modelName": device.model,
        "profilesUpToDate": True,
        "createNoCommunicationAlarm": True,
        "noCommunicationPeriod": 60,
        "tags": None,
        "locked": False,
        "additionalInformation": "",
        "gatewayId": None if device.gateway is None else 161,
        "configurationKey": "DEMO_KEY",
        "storageName": "DataHub",
        "netId": None,
        "movingAuthorization": "INHERITED",
        "siteUuid": uid("site", device.site),
        "gatewayUuid": None if device.gateway is None else uid("device", device.gateway),
        "iconUuid": uid("icon"),
        "contact": {},
        "address": {},
        "name": device.name,
        "timeZone": site.zone,
        "createdAt": "2021-03-23T14:52:40.552Z",
        "owned": True,
    }


def _variable(identity: str, device: Device, signal: Signal) -> Record:
    item_type, item_index, service = address(signal)
    is_ups = service.startswith(UPS_SERVICES)
    titles: Record = {"title": signal.name, "shortName": signal.name}
    if signal.kind == "increment":
        del titles["shortName"]
    return {
        "uuid": uid("variable", signal.key),
        "deviceUuid": identity,
        "deviceSerialNumber": device.serial,
        "deviceTypeUuid": uid("type", device.model),
        "label": device.name.upper().replace(" ", "_"),
        "compatibilityVersion": None,
        "itemId": 293,
        "itemUuid": uid("item", device.serial, item_type, item_index),
        "itemIndex": item_index,
        "itemCustom": None,
        "itemType": item_type,
        "serviceId": service,
        "serviceUuid": uid("service", service),
        "serviceName": SERVICE_NAMES.get(service) or _service_name(signal, service),
        "coef": None,
        "offset": None,
        "baseCoef": None,
        "baseOffset": None,
        "serviceType": "Alarm" if "alarm" in signal.traits else "Measure",
        "serviceGroup": signal.label,
        "iotGroup": None,
        # Where it is null, as in the vendor's example of a UPS, the last value says the unit.
        "unit": None if is_ups or signal.kind == "increment" else signal.unit or None,
        "severityName": "MAJOR" if "alarm" in signal.traits else None,
        "severityLevel": 2 if "alarm" in signal.traits else None,
        "manufacturer": None,
        "compatibilityMin": None,
        "compatibilityMax": None,
        "serviceTranslations": {"en": titles, "fr": {"title": signal.name}},
        "itemServiceTranslations": None,
        "reason": {"fromTemplate": True, "reasons": [{"value": "IS_DEFAULT"}]},
        "source": "PROFILE",
        "timestampId": None,
        "pollingTime": signal.cadence.period_s,
        "sendOnUpdate": False,
        "isComputed": signal.kind == "increment",
        "configurationComputed": None,
        "tags": [],
        "overrideFields": None,
        "active": True,
        "streamRef": f"{item_type} {item_index} {service}",
        "datahubId": 3_214_069,
    }


def _service_name(signal: Signal, service: str) -> str:
    return signal.name if signal.kind == "increment" else f"I{service}"
