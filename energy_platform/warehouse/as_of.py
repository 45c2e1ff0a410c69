"""As of when each published file is, for whoever looks from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from energy_platform.warehouse.copy_budget import next_copy_at, read_last_copy
from energy_platform.warehouse.export import BUILT_AT, exported_about
from energy_platform.warehouse.live_views import LIVE_FILE, folder_of, is_out_of_place
from energy_platform.warehouse.publication import published_about, without_hints

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

ENERGY_FILE: Final = "energy.duckdb"
MARTS_FOLDER: Final = "marts"
WORK_FILE: Final = "warehouse/work.duckdb"
LAST_COPY_FILE: Final = "warehouse/last_copy.json"


@dataclass(frozen=True, kw_only=True)
class AsOf:
    """What readers of a data folder see.

    Attributes:
        newest_day: Newest UTC day that is published; None when nothing is.
        live_built_at: When the build was finished that ``live.duckdb`` shows; None when unknown.
        energy_built_at: The same of ``energy.duckdb``.
        energy_is_behind: Whether ``energy.duckdb`` is of an older build.
        next_copy_at: When it is copied again, where it is behind; None: with the next refresh.
        live_folder: The folder that ``live.duckdb`` shows, where it is another one; else None.
    """

    newest_day: str | None
    live_built_at: str | None
    energy_built_at: str | None
    energy_is_behind: bool
    next_copy_at: datetime | None
    live_folder: str | None

    @property
    def sentence(self) -> str:
        """What differs, for display; empty when both files are of the newest build."""
        if not self.energy_is_behind:
            return ""
        due = (
            "with the next refresh"
            if self.next_copy_at is None
            else f"at {self.next_copy_at:%Y-%m-%d %H:%M} UTC"
        )
        return (
            f"{ENERGY_FILE} is as of {self.energy_built_at or 'an older build'}, its next copy is "
            f"due {due}; {LIVE_FILE} is as of {self.live_built_at or 'unknown'}"
        )


def read_as_of(data_dir: Path) -> AsOf:
    """Read as of when the published files of a data folder are."""
    live = exported_about(data_dir / MARTS_FOLDER)
    energy = published_about(data_dir / ENERGY_FILE)
    is_behind = bool(live) and without_hints(live) != without_hints(energy)
    work, target = data_dir / WORK_FILE, data_dir / LIVE_FILE
    last = read_last_copy(data_dir / LAST_COPY_FILE) if energy else None
    size = work.stat().st_size if work.exists() else 0
    return AsOf(
        newest_day=(live or energy).get("newest_day") or None,
        live_built_at=live.get(BUILT_AT),
        energy_built_at=energy.get(BUILT_AT),
        energy_is_behind=is_behind,
        next_copy_at=next_copy_at(last, size=size) if is_behind else None,
        live_folder=folder_of(target) if is_out_of_place(target) else None,
    )
