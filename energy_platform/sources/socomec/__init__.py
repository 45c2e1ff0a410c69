"""Socomec SoData: UPS and power meters behind a Keycloak login, read-only API, raw frames."""

from typing import Final

from energy_platform.sources.base import SourceSpec
from energy_platform.sources.socomec.client import SocomecClient
from energy_platform.sources.socomec.discovery import discover_socomec
from energy_platform.sources.socomec.models import SeriesKey
from energy_platform.sources.socomec.readings import socomec_to_readings
from energy_platform.sources.socomec.settings import SocomecSettings
from energy_platform.sources.socomec.source import addresses, keep, open_socomec
from energy_platform.sources.socomec.tables import (
    RAW_SOCOMEC_CUSTOMERS,
    RAW_SOCOMEC_DATAPOINTS,
    RAW_SOCOMEC_DEVICES,
    RAW_SOCOMEC_LAST_VALUES,
    RAW_SOCOMEC_SITES,
    RAW_SOCOMEC_VARIABLES,
)

__all__ = ["SOURCE", "SeriesKey", "SocomecClient"]

SOURCE: Final = SourceSpec(
    name="socomec",
    title="Socomec SoData",
    settings=SocomecSettings,
    login=("client_id", "client_secret", "username", "password"),
    enabled_by=("client_id", "client_secret"),
    day_table=RAW_SOCOMEC_DATAPOINTS,
    device_column="serial_number",
    own_id_column="device_uuid",
    inventory_tables=(
        RAW_SOCOMEC_SITES,
        RAW_SOCOMEC_DEVICES,
        RAW_SOCOMEC_VARIABLES,
        RAW_SOCOMEC_CUSTOMERS,
        RAW_SOCOMEC_LAST_VALUES,
    ),
    # A lake of version 0.1.0 has none of the two.
    not_for_days=(RAW_SOCOMEC_CUSTOMERS, RAW_SOCOMEC_LAST_VALUES),
    open=open_socomec,
    readings=socomec_to_readings,
    discover=discover_socomec,
    addresses=addresses,
    keep=keep,
    mart_tables=(
        RAW_SOCOMEC_CUSTOMERS,
        RAW_SOCOMEC_SITES,
        RAW_SOCOMEC_DEVICES,
        RAW_SOCOMEC_LAST_VALUES,
    ),
    drifting_tables=(RAW_SOCOMEC_LAST_VALUES,),
)
