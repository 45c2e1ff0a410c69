"""SkyCentrics cloud API: signed requests, newest data, history where the account has it."""

from typing import Final

from energy_platform.sources.base import Poll, SourceSpec
from energy_platform.sources.skycentrics.client import SkycentricsClient
from energy_platform.sources.skycentrics.discovery import discover_skycentrics
from energy_platform.sources.skycentrics.landing import Landing
from energy_platform.sources.skycentrics.readings import skycentrics_to_readings
from energy_platform.sources.skycentrics.settings import SkycentricsSettings
from energy_platform.sources.skycentrics.source import (
    addresses,
    archive_polls,
    check_polls,
    open_skycentrics,
    poll,
    polled_at,
    polled_days,
)
from energy_platform.sources.skycentrics.tables import (
    RAW_SKYCENTRICS_DEVICES,
    RAW_SKYCENTRICS_SAMPLES,
    RAW_SKYCENTRICS_SENSORS,
)

__all__ = ["SOURCE", "Landing", "SkycentricsClient"]

SOURCE: Final = SourceSpec(
    name="skycentrics",
    title="SkyCentrics",
    settings=SkycentricsSettings,
    login=("client_id", "client_secret"),
    day_table=RAW_SKYCENTRICS_SAMPLES,
    device_column="device_id",
    inventory_tables=(RAW_SKYCENTRICS_DEVICES, RAW_SKYCENTRICS_SENSORS),
    open=open_skycentrics,
    readings=skycentrics_to_readings,
    discover=discover_skycentrics,
    addresses=addresses,
    checks=check_polls,
    poll=Poll(run=poll, polled_at=polled_at, days=polled_days, archive=archive_polls),
    simulated_settings={"SKYCENTRICS_HISTORY_GAP": "5"},
)
