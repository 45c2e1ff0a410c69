"""Files that are dropped into a folder: CSV, XLSX and Parquet exports of loggers and meters.

``reader`` turns one file into samples, ``intake`` takes files out of the inbox, ``store`` remembers
what was taken, ``pull`` folds the files into whole days.
"""

from typing import Final

from energy_platform.sources.base import Poll, SourceSpec
from energy_platform.sources.files.discovery import found_in_files
from energy_platform.sources.files.readings import readings_of_files
from energy_platform.sources.files.settings import FilesSettings
from energy_platform.sources.files.source import (
    arrivals,
    arrived_days,
    check_inbox,
    keep_archive,
    look,
    looked_at,
    open_files,
)
from energy_platform.sources.files.tables import (
    RAW_FILES_LOGGERS,
    RAW_FILES_POINTS,
    RAW_FILES_SAMPLES,
)

__all__ = ["SOURCE"]

SOURCE: Final = SourceSpec(
    name="files",
    title="Dropped files",
    settings=FilesSettings,
    login=("folder",),
    day_table=RAW_FILES_SAMPLES,
    device_column="device_id",
    inventory_tables=(RAW_FILES_LOGGERS, RAW_FILES_POINTS),
    open=open_files,
    readings=readings_of_files,
    discover=found_in_files,
    checks=check_inbox,
    poll=Poll(run=look, polled_at=looked_at, days=arrived_days, archive=keep_archive),
    arrivals=arrivals,
)
