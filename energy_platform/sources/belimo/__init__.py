"""Belimo Cloud Client API v3: energy valves, their dataprofiles and their sample history."""

from typing import Final

from energy_platform.sources.base import SourceSpec
from energy_platform.sources.belimo.client import BelimoClient
from energy_platform.sources.belimo.discovery import discover_belimo
from energy_platform.sources.belimo.readings import belimo_to_readings
from energy_platform.sources.belimo.settings import BelimoSettings
from energy_platform.sources.belimo.source import addresses, open_belimo
from energy_platform.sources.belimo.tables import (
    RAW_BELIMO_DATAPROFILES,
    RAW_BELIMO_DEVICES,
    RAW_BELIMO_SAMPLES,
)

__all__ = ["SOURCE", "BelimoClient"]

SOURCE: Final = SourceSpec(
    name="belimo",
    title="Belimo Cloud",
    settings=BelimoSettings,
    login=("client_id", "client_secret", "username", "password"),
    enabled_by=("client_id", "client_secret"),
    day_table=RAW_BELIMO_SAMPLES,
    device_column="serial_number",
    own_id_column="device_id",
    inventory_tables=(RAW_BELIMO_DEVICES, RAW_BELIMO_DATAPROFILES),
    open=open_belimo,
    readings=belimo_to_readings,
    discover=discover_belimo,
    addresses=addresses,
)
