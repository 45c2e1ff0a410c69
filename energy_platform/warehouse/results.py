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
        why: What differs, for people.
    """

    stale: bool
    why: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A build that is ready for dbt.

    Attributes:
        env: Environment of the dbt process, to be laid over the platform's own.
        full: Whether everything is made anew.
        why: Why everything is made anew; empty otherwise.
        changed: Day files that are new, changed or gone since the last finished build.
        touched: Local days that are made anew, by zone.
        linked: Day files handed to dbt.
    """

    env: Mapping[str, str]
    full: bool
    why: tuple[str, ...]
    changed: tuple[tuple[str, str], ...]
    touched: Mapping[str, Sequence[date]]
    linked: int


@dataclass(frozen=True, kw_only=True)
class Built:
    """A finished build.

    Attributes:
        prepared: What it was asked to do.
        rows: Rows per table.
        output: What dbt said.
    """

    prepared: Prepared
    rows: Mapping[str, int]
    output: str
