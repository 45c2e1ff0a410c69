"""Publishes what a finished build left in the work file.

Here belongs the order of a publication: the marts as Parquet, the live views over them, and the one
file when it is due. How each is written is in ``export``, ``live_views`` and ``publication``; how
the work file comes about is in ``warehouse``.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from energy_platform.memory import default_memory
from energy_platform.warehouse.as_of import (
    ENERGY_FILE,
    LAST_COPY_FILE,
    MARTS_FOLDER,
    WORK_FILE,
)
from energy_platform.warehouse.build_state import BuildState, open_work
from energy_platform.warehouse.copy_budget import (
    LastCopy,
    is_due,
    next_copy_at,
    note_copy,
    read_last_copy,
)
from energy_platform.warehouse.dims import delivery_digest, delivery_rows
from energy_platform.warehouse.errors import WarehouseError
from energy_platform.warehouse.export import MartExport
from energy_platform.warehouse.live_views import LIVE_FILE, write_live_views
from energy_platform.warehouse.publication import (
    Published,
    count_rows,
    publish_file,
    published_info,
)
from energy_platform.warehouse.restatements import FOLDER, Restatements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb
    import polars as pl

    from energy_platform.lake.lake import Lake

LOCK: Final = "warehouse"
"""The advisory lock of the work file and of publication."""


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """The work file of one installation, and what is published of it.

    Attributes:
        data_dir: Folder for all that a run leaves.
        lake: The day files.
        memory: What the processes of a build may hold together, bytes.
    """

    data_dir: Path
    lake: Lake
    memory: int = field(default_factory=default_memory)

    @property
    def work_file(self) -> Path:
        """The private DuckDB file dbt builds in."""
        return self.data_dir / WORK_FILE

    @property
    def published_file(self) -> Path:
        """The file everybody reads."""
        return self.data_dir / ENERGY_FILE

    @property
    def live_file(self) -> Path:
        """The file of live views."""
        return self.data_dir / LIVE_FILE

    @property
    def marts_folder(self) -> Path:
        """Where the marts lie as Parquet."""
        return self.data_dir / MARTS_FOLDER

    @property
    def journal_folder(self) -> Path:
        """Where it is kept what was said of final figures."""
        return self.data_dir / FOLDER

    @property
    def last_copy_file(self) -> Path:
        """What the newest copy of the published file cost."""
        return self.data_dir / LAST_COPY_FILE

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the work file from ``prepare`` to ``commit``, or for a publication."""
        with self.lake.lock(LOCK):
            yield

    def opened(self) -> duckdb.DuckDBPyConnection:
        """Return the work file, open for writing."""
        return open_work(self.work_file, memory=self.memory)

    def publish_delivery(self, delivery: pl.DataFrame) -> Published | None:
        """Publish what the ledger says now with the figures of the last build: no build is needed.

        Args:
            delivery: The ledger's frame with the columns ``DELIVERY``.

        Returns:
            None where it is left to the next build: none has finished yet, or one is under way.

        Raises:
            WarehouseError: A file is not what it should be.
        """
        with self.lake.lock_if_free(LOCK) as is_held:
            if not is_held or not self.work_file.exists():
                return None
            rows = delivery_rows(delivery)
            with self.opened() as db:
                state = BuildState(db)
                if not state.is_whole() or not state.replace_delivery(
                    rows, digest=delivery_digest(rows)
                ):
                    return None
            return self.publish()

    def publish(self) -> Published:
        """Publish the finished build: as Parquet under live views, and as one file when it is due.

        Readers see the old file or the new, whole. The one file is copied within a budget
        (``copy_budget``); the views show each build.

        Raises:
            WarehouseError: No build has finished, or a file is not what it should be.
        """
        with self.locked(), self._finished() as db:
            info = BuildState(db).build_info()
            restated = Restatements(db, folder=self.journal_folder).run()
            exported = MartExport(db, folder=self.marts_folder).run()
            rows = count_rows(db)
            views = self.write_live_views()
            is_behind = published_info(self.published_file) != info
            written = is_behind and self.is_copy_due()
            if written:
                self._copy(db)
        return Published(
            path=self.published_file,
            written=written,
            rows=rows,
            newest_day=info.get("newest_day") or None,
            bytes=self.published_file.stat().st_size,
            next_copy_at=self.next_copy_at() if is_behind and not written else None,
            exported=exported,
            views=views,
            restated=restated,
        )

    def write_live_views(self) -> tuple[str, ...]:
        """Write ``live.duckdb`` where its views are other ones; return their names."""
        return write_live_views(self.lake, self.live_file, marts=self.marts_folder)

    def next_copy_at(self) -> datetime | None:
        """Return when the published file may be copied again; None when it may be at once."""
        return next_copy_at(read_last_copy(self.last_copy_file), size=self._size())

    def is_copy_due(self) -> bool:
        """Say whether the published file may be copied now."""
        if not self.published_file.exists():
            return True
        last = read_last_copy(self.last_copy_file)
        return is_due(last, size=self._size(), now=datetime.now(tz=UTC))

    def _size(self) -> int:
        return self.work_file.stat().st_size if self.work_file.exists() else 0

    def _copy(self, db: duckdb.DuckDBPyConnection) -> None:
        began = time.monotonic()
        publish_file(db, self.published_file)
        seconds = time.monotonic() - began
        note_copy(self.last_copy_file, LastCopy(finished_at=datetime.now(tz=UTC), seconds=seconds))

    @contextmanager
    def _finished(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the work file of a finished build."""
        if not self.work_file.exists():
            raise WarehouseError("nothing to publish: no build has finished yet; run the build")
        with self.opened() as db:
            if not BuildState(db).is_whole():
                raise WarehouseError(
                    "nothing to publish: the last build did not finish; run the build again"
                )
            yield db
