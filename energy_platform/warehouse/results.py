"""What planning, preparing and building say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from energy_platform.warehouse.selection import leaves_nothing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from energy_platform.warehouse.affected import CoveringFile
    from energy_platform.warehouse.slices import Slice


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """Whether the published file follows from the lake.

    Attributes:
        stale: Whether a build is due.
        why: What differs, for display.
    """

    stale: bool
    why: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A build that is ready for dbt.

    Attributes:
        env: Environment of the dbt process, to be laid over the platform's own.
        full: Whether everything is rebuilt.
        why: Why everything is rebuilt; empty otherwise.
        resumed: Whether a build that did not finish goes on.
        changed: Day files that are new, changed or gone since the last build that was begun.
        affected: Local days that are rebuilt, by zone.
        slices: The same days as they are rebuilt, one slice after the other; at least one.
        files: Day files that the build reads, linked, with what they cover.
        left_out: Models that stay as they are, as dbt selects them.
        empty: Models that have no row and get none.
        delivery_replaced: Whether ``mart_delivery`` has the ledger's rows already, without dbt.
    """

    env: Mapping[str, str]
    full: bool
    why: tuple[str, ...]
    resumed: bool
    changed: tuple[tuple[str, str], ...]
    affected: Mapping[str, Sequence[date]]
    slices: tuple[Slice, ...]
    files: tuple[CoveringFile, ...]
    left_out: tuple[str, ...]
    empty: tuple[str, ...]
    delivery_replaced: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing has changed that a model is made of."""
        return leaves_nothing(self.left_out)


@dataclass(frozen=True, kw_only=True)
class Built:
    """A finished build.

    Attributes:
        prepared: What it was asked to do.
        rows: Rows per table.
    """

    prepared: Prepared
    rows: Mapping[str, int]
