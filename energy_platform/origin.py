"""Whose data a folder holds: the demo's or a real account's, never both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from pathlib import Path

Origin = Literal["demo", "live"]

MARKER: Final = "ORIGIN"
"""File in the data folder that says where its data come from."""


class OriginError(RuntimeError):
    """The data folder belongs to the other kind of run."""


def claim(data_dir: Path, *, origin: Origin) -> None:
    """Say what a data folder is for, or find that it is for something else.

    Raises:
        OriginError: It holds data of the other origin; nothing was changed.
    """
    marker = data_dir / MARKER
    found = marker.read_text(encoding="utf-8").strip() if marker.exists() else ""
    if found and found != origin:
        raise OriginError(
            f"{data_dir} holds {found} data and this run brings {origin} data: remove it with "
            "`make clean`, or set ENERGY_PLATFORM_DATA_DIR to another folder"
        )
    if not found:
        data_dir.mkdir(parents=True, exist_ok=True)
        marker.write_text(f"{origin}\n", encoding="utf-8")
