"""What planning, preparing and building say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date


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
        changed: Day files that are new, changed or gone since the last finished build.
        affected: Local days that are rebuilt, by zone.
        linked: Day files handed to dbt.
    """

    env: Mapping[str, str]
    full: bool
    why: tuple[str, ...]
    changed: tuple[tuple[str, str], ...]
    affected: Mapping[str, Sequence[date]]
    linked: int


@dataclass(frozen=True, kw_only=True)
class Built:
    """A finished build.

    Attributes:
        prepared: What it was asked to do.
        rows: Rows per table.
        output: Output of dbt.
    """

    prepared: Prepared
    rows: Mapping[str, int]
    output: str
